package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/service"
)

// proxyMain is a plain httputil.ReverseProxy as a process of its own.
func proxyMain(listen, target string) {
	u, err := url.Parse(target)
	if err != nil {
		panic(err)
	}
	p := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }, Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}}
	panic(http.ListenAndServe(listen, p))
}

const small = `{"id":4711,"customer":{"name":"Ada","city":"Turin","tier":"gold"},"items":[{"sku":"A-1","qty":2,"price":"19.90"},{"sku":"B-7","qty":1,"price":"5.00"}],"status":"shipped","note":"leave it at the door","updated":"2026-01-02T03:04:05Z","links":{"self":"/orders/4711","invoice":"/invoices/815"}}`

// TestBench measures requests and bodies through Weir against direct access and other relays, all in one run. make bench runs it.
func TestBench(t *testing.T) {
	if os.Getenv("WEIR_BENCH") == "" {
		t.Skip("make bench runs it")
	}
	for _, p := range []string{"nginx", "wrk"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Fatalf("%s is missing; make bench installs it", p)
		}
	}
	dir := t.TempDir()
	target, relay, filter, proxy := freePort(t), freePort(t), freePort(t), freePort(t)
	row := `{"id":1234567,"name":"an ordinary row of an ordinary table","status":"shipped","note":"nothing to see here"},` + "\n"
	big := "[" + strings.Repeat(row, (10<<20)/len(row)) + "{}]"
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var subs, others strings.Builder
	// Twenty secrets as they are held in practice: of their own lengths, with nothing in common. nginx replaces them, Weir holds them.
	r := rand.New(rand.NewPCG(20, 20))
	env := append(os.Environ(), "HELD="+held)
	var secrets []string
	for n := range 20 {
		secret := make([]byte, 12+r.IntN(29))
		for i := range secret {
			secret[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[r.IntN(62)]
		}
		fmt.Fprintf(&subs, "sub_filter '%s' '[masked]';\n", secret)
		fmt.Fprintf(&others, "- {name: other%d, protocol: http, address: 'http://127.0.0.1:%d', credential: {bearer: {env: OTHER%d}}}\n", n, target, n)
		env, secrets = append(env, fmt.Sprintf("OTHER%d=%s", n, secret)), append(secrets, string(secret))
	}
	with := func(every int) string { // one of the secrets in each so many rows
		var body strings.Builder
		for n, line := range strings.SplitAfter(big, "\n") {
			if n%every == every-1 {
				line = strings.Replace(line, "nothing to see here", secrets[n/every%20], 1)
			}
			body.WriteString(line)
		}
		return body.String()
	}
	for name, body := range map[string]string{"big.json": big, "hundredth.json": with(100), "each.json": with(1)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	user := "" // nginx as root would read as nobody
	if os.Getuid() == 0 {
		user = "user root;"
	}
	conf := fmt.Sprintf(`%[7]s worker_processes 2; daemon off; pid %[1]s/nginx.pid; error_log stderr crit;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 1000000; client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
types { application/json json; } default_type application/json; proxy_http_version 1.1; proxy_set_header Connection "";
upstream t { server 127.0.0.1:%[2]d; keepalive 64; keepalive_requests 1000000; }
server { listen 127.0.0.1:%[2]d; location = /small.json { return 200 '%[5]s'; } location / { root %[1]s; } }
server { listen 127.0.0.1:%[3]d; location / { proxy_pass http://t; } }
server { listen 127.0.0.1:%[4]d; location / { proxy_pass http://t; proxy_set_header Accept-Encoding ""; sub_filter_types application/json; sub_filter_once off; %[6]s } } }
`, dir, target, relay, filter, small, subs.String(), user)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, exec.Command("nginx", "-c", filepath.Join(dir, "nginx.conf"), "-p", dir))
	self := exec.Command(os.Args[0])
	self.Env = append(os.Environ(), fmt.Sprintf("WEIR_BENCH_PROXY=127.0.0.1:%d http://127.0.0.1:%d", proxy, target))
	run(t, self)
	g := &gateway{dir: dir, data: filepath.Join(dir, "data"), config: filepath.Join(dir, "weir.yaml"), log: &buffer{}}
	web := freePort(t)
	g.url = fmt.Sprintf("http://localhost:%d", web)
	g.write(t, fmt.Sprintf("data_dir: data\nlisten: {web: '127.0.0.1:%d'}\ntls: {off: true}\nresources:\n- {name: b, protocol: http, address: 'http://127.0.0.1:%d', credential: {bearer: {env: HELD}}}\n%sgrants: [{users: [alice], resources: ['*'], for: 1h}]\n", web, target, others.String()))
	weir := exec.Command(binary, "serve", "--config", g.config)
	weir.Env, weir.Stderr = env, g.log
	run(t, weir)
	for _, p := range []int{target, relay, filter, proxy, web} {
		until(t, "a listener", func() bool {
			c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p))
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		})
	}
	until(t, "the admin socket", func() bool { _, err := os.Stat(filepath.Join(g.data, "admin.sock")); return err == nil })
	g.weir(t, "users", "add", "alice")
	var key service.Access
	if err := json.Unmarshal([]byte(g.weir(t, "access", "b", "--as", "alice", "-o", "json")), &key); err != nil {
		t.Fatal(err)
	}
	at := func(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }
	ways := []struct{ name, base string }{
		{"direct", at(target)}, {"nginx", at(relay)}, {"nginx, 20 sub_filter", at(filter)}, {"httputil.ReverseProxy", at(proxy)}, {"weir", at(web) + "/r/b"},
	}
	n := len(ways)
	rates, p99s, mbs, hundredths, each := make([][]float64, n), make([][]float64, n), make([][]float64, n), make([][]float64, n), make([][]float64, n)
	// The ways take turns, so that what else the machine does falls on all of them.
	for round := range 5 {
		for i, w := range ways {
			if round == 0 {
				if out, err := exec.Command("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Authorization: Bearer "+key.Secret, w.base+"/small.json").CombinedOutput(); err != nil || string(out) != "200" {
					body, _ := exec.Command("curl", "-sS", "-H", "Authorization: Bearer "+key.Secret, w.base+"/small.json").CombinedOutput()
					t.Errorf("%s: %v %s %s", w.name, err, out, body)
				}
				if w.name == "weir" || strings.Contains(w.name, "sub_filter") {
					body, err := exec.Command("curl", "-sS", "-H", "Authorization: Bearer "+key.Secret, w.base+"/each.json").Output()
					if n := bytes.Count(body, []byte("[masked")); err != nil || n != strings.Count(big, "\n") {
						t.Errorf("%s masks %d secrets: %v", w.name, n, err)
					}
				}
			}
			rate, p99, _ := wrk(t, w.base+"/small.json", key.Secret, 32)
			_, _, mb := wrk(t, w.base+"/big.json", key.Secret, 32)
			_, _, hundredth := wrk(t, w.base+"/hundredth.json", key.Secret, 32)
			_, _, all := wrk(t, w.base+"/each.json", key.Secret, 32)
			rates[i], p99s[i], mbs[i], hundredths[i], each[i] = append(rates[i], rate), append(p99s[i], p99), append(mbs[i], mb), append(hundredths[i], hundredth), append(each[i], all)
		}
	}
	var table strings.Builder
	fmt.Fprintf(&table, "\n| way | small JSON, requests/s | p99 | 10 MB JSON, MB/s | with a secret in each hundredth row | in each row |\n| --- | --- | --- | --- | --- | --- |\n")
	for i, w := range ways {
		fmt.Fprintf(&table, "| %s | %.0f | %.2f ms | %.0f | %.0f | %.0f |\n", w.name, middle(rates[i]), middle(p99s[i]), middle(mbs[i]), middle(hundredths[i]), middle(each[i]))
	}
	quotients := func(of, by [][]float64, a, b int) (all []float64) {
		for i := range of[a] {
			all = append(all, of[a][i]/by[b][i])
		}
		return all
	}
	fmt.Fprintf(&table, "\nsmall, Weir ÷ ReverseProxy by round: %.2f\n10 MB, Weir ÷ nginx with sub_filter by round: %.2f\nwith a secret in each hundredth row: %.2f\nin each row: %.2f\n", quotients(rates, rates, 4, 3), quotients(mbs, mbs, 4, 2), quotients(hundredths, hundredths, 4, 2), quotients(each, each, 4, 2))
	t.Log(table.String())
}

// run starts a process and ends it with the test.
func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		done := make(chan struct{})
		go func() { _ = cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
	})
}

func middle(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// wrk measures one URL for two seconds, after a warm-up: requests and MB a second, and milliseconds.
func wrk(t *testing.T, url, secret string, conns int) (rate, p99, mb float64) {
	t.Helper()
	args := []string{"-t1", "-c" + strconv.Itoa(conns), "--latency", "-H", "Authorization: Bearer " + secret, url}
	_ = exec.Command("wrk", append([]string{"-d1s"}, args...)...).Run()
	out, err := exec.Command("wrk", append([]string{"-d2s"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("wrk: %v %s", err, out)
	}
	if strings.Contains(string(out), "Non-2xx") {
		t.Errorf("%s: %s", url, out)
	}
	field := func(pattern string) string {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(string(out)); m != nil {
			return m[1]
		}
		return ""
	}
	rate, _ = strconv.ParseFloat(field(`Requests/sec:\s+([\d.]+)`), 64)
	n := field(`Transfer/sec:\s+([\d.]+\w+)`)
	mb, _ = strconv.ParseFloat(strings.TrimRight(n, "KMGB"), 64)
	switch {
	case strings.HasSuffix(n, "GB"):
		mb *= 1024
	case strings.HasSuffix(n, "KB"):
		mb /= 1024
	}
	late, _ := time.ParseDuration(field(`99%\s+([\d.]+\w+)`))
	return rate, late.Seconds() * 1000, mb
}
