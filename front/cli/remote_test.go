package cli

import (
	"strings"
	"testing"

	"weir/service"
)

func TestCommandsInTablesAndWhole(t *testing.T) {
	r := service.Request{Command: "\n  SELECT a\r\n\tFROM b -- \x1b[2J\n"}
	if got := oneLine(r.Command); got != "SELECT a FROM b -- \x1b[2J" { // the table makes the rest visible
		t.Errorf("%q", got)
	}
	if got := []rune(oneLine(strings.Repeat("é ", 100))); len(got) != widestCommand || got[widestCommand-1] != '…' {
		t.Errorf("%d characters: %q", len(got), string(got))
	}
	var out strings.Builder
	printRequest(&out, &r)
	if want := "command   SELECT a\n          \tFROM b -- \\x1b[2J\nrule"; !strings.Contains(out.String(), want) {
		t.Errorf("%q", out.String())
	}
}
