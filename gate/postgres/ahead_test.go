package postgres

import (
	"encoding/base64"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"weir/gate/gatetest"
)

// looksInto are cells that a look at the text of many rows at once would miss, or that it has to find.
func looksInto() []string {
	wrapped := base64.StdEncoding.EncodeToString([]byte("so much text that the first line ends within: " + canary + ", and more of it, so that there are some lines"))
	lines := ""
	for part := range slices.Chunk([]byte(wrapped), 64) {
		lines += string(part) + "\n"
	}
	return []string{
		"a " + canary, canary, `\x` + hex.EncodeToString([]byte(canary)), lines, strings.ReplaceAll(lines, "\n", `\n`), `{"pw":"hunter2x"}`, `[{"pw":"hunter2x"}]`, `("{""pw"":""hunter2x""}",1)`, `["` + canary[:4] + `\u00` + hex.EncodeToString([]byte(canary[4:5])) + canary[5:] + `"]`,
		`("password=hunter2x",1)`, `{"password=\"hunter2x\"",1}`, "DB_PASSWORD=hunter2x", "key gh" + "p_16C7e42F292c6912E7710c838347Ae178B4a",
		"", "short", "tenletters", `C:\temp`, "two\nlines", strings.Repeat("some ordinary words ", 100), strings.Repeat("x", 92), "2026-01-02",
	}
}

// notes passes rows through the gateway and returns what became of their first cell. beside is what stands behind it: "" for nothing, "bytes" for a column that
// is looked into by itself, "password" for one that makes each cell be looked at by itself.
func notes(t *testing.T, rows []string, beside string) []string {
	t.Helper()
	w := wire(t, &gatetest.Controls{})
	head, behind := "\x00\x01"+column("note", 25, 0), []string(nil)
	switch beside {
	case "bytes":
		head, behind = "\x00\x02"+column("note", 25, 0)+column(beside, 17, 0), []string{`\x00`}
	case "password":
		head, behind = "\x00\x02"+column("note", 25, 0)+column(beside, 25, 0), []string{""}
	}
	answer := frame('T', head)
	for _, v := range rows {
		answer += frame('D', cells(append([]string{v}, behind...)...))
	}
	go func() { _, _ = io.WriteString(w.client, frame('Q', "select 1\x00")) }()
	if got := next(t, w.target); got[0] != 'Q' {
		t.Fatalf("%q", got)
	}
	go func() { _, _ = io.WriteString(w.target, answer+frame('C', "SELECT 1\x00")+frame('Z', "I")) }()
	var out []string
	for {
		f := next(t, w.client)
		switch f[0] {
		case 'T':
		case 'D':
			in := cursor{b: []byte(f[frameHeader+2:])}
			out = append(out, string(in.take(int(in.int32()))))
		case 'C':
			return out
		default:
			t.Fatalf("%q", f)
		}
	}
}

// TestRowsAheadAreMaskedAsOneByOne compares rows that are looked at together with the same rows when each cell is.
func TestRowsAheadAreMaskedAsOneByOne(t *testing.T) {
	special := looksInto()
	words := strings.Fields("some ordinary words of no interest, and number 12 (or 13) at user@example.com: done")
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		rows := make([]string, 60)
		for i := range rows {
			if r.IntN(20) == 0 {
				rows[i] = special[r.IntN(len(special))]
				continue
			}
			for range r.IntN(20) {
				rows[i] += words[r.IntN(len(words))] + " "
			}
		}
		got, other, want := notes(t, rows, ""), notes(t, rows, "bytes"), notes(t, rows, "password")
		for i := range rows {
			if got[i] != want[i] || other[i] != want[i] {
				t.Errorf("seed %d, row %d: %q\n got %q\nand %q beside bytes\nwant %q", seed, i, rows[i], got[i], other[i], want[i])
			}
			if strings.Contains(got[i], canary) {
				t.Errorf("%q", got[i])
			}
		}
	}
	for _, v := range special[:13] { // those with a secret, among others
		rows := slices.Repeat([]string{"nothing to see"}, 30)
		rows[17] = v
		if got := notes(t, rows, ""); got[17] == v || got[16] != rows[16] || got[18] != rows[18] {
			t.Errorf("%q became %q between %q and %q", v, got[17], got[16], got[18])
		}
	}
}
