// Package secret holds values that must not leave the process by accident: they cannot be
// printed, logged or marshalled. Only vault packages and an engine's auth.go may Reveal one.
//
// A String is immutable and safe for concurrent use. Its zero value is "no secret".
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// hidden is what every way of printing a String shows.
const hidden = "[secret]"

// String is a secret. Every formatting and marshalling method hides the value.
type String struct {
	v *string // a pointer, so that == compares identity and %v of a struct shows nothing useful
}

// New makes a String of v.
func New(v string) String {
	if v == "" {
		return String{}
	}
	return String{v: &v}
}

// Reveal returns the value. Only vault packages and gate/*/auth.go may call it; a lint rule holds that.
func (s String) Reveal() string {
	if s.v == nil {
		return ""
	}
	return *s.v
}

// IsZero reports whether there is no secret.
func (s String) IsZero() bool { return s.v == nil }

// Equal compares in constant time with respect to the values' contents and lengths.
func (s String) Equal(o String) bool {
	a, b := sha256.Sum256([]byte(s.Reveal())), sha256.Sum256([]byte(o.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String hides the value.
func (String) String() string { return hidden }

// GoString hides the value.
func (String) GoString() string { return hidden }

// Format hides the value, whatever the verb.
func (String) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// LogValue hides the value.
func (String) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the value; JSON, YAML and XML encoders use it.
func (String) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON hides the value.
func (String) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// GobEncode hides the value.
func (String) GobEncode() ([]byte, error) { return []byte(hidden), nil }
