package transfer_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"weir/gate/sshgate/transfer"
)

func TestDownloadsAreHashedInOrder(t *testing.T) {
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("abcdef")))
	for _, c := range []struct {
		name  string
		parts []any // offset, bytes
		bytes string
		sum   string
	}{
		{"nothing", nil, "", ""},
		{"in order", []any{0, "abc", 3, "", 3, "def"}, "6", sum},
		{"in no order", []any{3, "def", 0, "abc"}, "6", ""},
		{"twice", []any{0, "abc", 0, "abc", 3, "def"}, "9", ""},
		{"from the middle on", []any{3, "def"}, "3", ""},
		{"with a hole", []any{0, "abc", 4, "ef"}, "5", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d transfer.Download
			for i := 0; i < len(c.parts); i += 2 {
				d.Give([]byte(c.parts[i+1].(string)), int64(c.parts[i].(int)))
			}
			got := map[string]string{}
			for _, a := range d.Attrs() {
				got[a.Name] = a.Value
			}
			if got["read"] != c.bytes || got["read_sha256"] != c.sum {
				t.Errorf("%v", got)
			}
		})
	}
}
