package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"weir/vault/secret"
)

func TestNothingPrintsASecret(t *testing.T) {
	const canary = "CANARY-tr0ub4dor"
	s := secret.New(canary)
	type box struct {
		S secret.String
		P *secret.String
	}
	b := box{S: s, P: &s}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p"} {
		fmt.Fprintf(&out, verb+verb, s, b)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "s", s, "b", b)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "s", s, "b", b)
	j, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	x, err := xml.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(x)
	if err := gob.NewEncoder(&out).Encode(s); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Contains(got, canary) || strings.Contains(got, fmt.Sprintf("%x", canary)) {
		t.Fatalf("a secret was printed: %s", got)
	}
}

func TestEqual(t *testing.T) {
	if !secret.New("a").Equal(secret.New("a")) || secret.New("a").Equal(secret.New("b")) || secret.New("a").Equal(secret.String{}) {
		t.Fatal("Equal is wrong")
	}
	if !(secret.String{}).IsZero() || secret.New("x").IsZero() || secret.New("").Reveal() != "" {
		t.Fatal("zero value is wrong")
	}
}
