package journal

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"weir"
)

// OpenKey reads the Ed25519 signing key from a PKCS #8 PEM file, and makes one (mode 0600) when there is no
// such file. The key must stay out of every output; only the journal needs it.
func OpenKey(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("The signing key %s cannot be read; make it readable for the user that runs weir.", path), err)
	}
	bad := func(cause error) error {
		return weir.NewError(weir.Invalid, fmt.Sprintf("The signing key %s is not an Ed25519 key in PKCS #8 PEM form; restore it from a backup.", path), cause)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, bad(nil)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, bad(err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, bad(nil)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("The signing key %s is readable for others; run `chmod 600 %s`.", path, path), nil)
	}
	return key, nil
}

func makeKey(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode signing key: %w", err)
	}
	if err := writeWhole(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return nil, fileError(path, err)
	}
	return key, nil
}

// ReadPublicKey reads an Ed25519 public key from a PEM file, such as journal.pub.
func ReadPublicKey(path string) (ed25519.PublicKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("The public key %s cannot be read; give the path of a journal.pub file.", path), err)
	}
	bad := func(cause error) error {
		return weir.NewError(weir.Invalid, fmt.Sprintf("The file %s holds no Ed25519 public key in PEM form; give the path of a journal.pub file.", path), cause)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, bad(nil)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, bad(err)
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, bad(nil)
	}
	return key, nil
}

// writePublicKey puts the public key next to the segments.
func writePublicKey(path string, key ed25519.PublicKey) error {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return fmt.Errorf("encode public key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	if old, err := os.ReadFile(path); err == nil && string(old) == string(text) {
		return nil
	}
	return writeWhole(path, text, 0o644)
}

// writeWhole replaces a file so that a crash leaves the old or the new one.
func writeWhole(path string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		_ = os.Remove(path + ".tmp")
	}
	return err
}
