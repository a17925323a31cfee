package policy

import (
	"slices"
	"strings"

	"weir"
	"weir/rules/glob"
	"weir/rules/shell"
)

// readOperation is what reading a file by sftp or scp is called.
const readOperation = "GET"

// sshMatch are the compiled keys of Match for SSH.
type sshMatch struct {
	commands            []shell.Pattern
	accounts, addresses []glob.Text
}

// matchesSSH compares the keys for SSH.
func (c *compiled) matchesSSH(s *subject) match {
	r, m := s.cmd.SSH, &c.Match
	if len(m.Channels) > 0 && !slices.Contains(m.Channels, r.Channel) {
		return no
	}
	if len(c.ssh.accounts) > 0 && !anyText(c.ssh.accounts, r.Account) {
		return no
	}
	if len(c.ssh.addresses) > 0 && (r.Address == "" || !compare(c.ssh.addresses, []string{r.Address}, sameWhole, c.Then == weir.Allow)) {
		return no
	}
	if len(c.ssh.commands) == 0 {
		return yes
	}
	if c.Then == weir.Allow {
		return when(c.coversAll(s))
	}
	if r.Shell != nil {
		for i := range r.Shell.Commands {
			for j := range c.ssh.commands {
				if c.ssh.commands[j].Touches(&r.Shell.Commands[i]) {
					return yes
				}
			}
		}
	}
	return c.orMaybe(no, s)
}

// coversAll reports whether every command of the line is surely one of those named, and the line does nothing else.
func (c *compiled) coversAll(s *subject) bool {
	u := s.cmd.SSH.Shell
	if u == nil || s.unclear || s.dynamic || len(u.Commands) == 0 || u.Assign || u.Redirect {
		return false
	}
	for i := range u.Commands {
		if !slices.ContainsFunc(c.ssh.commands, func(p shell.Pattern) bool { return p.Covers(&u.Commands[i]) }) {
			return false
		}
	}
	return true
}

// path compares the paths of requests, or the files that commands and transfers name.
func (c *compiled) path(s *subject) match {
	switch {
	case s.cmd.HTTP != nil:
		return when(c.matchesPath(s, c.Then == weir.Allow))
	case s.cmd.SSH == nil:
		return no
	}
	var files []string
	if u := s.cmd.SSH.Shell; u != nil {
		files = u.Files
	}
	if c.Then == weir.Allow {
		return when(!s.unclear && !s.dynamic && len(files)+len(s.cmd.SSH.Paths) > 0 && c.namesAll(files) && c.namesAll(s.cmd.SSH.Paths))
	}
	named, reads := s.cmd.SSH.Paths, s.cmd.SSH.Reads
	if len(c.Match.Operations) > 0 { // it speaks of what its operations are done to
		if len(reads) > 0 && !c.hasOperation(s.cmd.Operation) {
			named = nil
		}
		if !c.hasOperation(readOperation) {
			reads = nil
		}
	}
	if slices.ContainsFunc(files, c.namesFile) || slices.ContainsFunc(named, c.namesFile) || slices.ContainsFunc(reads, c.namesTree) {
		return yes
	}
	return c.orMaybe(no, s)
}

// namesTree reports whether a file, or one below it, is named by what it is called.
func (c *compiled) namesTree(f string) bool {
	return c.namesFile(f) || slices.ContainsFunc(c.paths, func(p glob.Path) bool { return p.Below(f) })
}

func (c *compiled) namesFile(f string) bool {
	for i := range c.paths {
		if p := &c.paths[i]; p.MatchFold(f) || shell.MayName(p.String(), f) {
			return true
		}
	}
	return false
}

// namesAll reports whether every file is surely one of those that the paths name. A relative one may be anywhere.
func (c *compiled) namesAll(files []string) bool {
	for _, f := range files {
		if strings.Contains(f+"/", "/../") || !slices.ContainsFunc(c.paths, func(p glob.Path) bool {
			return p.Match(f) && (strings.HasPrefix(f, "/") || strings.HasPrefix(p.String(), "**")) && !strings.ContainsAny(f, "$`*?[{")
		}) {
			return false
		}
	}
	return true
}
