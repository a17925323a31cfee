package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir"
	"weir/mask"
	"weir/mask/known"
	"weir/server"
)

// enough is the processor time after which a measurement ends.
const enough = time.Second

// processorTime is what this process has used so far, on all cores.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// speed is how many MB in a second of processor time f, which is given the text in pieces, takes. The first pieces are a warm-up.
func speed(t *testing.T, text []byte, piece int, f func(piece []byte)) float64 {
	t.Helper()
	for at := 0; at < len(text) && at < 1<<20; at += piece {
		f(text[at:min(at+piece, len(text))])
	}
	n, start := 0, processorTime(t)
	for processorTime(t)-start < enough {
		for at := 0; at < len(text); at += piece {
			f(text[at:min(at+piece, len(text))])
			if n += min(piece, len(text)-at); at/(1<<20) != (at+piece)/(1<<20) && processorTime(t)-start > enough {
				break
			}
		}
	}
	return float64(n) / 1e6 / (processorTime(t) - start).Seconds()
}

// streamSpeed masks the text as a stream that is written to in pieces.
func streamSpeed(t *testing.T, m *mask.Masker, in input, piece int) float64 {
	t.Helper()
	w, err := m.Stream(io.Discard, weir.Shape{Format: in.format}, &weir.Tally{})
	if err != nil {
		t.Fatal(err)
	}
	return speed(t, in.text, piece, func(p []byte) {
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	})
}

// blockSpeed masks each block of 64 KB for itself.
func blockSpeed(t *testing.T, m *mask.Masker, in input) float64 {
	t.Helper()
	var out []byte
	return speed(t, in.text, 64<<10, func(p []byte) { out = m.Value(out[:0], "", p, &weir.Tally{}) })
}

// cellSpeed masks cells of a result with three columns.
func cellSpeed(t *testing.T, m *mask.Masker, in input) float64 {
	t.Helper()
	c, col := m.Columns([]weir.Column{{Name: "id"}, {Name: "title"}, {Name: "note"}}), 0
	return speed(t, in.text, cellSize, func(p []byte) {
		if _, change := c.Cell(nil, col, p, nil); change != weir.Unchanged {
			t.Fatalf("%q is no secret", p)
		}
		col = (col + 1) % 3
	})
}

// masked is how many values of the input are masked.
func masked(t *testing.T, m *mask.Masker, in input) int {
	t.Helper()
	tally := &weir.Tally{}
	w, err := m.Stream(io.Discard, weir.Shape{Format: in.format}, tally)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(in.text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return tally.Total()
}

// maskers are what is measured: with nothing held, and with 1,000 secrets.
func maskers(t *testing.T) (plain, holding *mask.Masker) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(3, 5))
	engine, err := mask.New(mask.Config{Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	entries := make([]known.Entry, 1000)
	for i := range entries {
		value := make([]byte, 24)
		for k := range value {
			value[k] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/&\"<"[rnd.IntN(67)]
		}
		entries[i] = known.Entry{Name: fmt.Sprintf("held-%d", i), Value: value}
	}
	set, _, err := known.Build(entries)
	if err != nil {
		t.Fatal(err)
	}
	return engine.Masker(), engine.Masker(set)
}

// peer is what the other program printed.
type peer struct {
	tool   string
	speed  []float64 // by input
	values map[string][]string
}

// runPeer builds and runs test/peers.
func runPeer(t *testing.T, dir, corpus string) (*peer, error) {
	t.Helper()
	args := []string{"run", ".", dir}
	if corpus != "" {
		args = append(args, corpus)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stderr = "peers", os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("test/peers: %w", err)
	}
	p := &peer{values: map[string][]string{}}
	for line := range bytes.Lines(out) {
		var r struct {
			Tool, ID       string
			Values         []string
			Bytes, Seconds float64
		}
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, err
		}
		switch {
		case r.Tool != "":
			p.tool = r.Tool
		case r.ID != "":
			p.values[r.ID] = r.Values
		default:
			p.speed = append(p.speed, r.Bytes/1e6/r.Seconds)
		}
	}
	return p, nil
}

// TestBenchPeers measures masking against other tools on the same inputs, in MB per second of processor time, and prints the tables of
// docs/benchmarks.md. With WEIR_CORPUS it scores them, too. make bench runs it.
func TestBenchPeers(t *testing.T) {
	if os.Getenv("WEIR_BENCH") == "" {
		t.Skip("make bench runs it")
	}
	dir, all := t.TempDir(), inputs(t)
	writeInputs(t, dir, all)
	corpus := os.Getenv("WEIR_CORPUS")
	t.Log("building and running test/peers, which takes a minute or two")
	other, err := runPeer(t, dir, corpus)
	if err != nil {
		t.Error(err) // the table is printed without it
		other = &peer{tool: "none"}
	}
	plain, holding := maskers(t)
	var table strings.Builder
	fmt.Fprintf(&table, "\n| MB per CPU second | Weir, 64 KB blocks | 64 KB writes | 16 KB | 1,400 B | 64 KB, 1,000 secrets held | %s, 64 KB blocks | Weir ÷ it |\n", other.tool)
	table.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for i, in := range all {
		ours, block := measured(t, plain, holding, in)
		table.WriteString(ours)
		if i < len(other.speed) {
			fmt.Fprintf(&table, " %s | %.0f |\n", figure(other.speed[i]), block/other.speed[i])
		} else {
			table.WriteString(" – | – |\n")
		}
	}
	t.Log(table.String())
	if corpus != "" {
		t.Log(scores(t, corpus, other))
	}
}

// measured is a row of the table as far as it is Weir's, and the speed to compare with others.
func measured(t *testing.T, plain, holding *mask.Masker, in input) (row string, whole float64) {
	t.Helper()
	if in.format == weir.FormatUnknown {
		t.Log("masking " + in.name)
		whole = cellSpeed(t, plain, in)
		return fmt.Sprintf("| %s | %s | – | – | – | %s, in cells |", in.name, figure(whole), figure(cellSpeed(t, holding, in))), whole
	}
	t.Logf("masking %s: %d secrets", in.name, masked(t, plain, in))
	blocks, stream := "–", streamSpeed(t, plain, in, 64<<10)
	if whole = stream; in.format == weir.FormatText { // JSON in pieces is none
		whole = blockSpeed(t, plain, in)
		blocks = figure(whole)
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |", in.name, blocks, figure(stream), figure(streamSpeed(t, plain, in, 16<<10)),
		figure(streamSpeed(t, plain, in, 1400)), figure(streamSpeed(t, holding, in, 64<<10))), whole
}

func figure(f float64) string {
	if f < 10 {
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.0f", f)
}

// labelled is a row of a corpus.
type labelled struct {
	ID, Text, Kind string
	Secrets        [][3]any // start, end, type
	Disputed       bool
	PartialLabels  bool `json:"partial_labels"` // only one of its secrets is labelled: other findings prove nothing
}

// score is how well a tool does.
type score struct{ secrets, caught, right, wrong int }

// add counts a row. hidden are the bytes that the tool would mask.
func (s *score) add(row *labelled, hidden []bool) {
	labels := make([]bool, len(row.Text))
	for _, x := range row.Secrets {
		start, end := int(x[0].(float64)), int(x[1].(float64))
		n := 0
		for i := start; i < end; i++ {
			labels[i] = true
			if hidden[i] {
				n++
			}
		}
		s.secrets++
		if float64(n) >= 0.95*float64(end-start) {
			s.caught++
		}
	}
	for i := 0; i < len(hidden); i++ {
		if !hidden[i] {
			continue
		}
		hit := false
		for ; i < len(hidden) && hidden[i]; i++ {
			hit = hit || labels[i]
		}
		switch {
		case hit:
			s.right++
		case !row.PartialLabels:
			s.wrong++
		}
	}
}

func (s *score) row(name string) string {
	return fmt.Sprintf("| %s | %.3f | %.3f |\n", name, float64(s.caught)/float64(s.secrets), float64(s.right)/float64(max(1, s.right+s.wrong)))
}

// scores lets Weir mask the corpus and counts for both.
func scores(t *testing.T, corpus string, other *peer) string {
	t.Helper()
	file, err := os.Open(corpus)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	filter, err := server.NewFilter(server.FilterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var ours, theirs score
	rows := 0
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var row labelled
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		if row.Disputed {
			continue
		}
		rows++
		hidden := make([]bool, len(row.Text))
		_, err := filter.Copy(io.Discard, strings.NewReader(row.Text), "", func(f weir.Finding) error {
			for i := f.Start; i < f.End; i++ {
				hidden[i] = true
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", row.ID, err)
		}
		ours.add(&row, hidden)
		hidden = make([]bool, len(row.Text))
		for _, v := range other.values[row.ID] {
			for at := 0; v != ""; {
				i := strings.Index(row.Text[at:], v)
				if i < 0 {
					break
				}
				for k := range v {
					hidden[at+i+k] = true
				}
				at += i + len(v)
			}
		}
		theirs.add(&row, hidden)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("\n| %d rows, %d secrets | recall | precision |\n| --- | --- | --- |\n", rows, ours.secrets) + ours.row("Weir") + theirs.row(other.tool)
}
