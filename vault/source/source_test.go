package source_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir"
	"weir/vault/secret"
	"weir/vault/source"
)

const canary = "CANARY-s0urce value"

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"GOOD": canary, "LINE": canary + "\n", "EMPTY": ""}[name]
		return v, ok
	}
	denied := func(p string) ([]byte, error) { return nil, &fs.PathError{Op: "open", Path: p, Err: fs.ErrPermission} }
	for name, tc := range map[string]struct {
		ref  source.Ref
		read func(string) ([]byte, error)
		want string
		err  string // part of the public text
	}{
		"env":                   {ref: source.Ref{Env: "GOOD"}, want: canary},
		"env is taken as it is": {ref: source.Ref{Env: "LINE"}, want: canary + "\n"},
		"env unset":             {ref: source.Ref{Env: "NONE"}, err: "variable NONE is not set; set it"},
		"env empty":             {ref: source.Ref{Env: "EMPTY"}, err: "variable EMPTY is empty; give it"},
		"file":                  {ref: source.Ref{File: write("a", canary)}, want: canary},
		"file, line end":        {ref: source.Ref{File: write("b", canary+"\n")}, want: canary},
		"file, CRLF":            {ref: source.Ref{File: write("c", canary+"\r\n")}, want: canary},
		"file, two line ends":   {ref: source.Ref{File: write("d", canary+"\n\n")}, want: canary + "\n"},
		"file, bare CR":         {ref: source.Ref{File: write("e", canary+"\r")}, want: canary + "\r"},
		"file, inner lines":     {ref: source.Ref{File: write("f", "a\n"+canary+"\n")}, want: "a\n" + canary},
		"file missing":          {ref: source.Ref{File: filepath.Join(dir, "none")}, err: "none does not exist; create it"},
		"file empty":            {ref: source.Ref{File: write("g", "")}, err: "g is empty; write"},
		"file of a line end":    {ref: source.Ref{File: write("h", "\n")}, err: "h is empty; write"},
		"file too large":        {ref: source.Ref{File: write("i", strings.Repeat("x", 1<<20+1))}, err: "i is larger than"},
		"file is a directory":   {ref: source.Ref{File: dir}, err: "cannot be read; check"},
		"file not ours":         {ref: source.Ref{File: "/x/y"}, read: denied, err: "/x/y cannot be read; make it readable"},
		"nothing":               {err: "neither env nor file; write {env:"},
		"both":                  {ref: source.Ref{Env: "GOOD", File: "/x"}, err: "both env: GOOD and file: /x; keep one"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.read == nil {
				tc.read = os.ReadFile
			}
			got, err := source.Resolve(tc.ref, env, tc.read)
			if tc.err == "" {
				if err != nil || !got.Equal(secret.New(tc.want)) {
					t.Fatalf("wrong value, or error %v", err)
				}
				return
			}
			kind, text := weir.PublicOf(err)
			if kind != weir.Invalid || !strings.Contains(text, tc.err) || !got.IsZero() || strings.Contains(text, "\n") {
				t.Fatalf("got %v, %q", kind, text)
			}
			if strings.Contains(err.Error(), "CANARY") {
				t.Fatalf("the error tells the value: %v", err)
			}
		})
	}
	if _, err := source.Resolve(source.Ref{Env: "GOOD"}, nil, os.ReadFile); err == nil {
		t.Error("resolved without an environment")
	}
}

// Files are read anew each time, so a reload sees what was rotated.
func TestResolveReadsAnew(t *testing.T) {
	p := filepath.Join(t.TempDir(), "cred")
	for _, v := range []string{"CANARY-old", "CANARY-new"} {
		if err := os.WriteFile(p, []byte(v+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := source.Resolve(source.Ref{File: p}, os.LookupEnv, os.ReadFile)
		if err != nil || !got.Equal(secret.New(v)) {
			t.Fatalf("not the value of the file: %v", err)
		}
	}
}

func TestRefString(t *testing.T) {
	for want, r := range map[string]source.Ref{
		"environment variable A": {Env: "A"}, "file /b": {File: "/b"}, "no place": {},
	} {
		if r.String() != want {
			t.Errorf("got %q, want %q", r.String(), want)
		}
	}
	var e *weir.Error
	if _, err := source.Resolve(source.Ref{}, os.LookupEnv, os.ReadFile); !errors.As(err, &e) {
		t.Error("not a weir.Error")
	}
}
