package postgres

import (
	"bytes"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"weir/gate/gatetest"
)

// copied passes messages of CopyData through the gateway, as the answer to a statement with n columns, and returns all that they hold afterwards.
func copied(t *testing.T, statement string, n int, messages []string) string {
	t.Helper()
	w := wire(t, &gatetest.Controls{})
	answer := frame('H', "\x00\x00"+string(rune(n))+strings.Repeat("\x00\x00", n))
	for _, m := range messages {
		answer += frame('d', m)
	}
	go func() { _, _ = io.WriteString(w.client, frame('Q', statement+"\x00")) }()
	if got := next(t, w.target); got[0] != 'Q' {
		t.Fatalf("%q", got)
	}
	go func() {
		_, _ = io.WriteString(w.target, answer+frame('c', "")+frame('C', "COPY 1\x00")+frame('Z', "I"))
	}()
	var out strings.Builder
	for {
		switch f := next(t, w.client); f[0] {
		case 'H', 'c':
		case 'd':
			out.WriteString(f[frameHeader:])
		case 'C':
			return out.String()
		default:
			t.Fatalf("%q", f)
		}
	}
}

// copyCells makes the cells of a row, as they are written in the format of k.
func copyCells(r *rand.Rand, k *copying, special []string) []byte {
	words := strings.Fields("some ordinary words of no interest, and number 12 or 13 at user@example.com: done (yes)")
	if !slices.ContainsFunc(special, forms) {
		words = words[:len(words)-1]
	}
	var row []byte
	for i := range 3 {
		if i > 0 {
			row = append(row, k.delim)
		}
		v := ""
		switch n := r.IntN(20); {
		case n == 0:
			row = append(row, k.null...)
			continue
		case n < 3:
			v = special[r.IntN(len(special))]
		default:
			for range r.IntN(8) {
				v += words[r.IntN(len(words))] + " "
			}
		}
		if k.csv && !strings.ContainsAny(v, string([]byte{k.delim, k.quote, '\n', '\r'})) && v != k.null {
			row = append(row, v...)
		} else {
			row = k.encode(row, []byte(v))
		}
	}
	return append(row, '\n')
}

func forms(v string) bool { return strings.ContainsAny(v, "{[(\\\n") }

// TestCopiedRowsAreMaskedAsOneByOne compares rows that are searched together with the same bytes in messages that end anywhere, whose rows are searched cell by cell.
func TestCopiedRowsAreMaskedAsOneByOne(t *testing.T) {
	special := looksInto()
	for statement, k := range map[string]*copying{
		"copy (select 1) to stdout":                                     {copyForm: copyForm{delim: '\t', null: `\N`}},
		"copy (select 1) to stdout with delimiter '|' null '\\'":        {copyForm: copyForm{delim: '|', null: `\`}},
		"copy (select 1) to stdout with null '-'":                       {copyForm: copyForm{delim: '\t', null: "-"}},
		"copy (select 1) to stdout with delimiter ':' null 'token'":     {copyForm: copyForm{delim: ':', null: "token"}},
		"copy (select 1) to stdout with csv":                            {copyForm: copyForm{csv: true, delim: ',', quote: '"', escape: '"'}},
		`copy (select 1) to stdout with csv null '\N' quote '|'`:        {copyForm: copyForm{csv: true, delim: ',', quote: '|', escape: '|', null: `\N`}},
		`copy (select 1) to stdout with csv delimiter ';' escape E'\\'`: {copyForm: copyForm{csv: true, delim: ';', quote: '"', escape: '\\'}},
	} {
		masked := 0
		for seed := range uint64(12) {
			r, special := rand.New(rand.NewPCG(seed, 2)), special
			if seed%3 == 0 {
				special = slices.DeleteFunc(slices.Clone(special), forms) // where nothing else is formed, rows without marks are not split
			}
			var rows, parts []string
			var all []byte
			for range 120 {
				row := copyCells(r, k, special)
				rows, all = append(rows, string(row)), append(all, row...)
			}
			for rest := all; len(rest) > 0; {
				n := min(len(rest), 1+r.IntN(60))
				if n == len(rest) || rest[n-1] != '\n' {
					parts, rest = append(parts, string(rest[:n])), rest[n:]
					continue
				}
				parts, rest = append(parts, string(rest[:n+1])), rest[n+1:]
			}
			got, want := copied(t, statement, 3, rows), copied(t, statement, 3, parts)
			if got != want {
				i := 0
				for got[i] == want[i] {
					i++
				}
				t.Fatalf("%s, seed %d: %q, in pieces %q", statement, seed, got[max(0, i-80):min(len(got), i+80)], want[max(0, i-80):min(len(want), i+80)])
			}
			if strings.Contains(got, canary) {
				t.Errorf("%s: %s", statement, got)
			}
			masked += bytes.Count([]byte(got), []byte("[masked"))
		}
		if masked < 100 {
			t.Errorf("%s: %d values were masked", statement, masked)
		}
	}
}
