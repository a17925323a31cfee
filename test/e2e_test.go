package test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"weir/evidence/record"
	"weir/service"
)

// TestMainJob is the way of a new user: a debug endpoint masked, a forbidden path blocked, a risky one held, and the recording of it all.
func TestMainJob(t *testing.T) {
	needs(t, "curl")
	g := start(t, nil)
	alice, morgan := g.people(t)
	key := g.access(t, "debug", "alice")
	c := g.client(t)

	t.Run("curl", func(t *testing.T) {
		// The command that weir prints, with a path at its end, through a shell.
		out, err := exec.Command("sh", "-c", key.Command+"debug/vars -sS -i").CombinedOutput()
		g.keep(out)
		if err != nil || !strings.Contains(string(out), "[masked:") || !strings.Contains(string(out), "memstats") || !strings.Contains(string(out), " 200") {
			t.Errorf("%v %.400s", err, out)
		}
	})

	t.Run("masked", func(t *testing.T) {
		for _, path := range []string{"/debug/vars", "/env", "/actuator/env", "/echo", "/events", "/encodings", "/page", "/config.xml", "/config.yaml", "/cookie", "/debug/pprof/cmdline"} {
			a := g.get(t, c, &key, path)
			if a.StatusCode != 200 || a.body == "" {
				t.Errorf("%s: %d %.200s", path, a.StatusCode, a.body)
			}
			if path != "/debug/pprof/cmdline" && path != "/cookie" && !strings.Contains(a.body, "[masked:") {
				t.Errorf("%s: nothing is masked: %.300s", path, a.body)
			}
		}
		if a := g.get(t, c, &key, "/env"); a.ProtoMajor != 2 {
			t.Errorf("protocol %s", a.Proto)
		}
	})

	t.Run("blocked", func(t *testing.T) {
		for path, rule := range map[string]string{"/admin/reload": "no-admin", "/x/..%2fadmin/reload": "no-admin", "/actuator/heapdump": "catalog:"} {
			a := g.get(t, c, &key, path)
			p := decode[map[string]any](t, a.body)
			if a.StatusCode != 403 || !strings.HasPrefix(fmt.Sprint(p["rule"]), rule) || p["request_id"] == "" {
				t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
			}
		}
	})

	t.Run("held", func(t *testing.T) {
		done := make(chan answer, 1)
		go func() { done <- g.get(t, c, &key, "/crash") }()
		id := g.pending(t, "GET /crash")
		as := func(token string) []string {
			return []string{"WEIR_TOKEN=" + token, "WEIR_URL=" + g.url, "WEIR_CA=" + filepath.Join(g.data, "ca.pem")}
		}
		if out, code := g.try(t, as(alice), "requests", "approve", id); code != 1 || !strings.Contains(out, "of their own") {
			t.Errorf("alice approves her own request: %d %s", code, out)
		}
		if out, code := g.try(t, as(morgan), "requests", "approve", id, "--comment", "go on"); code != 0 || !strings.Contains(out, "morgan agreed") {
			t.Errorf("morgan: %d %s", code, out)
		}
		a := <-done
		if a.StatusCode != 500 || !strings.Contains(a.body, "goroutine") {
			t.Errorf("after approval: %d %.200s", a.StatusCode, a.body)
		}
	})

	t.Run("nobody approves", func(t *testing.T) {
		req, _ := http.NewRequest("DELETE", g.url+"/r/debug/thing", nil)
		req.SetBasicAuth(key.Login, key.Secret)
		a := g.do(t, c, req)
		p := decode[map[string]any](t, a.body)
		if a.StatusCode != 403 || p["type"] != "urn:weir:problem:approval-required" || !strings.Contains(a.body, "send the same request again after approval") {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
		g.weir(t, "requests", "deny", fmt.Sprint(p["request_id"]))
		if a := g.do(t, c, req); a.StatusCode != 403 {
			t.Errorf("after a no: %d", a.StatusCode)
		}
	})

	t.Run("websocket", func(t *testing.T) {
		h := http.Header{}
		h.Set("Authorization", "Bearer "+key.Secret)
		ws, _, err := websocket.Dial(t.Context(), strings.Replace(g.url, "https", "wss", 1)+"/r/debug/ws", &websocket.DialOptions{HTTPClient: c, HTTPHeader: h})
		if err != nil {
			t.Fatal(err)
		}
		defer ws.CloseNow()
		_, first, err := ws.Read(t.Context())
		if err != nil || !bytes.Contains(first, []byte("[masked:")) {
			t.Errorf("%s %v", first, err)
		}
		g.keep(first)
		if err := ws.Write(t.Context(), websocket.MessageText, []byte("hello, there")); err != nil {
			t.Fatal(err)
		}
		if _, msg, err := ws.Read(t.Context()); err != nil || string(msg) != "hello, there" {
			t.Errorf("%q %v", msg, err)
		}
		ws.Close(websocket.StatusNormalClosure, "")
	})

	t.Run("let in", func(t *testing.T) {
		var bodies []string
		for _, who := range []struct{ resource, login, secret string }{
			{"debug", "", ""}, {"debug", key.Login, "weir_wrong"}, {"other", key.Login, key.Secret}, {"nonesuch", key.Login, key.Secret},
		} {
			req, _ := http.NewRequest("GET", g.url+"/r/"+who.resource+"/env", nil)
			if who.login != "" {
				req.SetBasicAuth(who.login, who.secret)
			}
			a := g.do(t, c, req)
			if a.StatusCode != 401 {
				t.Errorf("%+v: %d %s", who, a.StatusCode, a.body)
			}
			p := decode[map[string]any](t, a.body)
			bodies = append(bodies, fmt.Sprint(p["title"], p["detail"]))
		}
		if bodies[2] != bodies[3] {
			t.Errorf("forbidden and unknown look different: %q %q", bodies[2], bodies[3])
		}
	})

	t.Run("explained", func(t *testing.T) {
		out := g.weir(t, "explain", "debug", "GET /actuator/heapdump", "--as", "alice")
		if !strings.Contains(out, "DENY") || !strings.Contains(out, "catalog:") || !strings.Contains(out, "access    until") {
			t.Error(out)
		}
		if out := g.weir(t, "explain", "debug", "GET /crash", "--as", "alice"); !strings.Contains(out, "APPROVE") || !strings.Contains(out, "1 of managers") {
			t.Error(out)
		}
	})

	t.Run("recorded", func(t *testing.T) {
		all := decode[[]record.Session](t, g.weir(t, "sessions", "ls", "-o", "json"))
		if len(all) == 0 || all[0].Identity != "alice" {
			t.Fatalf("%+v", all)
		}
		text := ""
		for _, s := range all {
			text += g.weir(t, "sessions", "replay", string(s.ID))
			for _, f := range []string{"jsonl", "asciicast", "text"} {
				g.weir(t, "sessions", "export", string(s.ID), "--format", f)
			}
			g.weir(t, "sessions", "show", string(s.ID))
		}
		for _, want := range []string{"> GET /debug/vars", "> GET /crash", "approved by morgan", "REFUSED (denied-by-rule)", "hello, there", "[masked:"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in the recordings", want)
			}
		}
		audit := g.weir(t, "audit", "ls", "--limit", "1000")
		for _, want := range []string{"user.add", "access.issue", "command.hold", "request.approve", "session.start", "login.fail", "recording.read"} {
			if !strings.Contains(audit, want) {
				t.Errorf("no %s in the audit log", want)
			}
		}
		g.weir(t, "audit", "export")
		if out, code := g.try(t, []string{"WEIR_TOKEN=" + alice, "WEIR_URL=" + g.url, "WEIR_CA=" + filepath.Join(g.data, "ca.pem")}, "audit", "ls"); code != 1 {
			t.Errorf("alice reads the audit log: %s", out)
		}
	})

	t.Run("operated", func(t *testing.T) {
		for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/metrics": "weir_masked_total", "/api/v1/openapi.json": `"openapi":"3.1`, "/": "Weir"} {
			req, _ := http.NewRequest("GET", g.url+path, nil)
			if a := g.do(t, c, req); a.StatusCode != 200 || !strings.Contains(a.body, want) {
				t.Errorf("%s: %d %.200s", path, a.StatusCode, a.body)
			}
		}
	})

	t.Run("revoked", func(t *testing.T) {
		g.weir(t, "keys", "rm", key.Login)
		deadline := time.Now().Add(time.Second)
		for {
			a := g.get(t, c, &key, "/env")
			if a.StatusCode == 401 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("a revoked key still works: %d", a.StatusCode)
			}
		}
		for _, s := range decode[[]record.Session](t, g.weir(t, "sessions", "ls", "--state", "live", "-o", "json")) {
			if s.Method == "access_key" {
				t.Errorf("%s lives on", s.ID)
			}
		}
	})

	t.Run("verified", func(t *testing.T) {
		if out := g.weir(t, "verify"); !strings.Contains(out, "The evidence is whole.") {
			t.Error(out)
		}
		g.stop(t)
		if out := g.weir(t, "verify"); !strings.Contains(out, "The evidence is whole.") {
			t.Error(out)
		}
		path := filepath.Join(g.data, "journal", "sessions", "00000001.seg")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[700] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, code := g.try(t, nil, "verify", "--data-dir", g.data); code != 1 || !strings.Contains(out, "CHANGED") {
			t.Errorf("%d %s", code, out)
		}
	})
	g.sweep(t)
}

// pending waits for a held request and returns its id.
func (g *gateway) pending(t *testing.T, command string) string {
	t.Helper()
	for range 100 {
		for _, r := range decode[[]service.Request](t, g.weir(t, "requests", "ls", "--state", "pending", "-o", "json")) {
			if r.Command == command {
				return string(r.ID)
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("no request is pending")
	return ""
}

func TestReload(t *testing.T) {
	g := start(t, nil)
	g.people(t)
	key := g.access(t, "debug", "alice")
	c := g.client(t)
	if a := g.get(t, c, &key, "/page"); a.StatusCode != 200 {
		t.Fatal(a.StatusCode)
	}
	text, _ := os.ReadFile(g.config)
	g.write(t, string(text)+"  - {name: no-page, match: {paths: [/page]}, then: deny}\n")
	_ = g.cmd.Process.Signal(syscall.SIGHUP)
	until(t, "the new rule", func() bool { return g.get(t, c, &key, "/page").StatusCode == 403 })
	// A broken configuration changes nothing.
	g.write(t, string(text)+"  - {name: oops}\n")
	_ = g.cmd.Process.Signal(syscall.SIGHUP)
	until(t, "the complaint", func() bool { return strings.Contains(g.log.String(), "stays in force") })
	if a := g.get(t, c, &key, "/page"); a.StatusCode != 403 {
		t.Error("the old rules are gone")
	}
	// A grant that is taken away ends sessions.
	g.write(t, strings.Replace(string(text), "groups: [developers]", "groups: [nobody]", 1))
	_ = g.cmd.Process.Signal(syscall.SIGHUP)
	until(t, "the end of access", func() bool { return g.get(t, c, &key, "/env").StatusCode == 401 })
	g.sweep(t)
}

func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for range 100 {
		if f() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("waited for %s in vain", what)
}

// TestKillLosesNothing kills the gateway in the middle of traffic: what the target was asked is in the evidence.
func TestKillLosesNothing(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]bool{}
	g := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path] = true
		mu.Unlock()
		_, _ = io.WriteString(w, "fine\n")
	}))
	g.people(t)
	key := g.access(t, "debug", "alice")
	c := g.client(t)
	var n atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				req, _ := http.NewRequest("GET", fmt.Sprintf("%s/r/debug/n/%d", g.url, n.Add(1)), nil)
				req.SetBasicAuth(key.Login, key.Secret)
				if resp, err := c.Do(req); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}
		})
	}
	time.Sleep(700 * time.Millisecond)
	_ = g.cmd.Process.Kill()
	<-g.exited
	close(stop)
	wg.Wait()
	if out, code := g.try(t, nil, "verify", "--data-dir", g.data); code != 0 {
		t.Errorf("before recovery: %s", out)
	}
	g.serve(t)
	recorded := ""
	for _, s := range decode[[]record.Session](t, g.weir(t, "sessions", "ls", "-o", "json")) {
		if s.State != record.Interrupted {
			t.Errorf("%s is %s", s.ID, s.State)
		}
		recorded += g.weir(t, "sessions", "export", string(s.ID))
	}
	mu.Lock()
	defer mu.Unlock()
	for path := range asked {
		if !strings.Contains(recorded, `"GET `+path+`"`) {
			t.Errorf("%s ran and is not recorded", path)
		}
	}
	t.Logf("%d requests ran before the kill", len(asked))
	if len(asked) < 50 {
		t.Error("too few to mean anything")
	}
	if out := g.weir(t, "verify"); !strings.Contains(out, "whole") {
		t.Error(out)
	}
}

// TestMemoryStaysBounded reads a body of one GiB through the gateway.
func TestMemoryStaysBounded(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	g := start(t, nil)
	g.people(t)
	key := g.access(t, "debug", "alice")
	c := g.client(t)
	g.get(t, c, &key, "/big?mb=1")
	before := rss(t, g.cmd.Process.Pid)
	req, _ := http.NewRequest("GET", g.url+"/r/debug/big?mb=1024", nil)
	req.SetBasicAuth(key.Login, key.Secret)
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	peak, total := before, int64(0)
	buf := make([]byte, 256<<10)
	for i := 0; ; i++ {
		n, err := resp.Body.Read(buf)
		total += int64(n)
		if bytes.Contains(buf[:n], []byte("CANARYdb")) {
			t.Fatal("a secret in the stream")
		}
		if i%512 == 0 {
			peak = max(peak, rss(t, g.cmd.Process.Pid))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d MiB read, memory grew by %d KiB", total>>20, peak-before)
	if total < 1000<<20 || peak-before > 64<<10 {
		t.Errorf("read %d MiB, memory grew by %d KiB", total>>20, peak-before)
	}
}

// rss is a process's resident memory in KiB.
func rss(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			n, _ := strconv.Atoi(f[1])
			return n
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

func TestBadInput(t *testing.T) {
	g := &gateway{dir: t.TempDir()}
	cfg := filepath.Join(g.dir, "weir.yaml")
	port := freePort(t)
	base := fmt.Sprintf("data_dir: %s\nlisten: {web: \"127.0.0.1:%d\"}\n", filepath.Join(g.dir, "data"), port)
	res := "resources:\n- {name: a, protocol: http, address: 'http://127.0.0.1:1'"
	file := filepath.Join(g.dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	busy := start(t, nil)
	for name, c := range map[string]struct {
		config string
		args   []string
		code   int
		want   string
	}{
		"unknown key":         {config: base + "lissen: {}\n", code: 1, want: `weir.yaml:3: top level: unknown key "lissen"; did you mean "listen"?`},
		"two resources":       {config: base + res + "}\n- {name: a, protocol: http, address: 'http://t'}\n", code: 1, want: "line 4 has a resource of that name"},
		"literal credential":  {config: base + res + ", credential: {bearer: CANARYdb}}\n", code: 1, want: "never written into this file"},
		"missing credential":  {config: base + res + ", credential: {bearer: {env: NO_SUCH_VARIABLE}}}\n", code: 1, want: "resource a: the environment variable NO_SUCH_VARIABLE is not set"},
		"busy port":           {config: "data_dir: d2\nlisten: {web: \"127.0.0.1:" + busy.url[strings.LastIndex(busy.url, ":")+1:] + "\"}\n", code: 1, want: "is in use; stop the other process"},
		"data dir is a file":  {config: "data_dir: " + file + "\n", code: 1, want: "choose another"},
		"second gateway":      {config: fmt.Sprintf("data_dir: %s\nlisten: {web: \"127.0.0.1:%d\"}\n", busy.data, port), code: 1, want: "journal"},
		"no configuration":    {args: []string{"serve", "--config", "none.yaml"}, code: 1, want: "weir config sample"},
		"unknown command":     {args: []string{"frobnicate"}, code: 2, want: "weir --help"},
		"unknown flag":        {args: []string{"users", "--frob"}, code: 2, want: "unknown flag"},
		"no gateway":          {args: []string{"users", "ls", "--data-dir", g.dir}, code: 1, want: "no gateway answers"},
		"which gateway":       {args: []string{"users", "ls"}, code: 2, want: "which gateway?"},
		"two gateways":        {args: []string{"users", "ls", "--data-dir", "x", "--url", "https://y"}, code: 2, want: "give one of them"},
		"token in clear text": {args: []string{"whoami", "--url", "http://example.com"}, code: 2, want: "token"},
		"unreachable gateway": {args: []string{"whoami", "--url", "https://127.0.0.1:1"}, code: 1, want: "cannot be reached"},
		"nothing to verify":   {args: []string{"verify", "--data-dir", g.dir}, code: 1, want: "journal.pub"},
		"no such session":     {args: []string{"sessions", "show", "ses_none", "--data-dir", busy.data}, code: 1, want: "there is no session of that id"},
		"no such user":        {args: []string{"access", "debug", "--as", "nobody", "--data-dir", busy.data}, code: 1, want: "nobody"},
		"bad duration":        {args: []string{"access", "debug", "--as", "x", "--ttl", "8", "--data-dir", busy.data}, code: 1, want: "45m, 8h or 30d"},
		"bad command":         {args: []string{"explain", "debug", "SELECT 1", "--data-dir", busy.data}, code: 1, want: "is written like"},
	} {
		t.Run(name, func(t *testing.T) {
			args, env := c.args, []string{"WEIR_TOKEN="}
			if c.config != "" {
				if err := os.WriteFile(cfg, []byte(c.config), 0o600); err != nil {
					t.Fatal(err)
				}
				args = []string{"serve", "--config", cfg}
			}
			if name == "unreachable gateway" || name == "token in clear text" {
				env = []string{"WEIR_TOKEN=weir_x"}
			}
			out, code := g.try(t, env, args...)
			if code != c.code || !strings.Contains(out, c.want) {
				t.Errorf("exit %d, want %d; %q, want %q", code, c.code, out, c.want)
			}
			if strings.Contains(out, "goroutine ") || strings.Contains(out, "CANARY") {
				t.Errorf("a trace or a credential: %s", out)
			}
		})
	}
}

func TestCorruptJournal(t *testing.T) {
	g := start(t, nil)
	g.people(t)
	key := g.access(t, "debug", "alice")
	g.get(t, g.client(t), &key, "/env")
	g.stop(t)
	path := filepath.Join(g.data, "journal", "sessions", "00000001.seg")
	b, _ := os.ReadFile(path)
	b[600] ^= 4
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := g.try(t, []string{"HELD=" + held}, "serve", "--config", g.config)
	if code != 1 || !strings.Contains(out, "is damaged") || strings.Contains(out, "goroutine ") {
		t.Errorf("%d %s", code, out)
	}
}

// TestDemo is make run.
func TestDemo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	cmd := exec.Command(binary, "demo", "--output", "json", "--listen", "127.0.0.1:0", "--data-dir", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	line, err := bufio.NewReaderSize(out, 64<<10).ReadSlice(10)
	if err != nil {
		t.Fatal(err)
	}
	d := decode[struct {
		Web, CA   string
		DataDir   string `json:"data_dir"`
		Resources []struct{ Name, Protocol, Command, Login, Secret string }
	}](t, string(line))
	if d.DataDir != dir || len(d.Resources) == 0 || d.Resources[0].Protocol != "http" || d.Resources[0].Secret == "" {
		t.Fatalf("%+v", d)
	}
	if _, err := exec.LookPath("curl"); err == nil {
		body, err := exec.Command("sh", "-c", d.Resources[0].Command+"debug/vars -sS").CombinedOutput()
		if err != nil || !bytes.Contains(body, []byte("[masked:")) {
			t.Errorf("%v %.300s", err, body)
		}
	}
	protocols := ""
	for _, r := range d.Resources {
		protocols += r.Protocol + " "
		program, args := "ssh", []string{"cat .env"}
		switch r.Protocol {
		case "http":
			continue
		case "postgres":
			program, args = "psql", []string{"-c", "SELECT * FROM customers LIMIT 2"}
		}
		if _, err := exec.LookPath(program); err != nil {
			continue
		}
		got, err := exec.Command(binary, append([]string{"connect", r.Name, "--as", "alice", "--data-dir", dir, "--"}, args...)...).CombinedOutput()
		if err != nil || !bytes.Contains(got, []byte("[masked:")) || bytes.Contains(got, []byte("sk_live_")) {
			t.Errorf("%s: %v %.600s", r.Name, err, got)
		}
		if r.Protocol == "ssh" {
			copyFromDemo(t, dir, r.Name)
		}
	}
	if !strings.Contains(protocols, "ssh ") {
		t.Errorf("the demo has %s", protocols)
	}
	_ = cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// copyFromDemo follows the guide: setup, certificate, scp.
func copyFromDemo(t *testing.T, dir, host string) {
	t.Helper()
	ssh, file := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	for _, args := range [][]string{
		{binary, "ssh", "setup", "--dir", ssh, "--data-dir", dir}, {binary, "ssh", "cert", "--user", "alice", "--dir", ssh, "--data-dir", dir},
		{"scp", "-F", filepath.Join(ssh, "weir_config"), host + "@weir:.env", file},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	if b, err := os.ReadFile(file); err != nil || !bytes.Contains(b, []byte("DB_PASSWORD=[masked:")) {
		t.Errorf("%q %v", b, err)
	}
}
