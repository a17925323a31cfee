package catalog

import (
	"errors"
	"slices"
	"strings"

	"weir"
	"weir/rules/glob"
	"weir/rules/shell"
)

// SSHFacts are the conditions of an entry for SSH. It matches when a command or a file does, and all else that it names.
type SSHFacts struct {
	Commands  []string `yaml:"commands"`  // patterns of rules/shell: their words, in their order, stand in a command
	Through   []string `yaml:"through"`   // names of commands, one of which stands in the line that names a file of paths
	Alone     []string `yaml:"alone"`     // commands with exactly these words
	Channels  []string `yaml:"channels"`  // any of
	Addresses []string `yaml:"addresses"` // patterns of host:port of forwarded connections
}

func (f *SSHFacts) any() bool {
	return len(f.Commands)+len(f.Through)+len(f.Alone)+len(f.Channels)+len(f.Addresses) > 0
}

type sshMatch struct{ addresses []glob.Text }

// command is a pattern of an entry.
type command struct {
	entry   *Entry
	pattern shell.Pattern
	alone   bool
}

// sshIndex finds the entries that a request may match.
type sshIndex struct {
	byName map[string][]*command // by the command's name
	any    []*command            // those whose name holds a wildcard
	files  []*Entry
	other  []*Entry // by channel and address only
}

func (c *Catalog) addSSH(e *Entry) error {
	f := &e.SSH
	if len(e.Paths) == 0 && !f.any() || len(e.Methods)+len(e.Hosts)+len(e.Query) > 0 || e.SQL.any() {
		return errors.New("conditions are missing, or other keys are there that ssh does not have")
	}
	if len(f.Through) > 0 && (len(e.Paths) == 0 || len(f.Commands)+len(f.Alone) > 0) {
		return errors.New("through asks for paths, and for no commands")
	}
	var err error
	if e.paths, err = paths(e.Paths); err != nil {
		return err
	}
	if e.ssh.addresses, err = texts(f.Addresses); err != nil {
		return err
	}
	for i, text := range slices.Concat(f.Commands, f.Alone) {
		p, err := shell.CompilePattern(text)
		if err != nil {
			return err
		}
		cmd := &command{entry: e, pattern: p, alone: i >= len(f.Commands)}
		if name, ok := p.Name(); ok {
			c.ssh.byName[name] = append(c.ssh.byName[name], cmd)
		} else {
			c.ssh.any = append(c.ssh.any, cmd)
		}
	}
	switch {
	case len(e.paths) > 0:
		c.ssh.files = append(c.ssh.files, e)
	case len(f.Commands)+len(f.Alone) == 0:
		c.ssh.other = append(c.ssh.other, e)
	}
	return nil
}

// MatchSSH returns the entries that a request matches, in no order.
func (c *Catalog) MatchSSH(r *weir.SSHRequest) []*Entry {
	if r == nil {
		return nil
	}
	var hits []*Entry
	add := func(e *Entry) {
		if !slices.Contains(hits, e) && e.reaches(r) {
			hits = append(hits, e)
		}
	}
	for _, e := range c.ssh.other {
		add(e)
	}
	var files []string
	if u := r.Shell; u != nil {
		files = u.Files
		for i := range u.Commands {
			x := &u.Commands[i]
			for _, list := range [][]*command{c.ssh.byName[x.Name], c.ssh.any} {
				for _, cmd := range list {
					if cmd.pattern.Touches(x) && (!cmd.alone || len(strings.Fields(cmd.pattern.String())) == len(x.Words)) {
						add(cmd.entry)
					}
				}
			}
		}
	}
	for _, list := range [][]string{files, r.Paths} {
		for _, name := range list {
			c.file(name, add)
		}
	}
	for _, name := range r.Reads {
		c.file(name, add)
		for _, e := range c.ssh.files {
			if e.below(name) {
				add(e)
			}
		}
	}
	return hits
}

// below reports whether the entry speaks of a file below name by what name is.
func (e *Entry) below(name string) bool {
	return slices.ContainsFunc(e.paths, func(p glob.Path) bool { return p.Below(name) })
}

func (c *Catalog) file(name string, add func(*Entry)) {
	for _, e := range c.ssh.files {
		for i := range e.paths {
			if p := &e.paths[i]; p.MatchFold(name) || shell.MayName(p.String(), name) {
				add(e)
				break
			}
		}
	}
}

// reaches reports whether the channel and the address are what the entry asks for.
func (e *Entry) reaches(r *weir.SSHRequest) bool {
	f := &e.SSH
	if len(f.Through) > 0 && (r.Shell == nil || !slices.ContainsFunc(r.Shell.Commands, e.through)) {
		return false
	}
	if len(f.Channels) > 0 && !slices.Contains(f.Channels, r.Channel) {
		return false
	}
	return len(e.ssh.addresses) == 0 || slices.ContainsFunc(e.ssh.addresses, func(g glob.Text) bool { return g.MatchFold(r.Address) })
}

// through reports whether a command is one that the entry's files must go through.
func (e *Entry) through(c weir.ShellCommand) bool { return slices.Contains(e.SSH.Through, c.Name) }

// Touched returns what of a request the entry speaks of.
func (e *Entry) Touched(r *weir.SSHRequest) (commands []*weir.ShellCommand, files []string) {
	var all []string
	if u := r.Shell; u != nil {
		for i := range u.Commands {
			for _, text := range slices.Concat(e.SSH.Commands, e.SSH.Alone) {
				if p, err := shell.CompilePattern(text); err == nil && p.Touches(&u.Commands[i]) {
					commands = append(commands, &u.Commands[i])
					break
				}
			}
			if e.through(u.Commands[i]) {
				commands = append(commands, &u.Commands[i])
			}
		}
		all = u.Files
	}
	for _, name := range slices.Concat(all, r.Paths) {
		if slices.ContainsFunc(e.paths, func(p glob.Path) bool { return p.MatchFold(name) || shell.MayName(p.String(), name) }) {
			files = append(files, name)
		}
	}
	for _, name := range r.Reads {
		if !slices.Contains(files, name) && e.below(name) {
			files = append(files, strings.TrimSuffix(name, "/")+"/**") // which only a pattern of all below it names
		}
	}
	return commands, files
}
