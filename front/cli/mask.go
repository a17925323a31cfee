package cli

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

type maskCmd struct {
	Files    []string `arg:"" optional:"" help:"Files to read, one after the other; standard input when there is none." type:"existingfile"`
	Format   string   `help:"How the input is laid out: ${enum}." enum:"auto,text,json,form,xml,html,sse,terminal" default:"auto"`
	Field    []string `help:"Another name whose values are secret; may be repeated." placeholder:"NAME"`
	Disable  []string `help:"A detector not to use; may be repeated." placeholder:"KIND"`
	Personal []string `help:"A kind of personal data to mask, too, or all; may be repeated." placeholder:"KIND"`
	Summary  bool     `help:"Tell on standard error how many values of which kind were masked."`
	ExitCode int      `help:"Exit code when anything was masked, for checks in CI." default:"0" placeholder:"N"`
}

func (c *maskCmd) Run(g *Globals) error {
	if c.ExitCode < 0 || c.ExitCode > 125 {
		return usage("--exit-code is a number from 0 to 125")
	}
	counts := map[string]int{}
	read := func(in io.Reader) error {
		got, err := g.local.Mask(g.streams.Out, in, c.Format, c.Field, c.Disable, c.Personal)
		for kind, n := range got {
			counts[kind] += n
		}
		return err
	}
	if len(c.Files) == 0 {
		if err := read(g.streams.In); err != nil {
			return err
		}
	}
	for _, name := range c.Files {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		err = read(file)
		_ = file.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if c.Summary {
		for _, kind := range slices.Sorted(maps.Keys(counts)) {
			say(g.streams.Err, "%6d %s", counts[kind], kind)
		}
	}
	if len(counts) > 0 && c.ExitCode != 0 {
		return &quiet{code: c.ExitCode}
	}
	return nil
}
