package test

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func TestMaskCommand(t *testing.T) {
	cmd := exec.Command(binary, "mask", "--summary", "--exit-code", "3", "--field", "corp_ticket")
	cmd.Stdin = strings.NewReader("DB_PASSWORD=hunter2\ncorp_ticket: abc1\nPATH=/bin\n")
	var out, report bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &report
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("ended with %v: %s", err, &report)
	}
	if text := out.String(); strings.Contains(text, "hunter2") || strings.Contains(text, "abc1") || !strings.HasSuffix(text, "\nPATH=/bin\n") {
		t.Errorf("%q", text)
	}
	if strings.TrimSpace(report.String()) != "2 field" {
		t.Errorf("%q", &report)
	}
}
