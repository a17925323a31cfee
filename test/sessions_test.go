package test

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"weir/evidence/record"
)

// TestSessionsForPeople watches, searches, shows and replays sessions through the gateway's API, as an administrator and as others.
func TestSessionsForPeople(t *testing.T) {
	g := start(t, nil)
	_, morgan := g.people(t)
	key := g.access(t, "debug", "alice")
	c := g.client(t)
	if a := g.get(t, c, &key, "/page"); a.StatusCode != 200 {
		t.Fatal(a.StatusCode)
	}
	live := decode[[]record.Session](t, g.weir(t, "sessions", "ls", "--state", "live", "--protocol", "http", "-o", "json"))
	if len(live) != 1 {
		t.Fatalf("%+v", live)
	}
	if none := decode[[]record.Session](t, g.weir(t, "sessions", "ls", "--protocol", "ssh", "-o", "json")); len(none) != 0 {
		t.Error(none)
	}
	id := string(live[0].ID)

	// A watcher sees what was there, what comes, and the end.
	out := &buffer{}
	watch := exec.Command(binary, "sessions", "watch", id, "--from-start", "--data-dir", g.data)
	watch.Stdout, watch.Stderr = out, out
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "what was there", func() bool { return strings.Contains(out.String(), "> GET /page") })
	g.get(t, c, &key, "/env")
	until(t, "what came", func() bool {
		return strings.Contains(out.String(), "> GET /env") && strings.Contains(out.String(), "[masked:")
	})
	g.weir(t, "sessions", "kill", id)
	if err := watch.Wait(); err != nil || !strings.Contains(out.String(), "── end: ended by") {
		t.Errorf("%v\n%s", err, out)
	}
	g.keep([]byte(out.String()))

	if out := g.weir(t, "sessions", "show", id); !strings.Contains(out, "GET /page") || !strings.Contains(out, "200 OK") || !strings.Contains(out, "masked") {
		t.Error(out)
	}
	if out := g.weir(t, "sessions", "search", "get /PAGE", "--user", "alice", "--since", "1h"); !strings.Contains(out, id) || !strings.Contains(out, "command: GET /page") {
		t.Error(out)
	}
	if out, code := g.try(t, nil, "sessions", "search", "no such text anywhere", "--data-dir", g.data); code != 1 || !strings.Contains(out, "nothing was found") {
		t.Error(code, out)
	}
	for _, f := range []string{"asciicast-v2", "asciicast-v3"} {
		if out := g.weir(t, "sessions", "export", id, "--format", f); !strings.Contains(out, `"m", "GET /page"`) {
			t.Error(out)
		}
	}
	if out := g.weir(t, "sessions", "export", id, "--format", "text", "--exchange", "1"); strings.Contains(out, "/env") || !strings.Contains(out, "/page") {
		t.Error(out)
	}

	// Somebody else may neither watch nor find it, and does not learn that it exists.
	env := []string{"WEIR_TOKEN=" + morgan, "WEIR_URL=" + g.url, "WEIR_CA=" + filepath.Join(g.data, "ca.pem")}
	for _, args := range [][]string{{"sessions", "watch", id}, {"sessions", "show", id}, {"sessions", "replay", id}} {
		if out, code := g.try(t, env, args...); code != 1 || !strings.Contains(out, "there is no session of that id") {
			t.Errorf("%v: %d %s", args, code, out)
		}
	}
	if out, code := g.try(t, env, "sessions", "search", "page"); code != 1 || !strings.Contains(out, "nothing was found") {
		t.Error(code, out)
	}
	req, _ := http.NewRequest("GET", g.url+"/api/v1/search/sessions?text=page", nil)
	if a := g.do(t, c, req); a.StatusCode != 401 {
		t.Error("a search by nobody:", a.StatusCode)
	}
	audit := g.weir(t, "audit", "ls", "--limit", "1000")
	for _, want := range []string{"session.watch", "recording.search", "recording.read"} {
		if !strings.Contains(audit, want) {
			t.Errorf("no %s in the audit log", want)
		}
	}
	g.sweep(t)
}
