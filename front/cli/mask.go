package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"weir"
)

// MaskOptions are how weir mask reads.
type MaskOptions struct {
	Format          string
	Fields, Disable []string
	Personal        []string // kinds of personal data, or all
	Config          string   // file whose mask section is used, too; "" is none
}

// MaskFunc copies in to out with all secrets masked and returns how many of each kind there were, whatever the error. name is
// what the input is called; found, when it is not nil, is told of each one in their order, and its error ends the copy.
type MaskFunc func(out io.Writer, in io.Reader, name string, found func(weir.Finding) error) (map[string]int, error)

type maskCmd struct {
	Paths      []string `arg:"" optional:"" name:"path" help:"Files and directories to read; standard input when there is none, and for -."`
	Format     string   `help:"How the input is laid out: ${enum}." enum:"auto,text,json,ndjson,form,xml,html,sse,terminal,yaml,ini,toml,env,properties,csv,log" default:"auto"`
	Report     string   `help:"Print a line for each secret instead of the masked text: ${enum}." enum:"none,json" default:"none"`
	ReportFile string   `help:"Write the report to a file, beside the masked text." placeholder:"FILE" type:"path"`
	To         string   `help:"Write masked copies under a directory." placeholder:"DIR" type:"path"`
	Field      []string `help:"Another name whose values are secret; may be repeated." placeholder:"NAME"`
	Disable    []string `help:"A detector not to use; may be repeated." placeholder:"KIND"`
	Personal   []string `help:"A kind of personal data to mask, too, or all; may be repeated." placeholder:"KIND"`
	Config     string   `help:"Mask as the mask section of a configuration says, detectors of your own included." placeholder:"FILE" type:"path"`
	Summary    bool     `help:"Tell on standard error how many values of which kind were masked."`
	ExitCode   int      `help:"Exit code when anything was masked, for checks in CI." default:"0" placeholder:"N"`
}

// stdinName is what standard input is called, as an argument and in reports.
const stdinName = "-"

// maskRun is one run of weir mask.
type maskRun struct {
	mask   MaskFunc
	in     io.Reader
	out    io.Writer // of masked text; io.Discard when only findings are asked for
	err    io.Writer
	found  func(weir.Finding) error // nil: no report
	copies *copies                  // nil: to out
	counts map[string]int
	binary int  // files left out
	failed bool // some could not be read
}

func (c *maskCmd) Run(g *Globals) error {
	if c.ExitCode < 0 || c.ExitCode > 125 {
		return usage("--exit-code is a number from 0 to 125")
	}
	places, err := c.places()
	if err != nil {
		return err
	}
	m, err := g.local.Mask(MaskOptions{Format: c.Format, Fields: c.Field, Disable: c.Disable, Personal: c.Personal, Config: c.Config})
	if err != nil {
		return usage(err.Error())
	}
	r := &maskRun{mask: m, in: g.streams.In, out: g.streams.Out, err: g.streams.Err, counts: map[string]int{}}
	if c.Report == "json" && c.ReportFile == "" || slices.ContainsFunc(places, func(p place) bool { return p.dir }) {
		r.out = io.Discard
	}
	switch {
	case c.ReportFile != "":
		file, err := os.Create(c.ReportFile)
		if err != nil {
			return usage("the report cannot be written: " + plainError(err))
		}
		defer func() { _ = file.Close() }() // its lines are written one by one
		r.found = reportTo(file)
	case c.Report == "json":
		r.found = reportTo(g.streams.Out)
	}
	if c.To != "" {
		if r.copies, err = newCopies(c.To); err != nil {
			return usage("masked copies cannot be written: " + plainError(err))
		}
		defer r.copies.close()
	}
	for _, p := range places {
		if err := r.place(p); err != nil {
			return err
		}
	}
	return c.end(r)
}

// place is one argument.
type place struct {
	path string
	dir  bool
}

// places looks at all arguments before anything is read.
func (c *maskCmd) places() ([]place, error) {
	if len(c.Paths) == 0 {
		return []place{{path: stdinName}}, nil
	}
	var all []place
	for _, path := range c.Paths {
		if path == stdinName {
			all = append(all, place{path: path})
			continue
		}
		info, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, usage("there is no file or directory " + path)
		}
		if err != nil {
			return nil, usage(path + " cannot be read: " + plainError(err))
		}
		if info.IsDir() {
			if c.Report == "none" && c.ReportFile == "" && c.To == "" && !c.Summary && c.ExitCode == 0 {
				return nil, usage(path + " is a directory: say --report json to list its secrets, or --to DIR to write masked copies")
			}
			if _, err := os.ReadDir(path); err != nil {
				return nil, usage(path + " cannot be read: " + plainError(err))
			}
		}
		all = append(all, place{path: path, dir: info.IsDir()})
	}
	return all, nil
}

// end tells what there was and picks the exit code.
func (c *maskCmd) end(r *maskRun) error {
	if c.Summary {
		for _, kind := range slices.Sorted(maps.Keys(r.counts)) {
			say(r.err, "%6d %s", r.counts[kind], kind)
		}
	}
	if r.binary > 0 && (c.Summary || c.To != "") {
		say(r.err, "%6d binary files were left out", r.binary)
	}
	switch {
	case r.failed:
		return &quiet{code: exitError}
	case len(r.counts) > 0 && c.ExitCode != 0:
		return &quiet{code: c.ExitCode}
	}
	return nil
}

// reportTo returns what writes a finding as a line.
func reportTo(w io.Writer) func(weir.Finding) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return func(f weir.Finding) error { return enc.Encode(f) }
}

// plainError leaves out what was tried and on which path.
func plainError(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// stream masks one input to w.
func (r *maskRun) stream(w io.Writer, in io.Reader, name string) error {
	got, err := r.mask(w, in, name, r.found)
	for kind, n := range got {
		r.counts[kind] += n
	}
	return err
}

// wrong tells of a file that could not be masked; the rest goes on.
func (r *maskRun) wrong(name string, err error) {
	r.failed = true
	_, _ = fmt.Fprintf(r.err, "weir: %s: %s\n", name, plainError(err))
}
