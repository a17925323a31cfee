package httpgate_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/gate/gatetest"
	"weir/gate/httpgate"
)

func TestEventStream(t *testing.T) {
	next := make(chan string)
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		rc := http.NewResponseController(w)
		_ = rc.Flush()
		for {
			select {
			case e, ok := <-next:
				if !ok {
					return
				}
				_, _ = io.WriteString(w, "data: "+e+"\n\n")
				_ = rc.Flush()
			case <-req.Context().Done():
				return
			}
		}
	}), rigOptions{})
	resp, err := r.client().Do(r.request(t, "GET", "/events", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 || len(r.records(weir.RecordAnswerHead)) != 1 {
		t.Fatalf("got %d; %s: the head comes before the first event, recorded", resp.StatusCode, r.controls.Kinds())
	}
	br := bufio.NewReader(resp.Body)
	for i := range 3 { // each event arrives before the next one is made
		next <- fmt.Sprint(i, " ", canary)
		line, err := br.ReadString('\n')
		if want := fmt.Sprintf("data: %d %s\n", i, gatetest.Mask); err != nil || line != want {
			t.Fatalf("got %q %v, want %q", line, err, want)
		}
		_, _ = br.ReadString('\n')
	}
	close(next)
	if rest, err := io.ReadAll(br); err != nil || len(rest) > 0 {
		t.Errorf("rest %q %v", rest, err)
	}
	r.controls.Sweep(t)
}

func TestEventStreamThatIsNone(t *testing.T) {
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(coded(t, []byte(canary), "gzip"))
	}), rigOptions{})
	resp, err := r.client().Do(r.request(t, "GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err == nil || len(b) > 0 {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestChunksArriveAsTheyAreSent(t *testing.T) {
	for _, coding := range []string{"", "gzip"} {
		t.Run(coding, func(t *testing.T) {
			more := make(chan bool)
			r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				_, _ = io.WriteString(w, "first line\n")
				_ = http.NewResponseController(w).Flush()
				<-more
				_, _ = io.WriteString(w, "second line\n")
			}), rigOptions{})
			resp, err := r.client().Do(r.request(t, "GET", "/", nil))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			br := bufio.NewReader(resp.Body)
			if line, err := br.ReadString('\n'); line != "first line\n" {
				t.Fatalf("got %q %v", line, err)
			}
			close(more)
			if line, err := br.ReadString('\n'); line != "second line\n" {
				t.Fatalf("got %q %v", line, err)
			}
		})
	}
}

func TestSessionEndCutsAStream(t *testing.T) {
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "first line\n")
		_ = http.NewResponseController(w).Flush()
		<-req.Context().Done()
	}), rigOptions{})
	resp, err := r.client().Do(r.request(t, "GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	br := bufio.NewReader(resp.Body)
	_, _ = br.ReadString('\n')
	r.gate.End(func(*weir.SessionInfo) bool { return true }, "killed")
	if _, err := io.ReadAll(br); err == nil {
		t.Error("the client took a cut answer for whole")
	}
}

func TestAnswerBeforeTheBodyHasEnded(t *testing.T) {
	for _, tls := range []bool{false, true} {
		t.Run(fmt.Sprint("tls ", tls), func(t *testing.T) {
			r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_ = http.NewResponseController(w).EnableFullDuplex() // or net/http reads on before it answers
				w.Header().Set("Content-Type", "text/plain")
				w.WriteHeader(413)
				_, _ = io.WriteString(w, "too large")
			}), rigOptions{tls: tls})
			pr, pw := io.Pipe()
			defer pw.Close()
			go func() { _, _ = pw.Write(make([]byte, 100<<10)) }() // and then nothing more: the client stalls
			req := r.request(t, "POST", "/", pr)
			resp, err := r.client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if b, _ := io.ReadAll(resp.Body); resp.StatusCode != 413 || string(b) != "too large" {
				t.Errorf("got %d %q", resp.StatusCode, b)
			}
			eventually(t, "end", func() bool { return len(r.records(weir.RecordAnswerEnd)) == 1 })
		})
	}
}

func TestEchoWhileSending(t *testing.T) {
	for _, tls := range []bool{false, true} {
		t.Run(fmt.Sprint("tls ", tls), func(t *testing.T) {
			r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				_ = http.NewResponseController(w).EnableFullDuplex()
				w.Header().Set("Content-Type", "text/plain")
				buf := make([]byte, 32<<10)
				for {
					n, err := req.Body.Read(buf)
					_, _ = w.Write(buf[:n])
					_ = http.NewResponseController(w).Flush()
					if err != nil {
						return
					}
				}
			}), rigOptions{tls: tls})
			want := strings.Repeat("0123456789abcdef", 64<<10)
			req := r.request(t, "POST", "/", strings.NewReader(want))
			req.ContentLength = -1
			if a := r.do(t, req); a.err != nil || a.body != want {
				t.Errorf("got %d bytes of %d, %v", len(a.body), len(want), a.err)
			}
		})
	}
}

func TestSlowReaderIsCutOff(t *testing.T) {
	ended := make(chan struct{})
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		defer close(ended)
		w.Header().Set("Content-Type", "text/plain")
		chunk := []byte(strings.Repeat("x", 64<<10))
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}), rigOptions{options: func(o *httpgate.Options) { o.WriteTimeout = 200 * time.Millisecond }})
	conn, err := net.Dial("tcp", r.web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /r/res/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+presented+"\r\n\r\n")
	select { // it reads nothing
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("a client that does not read holds the target for ever")
	}
}

// rss is the resident memory of this process in bytes.
func rss(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc/self/statm here")
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

func TestConstantMemory(t *testing.T) {
	size := int64(1 << 30)
	if testing.Short() {
		size = 64 << 20
	}
	line := []byte(strings.Repeat(`{"level":"info","msg":"nothing to see here","n":123456}`+"\n", 1<<10))
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		n, _ := io.Copy(io.Discard, req.Body)
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("X-Got", strconv.FormatInt(n, 10))
		w.WriteHeader(200)
		for sent := int64(0); req.Method == "GET" && sent < size; sent += int64(len(line)) {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	}), rigOptions{})
	r.get(t, "/warm-up", "X-Y", "1")
	runtime.GC()
	debug.FreeOSMemory()
	before := rss(t)
	peak := before
	resp, err := r.client().Do(r.request(t, "GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf := make([]byte, 1<<20)
	var total int64
	for i := 0; ; i++ {
		n, err := resp.Body.Read(buf)
		if total += int64(n); i%512 == 0 {
			peak = max(peak, rss(t))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if total < size {
		t.Fatalf("got %d bytes", total)
	}
	req := r.request(t, "POST", "/", io.LimitReader(repeated{line}, size/4))
	if a := r.do(t, req); a.Header.Get("X-Got") != strconv.FormatInt(size/4, 10) {
		t.Errorf("target got %s bytes", a.Header.Get("X-Got"))
	}
	peak = max(peak, rss(t))
	if grown := peak - before; grown > 64<<20 {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
}

// repeated reads the same bytes for ever.
type repeated struct{ b []byte }

func (r repeated) Read(p []byte) (int, error) { return copy(p, r.b), nil }
