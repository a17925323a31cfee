// Command peers measures other tools on the inputs of Weir's own benchmark, and lets them search a labelled corpus. It is a module of its own, so that
// what they need does not become part of Weir's.
//
// It reads a directory with index.json, a list of inputs, and their files, which TestBenchPeers writes, and prints one JSON object a line on
// standard output; what it is doing goes to standard error. It must never be given real secrets: findings of a corpus are printed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/zricethezav/gitleaks/v8/detect"
	"github.com/zricethezav/gitleaks/v8/logging"
)

// block is how much is searched at once, in bytes; limit is the processor time after which a measurement ends.
const (
	block = 64 << 10
	limit = 4 * time.Second
)

// result is the measurement of one input.
type result struct {
	Input    string  `json:"input"`
	Bytes    int     `json:"bytes"`   // that were searched
	Seconds  float64 `json:"seconds"` // of processor time, user and system
	Findings int     `json:"findings"`
}

// found is what a tool finds in a row of the corpus.
type found struct {
	ID     string   `json:"id"`
	Values []string `json:"values"`
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: peers DIR [CORPUS]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(dir string, corpus []string) error {
	logging.Logger = logging.Logger.Level(zerolog.Disabled)
	detector, err := detect.NewDetectorDefaultConfig()
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(map[string]string{"tool": "gitleaks " + version()}); err != nil {
		return err
	}
	index, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		return err
	}
	var names []string
	if err := json.Unmarshal(index, &names); err != nil {
		return err
	}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "gitleaks searches %s\n", name)
		if err := out.Encode(measure(detector, name, string(text))); err != nil {
			return err
		}
	}
	for _, name := range corpus {
		if err := search(detector, name, out); err != nil {
			return err
		}
	}
	return nil
}

// measure searches as many blocks as the limit allows, the first one a time before as a warm-up.
func measure(d *detect.Detector, name, text string) result {
	d.DetectString(text[:min(block, len(text))])
	r := result{Input: name}
	start := processorTime()
	for at := 0; at < len(text) && processorTime()-start < limit; at += block {
		piece := text[at:min(at+block, len(text))]
		r.Findings += len(d.DetectString(piece))
		r.Bytes += len(piece)
	}
	r.Seconds = (processorTime() - start).Seconds()
	return r
}

// search looks through the rows of a labelled corpus.
func search(d *detect.Detector, name string, out *json.Encoder) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var row struct{ ID, Text string }
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return err
		}
		f := found{ID: row.ID, Values: []string{}}
		for _, x := range d.DetectString(row.Text) {
			f.Values = append(f.Values, x.Secret)
		}
		if err := out.Encode(f); err != nil {
			return err
		}
	}
	return lines.Err()
}

// processorTime is what the process has used so far, on all cores.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/zricethezav/gitleaks/v8" {
				return m.Version
			}
		}
	}
	return "of unknown version"
}
