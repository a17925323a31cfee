// Package source finds the credentials that the configuration refers to: in environment variables and in files.
//
// It must never print or log a value, and it never falls back: a credential that is missing, empty or said twice is an error.
// It keeps nothing, so resolving again, as on a reload, reads files anew. Safe for concurrent use.
package source

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"weir"
	"weir/vault/secret"
)

// maxFile bounds a credential, in bytes.
const maxFile = 1 << 20

// Ref says where a credential is. Exactly one field is set.
type Ref struct {
	Env  string // name of an environment variable
	File string // path of a file; one line end at its end is not part of the credential
}

// String names the place, for messages.
func (r Ref) String() string {
	switch {
	case r.Env != "" && r.File == "":
		return "environment variable " + r.Env
	case r.File != "" && r.Env == "":
		return "file " + r.File
	}
	return "no place"
}

// Resolve returns the credential. lookupEnv is os.LookupEnv and readFile os.ReadFile, or what stands for them. The
// error is a *weir.Error whose public text names the place and what to do.
func Resolve(r Ref, lookupEnv func(string) (string, bool), readFile func(string) ([]byte, error)) (secret.String, error) {
	switch {
	case lookupEnv == nil || readFile == nil:
		return secret.String{}, errors.New("resolve credential without environment or files")
	case r.Env == "" && r.File == "":
		return secret.String{}, invalid("a credential says neither env nor file; write {env: NAME} or {file: PATH}", nil)
	case r.Env != "" && r.File != "":
		return secret.String{}, invalid(fmt.Sprintf("a credential says both env: %s and file: %s; keep one of them", r.Env, r.File), nil)
	case r.Env != "":
		return fromEnv(r.Env, lookupEnv)
	}
	return fromFile(r.File, readFile)
}

func fromEnv(name string, lookupEnv func(string) (string, bool)) (secret.String, error) {
	v, ok := lookupEnv(name)
	switch {
	case !ok:
		return secret.String{}, invalid(fmt.Sprintf("the environment variable %s is not set; set it for the process that runs weir", name), nil)
	case v == "":
		return secret.String{}, invalid(fmt.Sprintf("the environment variable %s is empty; give it the credential", name), nil)
	}
	return secret.New(v), nil
}

func fromFile(path string, readFile func(string) ([]byte, error)) (secret.String, error) {
	b, err := readFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return secret.String{}, invalid(fmt.Sprintf("the credential file %s does not exist; create it or correct the path", path), err)
	case errors.Is(err, fs.ErrPermission):
		return secret.String{}, invalid(fmt.Sprintf("the credential file %s cannot be read; make it readable for the user that runs weir", path), err)
	case err != nil:
		return secret.String{}, invalid(fmt.Sprintf("the credential file %s cannot be read; check that it is a plain file", path), err)
	case len(b) > maxFile:
		return secret.String{}, invalid(fmt.Sprintf("the credential file %s is larger than %d bytes; check that it is the right one", path, maxFile), nil)
	}
	b, cut := bytes.CutSuffix(b, []byte("\n"))
	if cut {
		b = bytes.TrimSuffix(b, []byte("\r"))
	}
	if len(b) == 0 {
		return secret.String{}, invalid(fmt.Sprintf("the credential file %s is empty; write the credential into it", path), nil)
	}
	return secret.New(string(b)), nil
}

func invalid(public string, cause error) *weir.Error {
	return weir.NewError(weir.Invalid, public, cause)
}
