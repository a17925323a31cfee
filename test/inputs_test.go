package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"weir"
)

// input is what is measured. Its text is the same in every run, but for the Go source, which is the toolchain's.
type input struct {
	name   string
	format weir.Format // unknown: cells of a result, each of cellSize bytes
	text   []byte
}

const (
	ordinarySize = 32 << 20
	hostileSize  = 4 << 20
	lineSize     = 100 << 20
	cellSize     = 40
	stretch      = 64 << 10 // so much of one kind of text comes in a row, in bytes
)

// inputs makes all inputs.
func inputs(t *testing.T) []input {
	source := goSource(t)
	repeat := func(s string) []byte { return bytes.Repeat([]byte(s), hostileSize/len(s)) }
	depth := 5000
	object, array := strings.Repeat(`{"a":`, depth)+"1"+strings.Repeat("}", depth), strings.Repeat("[", depth)+"1"+strings.Repeat("]", depth)
	return []input{
		{"clean", weir.FormatText, ordinary(source, 0, true)},
		{"mixed, a secret in 64 KB", weir.FormatText, ordinary(source, 64<<10, true)},
		{"dense, a secret in 2 KB", weir.FormatText, ordinary(source, 2<<10, true)},
		{"JSON logs, clean", weir.FormatJSON, ordinary(nil, 0, false)},
		{"JSON logs, a secret in 64 KB", weir.FormatJSON, ordinary(nil, 64<<10, false)},
		{"JSON logs, a secret in 2 KB", weir.FormatJSON, ordinary(nil, 2<<10, false)},
		{"cells of 40 bytes, clean", weir.FormatUnknown, cells()},
		{"hostile: token=token=…", weir.FormatText, repeat("token=")},
		{"hostile: heads of keys without an end", weir.FormatText, repeat("-----BEGIN RSA PRIVATE KEY-----\n")},
		{"hostile: prefixes back to back", weir.FormatText, repeat("ghp_AKIAglpat-xoxb-sk_live_eyJ")},
		{"hostile: http://a:…", weir.FormatText, repeat("http://a:")},
		{"hostile: bare names", weir.FormatText, repeat("password secret token api_key ")},
		{"hostile: JSON 5,000 deep", weir.FormatJSON, repeat(object + "\n" + array + "\n")},
		{"one line of 100 MB", weir.FormatText, bytes.Repeat([]byte("an ordinary line without an end, 4711 times "), lineSize/44)},
	}
}

// writeInputs stores inputs for other programs: a file each, and their names in index.json.
func writeInputs(t *testing.T, dir string, all []input) {
	t.Helper()
	names := make([]string, len(all))
	for i, in := range all {
		names[i] = fmt.Sprintf("%02d", i)
		if err := os.WriteFile(filepath.Join(dir, names[i]), in.text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	index, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "index.json"), index, 0o600); err != nil {
		t.Fatal(err)
	}
}

// goSource is source of the standard library, without tests: those hold keys.
func goSource(t *testing.T) []byte {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	tree := os.DirFS(filepath.Join(strings.TrimSpace(string(root)), "src"))
	for _, dir := range []string{"bufio", "bytes", "encoding", "fmt", "go", "image", "io", "net/http", "os", "reflect", "regexp", "runtime", "sort", "strings", "text", "time"} {
		err := fs.WalkDir(tree, dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && d.Name() == "testdata" {
				return fs.SkipDir
			}
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := fs.ReadFile(tree, path)
			all = append(all, text...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 4<<20 {
		t.Fatalf("only %d bytes of source", len(all))
	}
	return all
}

// ordinary makes text: a third JSON logs, a third rows of SQL, a sixth each shell output and source; or JSON logs alone. Unless every is 0, a secret
// stands in every so many bytes.
func ordinary(source []byte, every int, mixed bool) []byte {
	w := &writing{rnd: rand.New(rand.NewPCG(7, 11)), source: source, every: every, next: every / 2}
	kinds := []func(){w.log}
	if mixed {
		kinds = []func(){w.log, w.row, w.shell, w.log, w.row, w.code}
	}
	for i := 0; len(w.out) < ordinarySize; i++ {
		for end := len(w.out) + stretch; len(w.out) < end; {
			kinds[i%len(kinds)]()
		}
	}
	return w.out
}

// cells are those of an ordinary result, one behind the other.
func cells() []byte {
	w := &writing{rnd: rand.New(rand.NewPCG(13, 17))}
	for len(w.out) < hostileSize {
		cell := fmt.Sprintf("%s of %s has %s order %d of %d", w.one(peopleNames), w.one(placeNames), w.one(stateNames), w.rnd.IntN(1e6), w.rnd.IntN(1e6))
		w.out = append(w.out, (cell + strings.Repeat(" ", cellSize))[:cellSize]...)
	}
	return w.out
}

// writing is text in the making.
type writing struct {
	rnd    *rand.Rand
	out    []byte
	source []byte
	at     int // in source
	every  int
	next   int // where the next secret is due
}

var (
	peopleNames = []string{"Ada Lovelace", "Grace Hopper", "Alan Turing", "Edsger Dijkstra", "Barbara Liskov", "Donald Knuth", "Frances Allen", "Tony Hoare"}
	placeNames  = []string{"Turin", "Lagos", "Osaka", "Quito", "Oslo", "Pune", "Perth", "Lyon"}
	stateNames  = []string{"shipped", "pending", "returned", "cancelled", "delivered", "on hold"}
	pathNames   = []string{"orders", "customers", "invoices", "products", "reports", "health", "search", "articles"}
)

func (w *writing) one(of []string) string { return of[w.rnd.IntN(len(of))] }

func (w *writing) addf(format string, args ...any) { w.out = fmt.Appendf(w.out, format, args...) }

// random makes n characters.
func (w *writing) random(n int, alphabet string) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[w.rnd.IntN(len(alphabet))]
	}
	return string(b)
}

// due returns a secret and what it is called when the place of the next one is reached. No two are alike and none was ever anyone's.
func (w *writing) due() (name, secret string, ok bool) {
	const upper, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	all := upper + strings.ToLower(upper) + digits
	if w.every == 0 || len(w.out) < w.next {
		return "", "", false
	}
	w.next += w.every
	switch w.rnd.IntN(5) {
	case 0:
		return "password", w.random(14, all), true
	case 1:
		return "github", "ghp_" + w.random(36, all), true
	case 2:
		return "access_key", "AKIA" + w.random(16, upper+"234567"), true
	case 3:
		return "database_url", "postgres://app:" + w.random(16, all) + "@db.internal:5432/app", true
	}
	return "api_key", "sk_live_" + w.random(24, all), true
}

func (w *writing) log() {
	w.addf(`{"time":"2026-0%d-1%dT0%d:4%d:%02d.%03dZ","level":"info","logger":"http","msg":"request served","method":"GET","path":"/%s/%d","status":%d,"bytes":%d,"ms":%d.%d,"user":%q,"city":%q`,
		1+w.rnd.IntN(9), w.rnd.IntN(10), w.rnd.IntN(10), w.rnd.IntN(10), w.rnd.IntN(60), w.rnd.IntN(1000), w.one(pathNames), w.rnd.IntN(1e6), 200+w.rnd.IntN(5),
		w.rnd.IntN(1e5), w.rnd.IntN(300), w.rnd.IntN(10), w.one(peopleNames), w.one(placeNames))
	if name, secret, ok := w.due(); ok {
		w.addf(`,%q:%q`, name, secret)
	}
	w.addf(",\"items\":[%d,%d,%d],\"cached\":%v}\n", w.rnd.IntN(100), w.rnd.IntN(100), w.rnd.IntN(100), w.rnd.IntN(2) == 0)
}

func (w *writing) row() {
	w.addf("INSERT INTO orders (id, customer, city, status, total, note) VALUES (%d, '%s', '%s', '%s', %d.%02d, 'leave it at the door');\n",
		w.rnd.IntN(1e7), w.one(peopleNames), w.one(placeNames), w.one(stateNames), w.rnd.IntN(1000), w.rnd.IntN(100))
	w.addf(" %9d | %-18s | %-8s | %-10s | %7d.%02d | 2026-0%d-1%d 0%d:00:00+00\n", w.rnd.IntN(1e7), w.one(peopleNames), w.one(placeNames), w.one(stateNames),
		w.rnd.IntN(1000), w.rnd.IntN(100), 1+w.rnd.IntN(9), w.rnd.IntN(10), w.rnd.IntN(10))
	if name, secret, ok := w.due(); ok {
		w.addf("INSERT INTO settings (name, value) VALUES ('x', '%s=%s');\n", name, secret)
	}
}

func (w *writing) shell() {
	switch w.rnd.IntN(4) {
	case 0:
		w.addf("-rw-r--r--  1 app  staff  %8d Jan %2d 0%d:4%d %s-%d.txt\n", w.rnd.IntN(1e8), 1+w.rnd.IntN(28), w.rnd.IntN(10), w.rnd.IntN(10), w.one(pathNames), w.rnd.IntN(1000))
	case 1:
		w.addf("app      %6d  0.%d  1.%d %7d %6d ?        Ss   0%d:00   0:0%d /usr/bin/worker --queue %s --jobs %d\n", w.rnd.IntN(1e5), w.rnd.IntN(10), w.rnd.IntN(10),
			w.rnd.IntN(1e7), w.rnd.IntN(1e6), w.rnd.IntN(10), w.rnd.IntN(10), w.one(pathNames), w.rnd.IntN(16))
	case 2:
		w.addf("/dev/sda%d       %9d %9d %9d  %2d%% /srv/%s\n", w.rnd.IntN(9), w.rnd.IntN(1e9), w.rnd.IntN(1e9), w.rnd.IntN(1e9), w.rnd.IntN(100), w.one(pathNames))
	case 3:
		w.addf("%s * %s: tidy up the list of %s (%d files changed)\n", w.random(7, "0123456789abcdef"), w.one(pathNames), w.one(stateNames), w.rnd.IntN(50))
	}
	if name, secret, ok := w.due(); ok {
		w.addf("export %s=%s\n", strings.ToUpper(name), secret)
	}
}

// code takes the next line of the source.
func (w *writing) code() {
	n := bytes.IndexByte(w.source[w.at:], '\n') + 1
	if n == 0 {
		w.at = 0
		return
	}
	w.out = append(w.out, w.source[w.at:w.at+n]...)
	w.at += n
	if name, secret, ok := w.due(); ok {
		w.addf("\tconst %s = %q\n", name, secret)
	}
}
