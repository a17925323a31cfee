package record_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"weir/evidence/record"
)

// asciicastReader reads a file as the published specifications of version 2 and 3 have it, with nothing of ours: it prints what a player would
// write to its terminal, and fails on whatever they do not allow.
const asciicastReader = `
import json, re, sys
def pairs(p):
    assert len({k for k, _ in p}) == len(p), "a key twice"
    return dict(p)
def constant(c):
    raise ValueError(c)
def load(line):
    return json.loads(line, object_pairs_hook=pairs, parse_constant=constant)
def number(x):
    return isinstance(x, (int, float)) and not isinstance(x, bool)
def whole(x):
    return isinstance(x, int) and not isinstance(x, bool)
raw = sys.stdin.buffer.read()
assert not raw.startswith(b"\xef\xbb\xbf"), "a byte order mark"
text = raw.decode("utf-8")
assert text.endswith("\n"), "the last line does not end"
lines = text[:-1].split("\n")
head = load(lines[0])
assert isinstance(head, dict), "the header is no object"
v = head["version"]
assert whole(v) and v in (2, 3), "version"
if v == 2:
    assert whole(head["width"]) and head["width"] > 0 and whole(head["height"]) and head["height"] > 0, "size"
else:
    term = head["term"]
    assert whole(term["cols"]) and term["cols"] > 0 and whole(term["rows"]) and term["rows"] > 0, "size"
    assert isinstance(term.get("type", ""), str) and isinstance(term.get("version", ""), str), "term"
    assert isinstance(head.get("tags", []), list) and "width" not in head and "height" not in head, "keys of version 2"
assert whole(head.get("timestamp", 0)) and number(head.get("duration", 0.0)) and number(head.get("idle_time_limit", 0.0)), "numbers"
assert isinstance(head.get("title", ""), str) and isinstance(head.get("command", ""), str), "texts"
env = head.get("env", {})
assert isinstance(env, dict) and all(isinstance(x, str) for x in env.values()), "env"
last, out = 0, []
for n, line in enumerate(lines[1:], 2):
    if v == 3 and line.startswith("#"):
        continue
    ev = load(line)
    assert isinstance(ev, list) and len(ev) == 3, "line %d: no event" % n
    when, code, data = ev
    assert number(when) and when >= 0 and isinstance(code, str) and isinstance(data, str), "line %d: fields" % n
    assert v == 3 or when >= last, "line %d: time goes back" % n
    assert code in (("o", "i", "m", "r") if v == 2 else ("o", "i", "m", "r", "x")), "line %d: code %s" % (n, code)
    data.encode("utf-8")  # no half of a surrogate pair
    if code == "r":
        assert re.fullmatch("[1-9][0-9]*x[1-9][0-9]*", data), "line %d: size" % n
    if code == "x":
        assert re.fullmatch("[0-9]+", data) and n == len(lines), "line %d: exit status" % n
    if code == "o":
        out.append(data)
    last = when
assert out, "no output"
sys.stdout.buffer.write("".join(out).encode("utf-8"))
`

// TestAsciicastsAreReadByOthers holds the exports against a reader in another language, and that reader against files with a fault each.
func TestAsciicastsAreReadByOthers(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("WEIR_REQUIRE_SERVERS") != "" {
			t.Fatal("python3 is missing")
		}
		t.Skip("python3 is missing")
	}
	read := func(cast string) (string, error) {
		cmd := exec.CommandContext(t.Context(), python, "-I", "-c", asciicastReader)
		cmd.Stdin = strings.NewReader(cast)
		out, err := cmd.Output()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			return string(exit.Stderr), err
		}
		return string(out), err
	}
	s := store(t, sshSession("ses_ssh")...)
	for _, r := range sqlSession("ses_sql") {
		put(t, s, r)
	}
	shows := map[string]string{"ses_ssh": "$ \x1b[1;32mgrün\x1b[0m\r\nwrapped at twenty columns\r\n\x1b[2J\x1b[Hafter", "ses_sql": "SELECT"}
	for id, want := range shows {
		var casts []string
		for _, form := range []record.Form{{Format: record.AsciicastV2}, {Format: record.AsciicastV3}, {Format: record.AsciicastV2, Input: true}, {Format: record.AsciicastV3, Input: true}} {
			cast := export(t, s, id, form)
			if id == "ses_sql" && !strings.Contains(cast, `"o"`) { // statements are markers
				continue
			}
			got, err := read(cast)
			if err != nil || !strings.Contains(got, want) {
				t.Errorf("%s %+v: %v %s\n%s", id, form, err, got, cast)
			}
			casts = append(casts, got)
		}
		for _, c := range casts {
			if c != casts[0] {
				t.Errorf("%s: versions show different output:\n%q\n%q", id, casts[0], c)
			}
		}
	}
	v2, v3 := export(t, s, "ses_ssh", record.Form{Format: record.AsciicastV2}), export(t, s, "ses_ssh", record.Form{Format: record.AsciicastV3})
	for name, bad := range map[string]string{
		"no last line end": strings.TrimSuffix(v2, "\n"), "version 1": strings.Replace(v2, `"version":2`, `"version":1`, 1), "no size": strings.Replace(v2, `"width"`, `"w"`, 1),
		"text for a size": strings.Replace(v3, `"cols":`, `"cols":"80","c":`, 1), "bytes": strings.Replace(v2, "wrapped", "wr\xffpped", 1), "an exit in version 2": v2 + `[99999.0,"x","0"]` + "\n",
		"time that goes back": v2 + `[0.0,"o","x"]` + "\n", "four fields": v3 + `[0.0,"o","x",1]` + "\n", "half a pair": v3 + `[0.0,"o","\ud800"]` + "\n", "NaN": v3 + `[NaN,"o","x"]` + "\n",
		"a negative interval": v3 + `[-1,"o","x"]` + "\n", "a size in words": v2 + `[99999.0,"r","wide"]` + "\n", "an empty line": v2 + "\n",
	} {
		if got, err := read(bad); err == nil {
			t.Errorf("%s: passes: %q", name, got)
		}
	}
}
