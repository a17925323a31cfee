package server_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf16"

	"weir"
	"weir/server"
)

// filtered masks text by a new Filter.
func filtered(t *testing.T, o server.FilterOptions, name, text string) (string, *weir.Tally) {
	t.Helper()
	f, err := server.NewFilter(o)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	tally, err := f.Copy(&out, strings.NewReader(text), name, nil)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return out.String(), tally
}

func TestFilterFindsOutTheFormat(t *testing.T) {
	for text, want := range map[string]string{
		"DB_PASSWORD=hunter2\nPATH=/bin\n":                                            "DB_PASSWORD=[masked:field:",
		"\n {\"a\":{\"pass\\u0077ord\":\"hunter2\"}}":                                 "\"pass\\u0077ord\":\"[masked:field:",
		"\ufeff{\"a\":{\"pass\\u0077ord\":\"hunter2\"}}":                              "\ufeff{\"a\":{\"pass\\u0077ord\":\"[masked:field:",
		"[section]\npassword = hunter2\n":                                             "password = [masked:field:",
		"<?xml version=\"1.0\"?><c><password>hunter2</password></c>":                  "<password>[masked:field:",
		"<!DOCTYPE html><table><tr><td>DB_PASSWORD</td><td>hunter2</td></tr></table>": "<td>[masked:",
		"{broken password=hunter2 ":                                                   "password=[masked:field:",
		"":                                                                            "",
	} {
		out, tally := filtered(t, server.FilterOptions{}, "", text)
		if strings.Contains(out, "hunter2") || !strings.Contains(out, want) {
			t.Errorf("%q: %q", text, out)
		}
		if (tally.Total() > 0) != (text != "") {
			t.Errorf("%q: %d masked", text, tally.Total())
		}
	}
}

// TestFilterGoesByTheName uses texts that only one reader masks: the name alone says which.
func TestFilterGoesByTheName(t *testing.T) {
	const escaped = "\"pass\\u0077ord\":\"hunter2\"" // a reader of text does not undo escapes
	for name, c := range map[string]struct {
		format, file, text string
		masked             bool
	}{
		"json by name":       {"", "a/b.JSON", "[1,\"x\",{" + escaped + "}]", true},
		"state by name":      {"", "terraform.tfstate", "[1,\"x\",{" + escaped + "}]", true},
		"old state by name":  {"", "terraform.tfstate.backup", "[1,\"x\",{" + escaped + "}]", true},
		"unknown name":       {"", "a.bin", "{" + escaped + "}", true},
		"number first":       {"", "a.bin", "[1,\"x\",{" + escaped + "}]", false},
		"env is text":        {"", ".env.local", "{" + escaped + "}", false},
		"format before name": {"json", "x.env", "{" + escaped + "}", true},
		"yaml is text":       {"yaml", "", "{" + escaped + "}", false},
		"ndjson":             {"ndjson", "", "1\n{" + escaped + "}\n", true},
		"csv":                {"csv", "", "password=hunter2\n", true},
	} {
		out, _ := filtered(t, server.FilterOptions{Format: c.format}, c.file, c.text)
		if strings.Contains(out, "hunter2") == c.masked {
			t.Errorf("%s: %q", name, out)
		}
	}
}

func TestFilterRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, o := range []server.FilterOptions{{Format: "cobol"}, {Disable: []string{"nonsense"}}, {Fields: []string{"---"}}, {Key: []byte("short")}} {
		if _, err := server.NewFilter(o); err == nil {
			t.Errorf("%+v", o)
		}
	}
}

// wide encodes text, whose \ufeff at the front becomes the mark.
func wide(text string, order binary.ByteOrder) string {
	var out []byte
	for _, u := range utf16.Encode([]rune(text)) {
		var b [2]byte
		order.PutUint16(b[:], u)
		out = append(out, b[:]...)
	}
	return string(out)
}

func TestFilterReadsUTF16(t *testing.T) {
	f, err := server.NewFilter(server.FilterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, order := range map[string]binary.ByteOrder{"little": binary.LittleEndian, "big": binary.BigEndian} {
		t.Run(name, func(t *testing.T) {
			in := wide("\ufeffGrüße 😀\r\n{password=hunter2😀 x\r\n", order)
			for kind, r := range map[string]io.Reader{"whole": strings.NewReader(in), "bytes": iotest.OneByteReader(strings.NewReader(in))} {
				var out strings.Builder
				var cut []string
				tally, err := f.Copy(&out, r, "f", func(x weir.Finding) error {
					cut = append(cut, in[x.Start:x.End])
					if x.Line != 2 || x.File != "f" {
						t.Errorf("%+v", x)
					}
					return nil
				})
				if err != nil || tally.Total() != 1 {
					t.Fatalf("%s: %v, %d masked", kind, err, tally.Total())
				}
				if want := wide("hunter2😀", order); len(cut) != 1 || cut[0] != want {
					t.Errorf("%s: cut out %q", kind, cut)
				}
				got := out.String()
				head, tail := wide("\ufeffGrüße 😀\r\n{password=[masked:field:", order), wide("] x\r\n", order)
				if !strings.HasPrefix(got, head) || !strings.HasSuffix(got, tail) || len(got) != len(head)+len(tail)+16 {
					t.Errorf("%s: %q", kind, got)
				}
			}
		})
	}
}

// TestFilterKeepsAnyUTF16 copies random units, among them halves of pairs, in random pieces.
func TestFilterKeepsAnyUTF16(t *testing.T) {
	f, err := server.NewFilter(server.FilterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		in := []byte("\xff\xfe")
		for range rnd.IntN(60) {
			u := uint16(rnd.IntN(1 << 16))
			if rnd.IntN(2) == 0 {
				u = 0xd700 | u&0xfff
			}
			in = binary.LittleEndian.AppendUint16(in, u)
		}
		var out bytes.Buffer
		tally, err := f.Copy(&out, iotest.HalfReader(bytes.NewReader(in)), "", func(weir.Finding) error { return nil })
		if err != nil || tally.Total() != 0 || !bytes.Equal(out.Bytes(), in) {
			t.Fatalf("%x became %x, %v", in, out.Bytes(), err)
		}
	}
}

// TestFilterOfHalfAUnit ends in the middle of the last character of a secret.
func TestFilterOfHalfAUnit(t *testing.T) {
	out, tally := filtered(t, server.FilterOptions{}, "", strings.TrimSuffix(wide("\ufeffpassword=hunter2", binary.LittleEndian), "\x00"))
	if tally.Total() != 1 || strings.Contains(out, "2\x00") && strings.HasSuffix(out, "2") || !strings.HasSuffix(out, "]\x00") {
		t.Errorf("%q", out)
	}
}

// TestFilterPassesLinesOnAsTheyCome is tail -f through the masker: each line is out before the next one comes.
func TestFilterPassesLinesOnAsTheyCome(t *testing.T) {
	f, err := server.NewFilter(server.FilterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := f.Copy(outW, inR, "", nil)
		done <- errors.Join(err, outW.Close())
	}()
	if _, err := inW.Write([]byte("started\npassword=hunter2\nready now\n")); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	go func() {
		var all []byte
		buf := make([]byte, 256)
		for !strings.Contains(string(all), "ready") {
			n, err := outR.Read(buf)
			if err != nil {
				break
			}
			all = append(all, buf[:n]...)
		}
		got <- string(all)
		_, _ = io.Copy(io.Discard, outR)
	}()
	select {
	case text := <-got:
		if strings.Contains(text, "hunter2") || !strings.HasPrefix(text, "started\n") {
			t.Error(text)
		}
	case <-time.After(10 * time.Second):
		t.Error("the lines were held back")
	}
	_ = inW.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
