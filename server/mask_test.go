package server_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"weir/server"
)

func TestMaskFindsOutTheFormat(t *testing.T) {
	for text, want := range map[string]string{
		"DB_PASSWORD=hunter2\nPATH=/bin\n":                                            "DB_PASSWORD=[masked:field:",
		"\n {\"a\":{\"pass\\u0077ord\":\"hunter2\"}}":                                 "\"pass\\u0077ord\":\"[masked:field:",
		"[section]\npassword = hunter2\n":                                             "password = [masked:field:",
		"<?xml version=\"1.0\"?><c><password>hunter2</password></c>":                  "<password>[masked:field:",
		"<!DOCTYPE html><table><tr><td>DB_PASSWORD</td><td>hunter2</td></tr></table>": "<td>[masked:",
		"{broken password=hunter2 ":                                                   "password=[masked:field:",
		"":                                                                            "",
	} {
		var out strings.Builder
		tally, err := server.Mask(&out, strings.NewReader(text), server.MaskOptions{})
		if err != nil || strings.Contains(out.String(), "hunter2") || !strings.Contains(out.String(), want) {
			t.Errorf("%q: %q, %v", text, out.String(), err)
		}
		if (tally.Total() > 0) != (text != "") {
			t.Errorf("%q: %d masked", text, tally.Total())
		}
	}
}

func TestMaskRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, o := range []server.MaskOptions{{Format: "cobol"}, {Disable: []string{"nonsense"}}, {Fields: []string{"---"}}, {Key: []byte("short")}} {
		var out strings.Builder
		if _, err := server.Mask(&out, strings.NewReader("password=x"), o); err == nil || out.Len() > 0 {
			t.Errorf("%+v: %v, %q", o, err, out.String())
		}
	}
}

// TestMaskPassesLinesOnAsTheyCome is tail -f through the masker.
func TestMaskPassesLinesOnAsTheyCome(t *testing.T) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := server.Mask(outW, inR, server.MaskOptions{})
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
