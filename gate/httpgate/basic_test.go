package httpgate_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"weir"
	"weir/gate/gatetest"
	"weir/gate/httpgate"
	"weir/vault/secret"
)

const canary = gatetest.Canary

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, body)
	}
}

func TestMasksAndRecords(t *testing.T) {
	r := newRig(t, text("key="+canary+"\n"), rigOptions{})
	a := r.get(t, "/debug/vars?x=1")
	if a.StatusCode != 200 || a.body != "key="+gatetest.Mask+"\n" {
		t.Fatalf("got %d %q", a.StatusCode, a.body)
	}
	if a.ContentLength != int64(len(a.body)) {
		t.Errorf("content length %d, want %d", a.ContentLength, len(a.body))
	}
	if a.Header.Get("Weir-Session") == "" || a.Header.Get("Weir-Request-Id") == "" {
		t.Errorf("headers %v", a.Header)
	}
	eventually(t, "end of exchange", func() bool { return len(r.records(weir.RecordAnswerEnd)) == 1 })
	if got, want := r.controls.Kinds(), "session-start command answer-head answer-body answer-end"; got != want {
		t.Errorf("records %q, want %q", got, want)
	}
	if got := r.records(weir.RecordCommand)[0].Text; got != "GET /debug/vars?x=1" {
		t.Errorf("command %q", got)
	}
	r.controls.Sweep(t, a.body)
}

func TestWaysToAuthenticate(t *testing.T) {
	basic := func(login string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(login+":"+presented))
	}
	for name, c := range map[string]struct {
		header http.Header
		want   http.Header // what the target must see of these
	}{
		"bearer":          {header: http.Header{"Authorization": {"Bearer " + presented}}},
		"bearer, lower":   {header: http.Header{"Authorization": {"bearer " + presented}}},
		"basic key":       {header: http.Header{"Authorization": {basic("res.k1")}}},
		"basic token":     {header: http.Header{"Authorization": {basic("res")}}},
		"host cookie":     {header: http.Header{"Cookie": {"a=b; __Host-weir=" + presented + "; c=d"}}, want: http.Header{"Cookie": {"a=b; c=d"}}},
		"resource cookie": {header: http.Header{"Cookie": {"weir-res=" + presented}}},
		"own header": {
			header: http.Header{"Weir-Authorization": {"Bearer " + presented}, "Authorization": {"Bearer for-the-target"}},
			want:   http.Header{"Authorization": {"Bearer for-the-target"}},
		},
		"own header, same secret twice": {header: http.Header{"Weir-Authorization": {"Bearer " + presented}, "Authorization": {basic("x")}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got seen
			r := newRig(t, got.wrap(text("ok")), rigOptions{})
			req := r.request(t, "GET", "/x", nil)
			req.Header = c.header
			if a := r.do(t, req); a.StatusCode != 200 {
				t.Fatalf("got %d %s", a.StatusCode, a.body)
			}
			saw, _ := got.last(t)
			for _, h := range []string{"Authorization", "Cookie"} {
				if g, w := strings.Join(saw.Header[h], "|"), strings.Join(c.want[h], "|"); g != w {
					t.Errorf("target saw %s %q, want %q", h, g, w)
				}
			}
			sweepRequest(t, saw)
		})
	}
}

// sweepRequest fails if what authenticated to the gateway is anywhere in what the target got.
func sweepRequest(t *testing.T, r *http.Request) {
	t.Helper()
	var b strings.Builder
	_ = r.Write(&b)
	if s := b.String(); strings.Contains(s, presented) || strings.Contains(s, base64.StdEncoding.EncodeToString([]byte(presented))[:12]) {
		t.Errorf("the target got the client's credential: %s", s)
	}
}

func TestCredentialIsInjected(t *testing.T) {
	for name, c := range map[string]struct {
		cred  httpgate.Credential
		check func(*http.Request) bool
	}{
		"none":   {httpgate.Credential{}, func(r *http.Request) bool { return r.Header.Get("Authorization") == "" }},
		"header": {httpgate.HeaderCredential("x-api-key", secret.New(held)), func(r *http.Request) bool { return strings.Join(r.Header["X-Api-Key"], "|") == held }},
		"bearer": {httpgate.BearerCredential(secret.New(held)), func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+held }},
		"basic": {httpgate.BasicCredential("svc", secret.New(held)), func(r *http.Request) bool {
			u, p, ok := r.BasicAuth()
			return ok && u == "svc" && p == held
		}},
		"query":  {httpgate.QueryCredential("key", secret.New(held+"&x")), func(r *http.Request) bool { return r.URL.RawQuery == "a=%41&b&key="+held+"%26x" }},
		"cookie": {httpgate.CookieCredential("sid", secret.New(held)), func(r *http.Request) bool { return r.Header.Get("Cookie") == "a=b; sid="+held }},
	} {
		t.Run(name, func(t *testing.T) {
			var got seen
			r := newRig(t, got.wrap(text("ok")), rigOptions{target: func(tg *httpgate.Target) { tg.Credential = c.cred }})
			a := r.get(t, "/p?a=%41&key=mine&b", "Cookie", "a=b; sid=mine", "X-Api-Key", "mine")
			if a.StatusCode != 200 {
				t.Fatalf("got %d %s", a.StatusCode, a.body)
			}
			saw, _ := got.last(t)
			if !c.check(saw) {
				t.Errorf("target saw %s %v", saw.URL, saw.Header)
			}
			sweepRequest(t, saw)
		})
	}
}

func TestBadTargetsAreRefused(t *testing.T) {
	good := httpgate.HeaderCredential("X", secret.New("v"))
	for name, c := range map[string]httpgate.Credential{
		"empty value":    httpgate.BearerCredential(secret.String{}),
		"empty name":     httpgate.HeaderCredential("", secret.New("v")),
		"hop by hop":     httpgate.HeaderCredential("Connection", secret.New("v")),
		"line break":     httpgate.HeaderCredential("X-Key", secret.New("CANARYvalue\n")),
		"cookie value":   httpgate.CookieCredential("c", secret.New("a;b")),
		"empty query":    httpgate.QueryCredential("q", secret.String{}),
		"host as header": httpgate.HeaderCredential("host", secret.New("v")),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := httpgate.NewTarget(httpgate.Target{URL: mustURL(t, "http://127.0.0.1:1"), RoundTripper: http.DefaultTransport, Credential: c})
			if err == nil || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("error %v", err)
			}
		})
	}
	for _, u := range []string{"ftp://x", "http://user:pw@x", "http://x/?q=1", "http:///x", "http://x/#f"} {
		if _, err := httpgate.NewTarget(httpgate.Target{URL: mustURL(t, u), RoundTripper: http.DefaultTransport, Credential: good}); err == nil || strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: error %v", u, err)
		}
	}
	if _, err := httpgate.NewTarget(httpgate.Target{URL: mustURL(t, "http://x")}); err == nil {
		t.Error("no round tripper, no error")
	}
}
