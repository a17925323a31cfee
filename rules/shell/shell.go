// Package shell tells what a line of shell text would run, without running it: every simple command in it, those of pipes,
// lists, substitutions and bodies, and those behind sudo, env, sh -c, xargs, ssh and their like.
//
// It must never leave out a command that a POSIX shell or bash would run: what it cannot read is Unclear, and what depends on
// variables, input or text made while it runs is Dynamic. It knows no aliases, functions or files of the target. Pure; safe for
// concurrent use. It takes time linear in the text, whatever the text is.
package shell

import (
	"path"
	"slices"
	"strings"

	"weir"
)

// Bounds. Text beyond them is Unclear.
const (
	MaxBytes = 64 << 10 // of the text
	maxDepth = 40       // of commands inside commands, and of constructs inside constructs
	maxSteps = 24       // steps for each byte of the text
)

// Parse reads a command line as a POSIX shell or bash would. The result is never nil and shares no memory that is written later.
func Parse(text string) *weir.ShellUse {
	c := &collector{use: &weir.ShellUse{}}
	if len(text) > MaxBytes {
		c.unclear("it is longer than 64 KiB")
		return c.use
	}
	c.steps = maxSteps*len(text) + 4096
	c.code(text, 0, nil)
	slices.Sort(c.use.Files)
	c.use.Files = slices.Compact(c.use.Files)
	return c.use
}

// collector gathers what all texts and commands inside one another do.
type collector struct {
	use   *weir.ShellUse
	steps int    // that may still be taken
	dir   string // where cd went; "" when it did not
}

func (c *collector) unclear(why string) {
	if c.use.Unclear == "" {
		c.use.Unclear = why
	}
}

// spend takes n steps and reports whether there were as many.
func (c *collector) spend(n int) bool {
	if c.steps -= n; c.steps < 0 {
		c.unclear("it holds too much inside too little")
		return false
	}
	return true
}

// code reads text as commands; in feeds the standard input of those that read it.
func (c *collector) code(text string, depth int, in *input) {
	if depth > maxDepth {
		c.unclear("it is nested too deeply")
		return
	}
	if strings.IndexByte(text, 0) >= 0 {
		c.unclear("it holds a NUL byte")
		return
	}
	if !c.spend(len(text)) {
		return
	}
	p := &parser{c: c, src: text, depth: depth, outer: in}
	if closer := p.list(); closer != "" {
		p.fail("a stray " + closer)
	}
}

// input is what a command's standard input is made of, as far as the text says.
type input struct {
	texts  []string // here-strings that were read already
	dyn    bool     // one of them holds expansions
	heres  []*heredoc
	isFile bool // < FILE
}

// asCode makes what is read from the standard input count as commands.
func (c *collector) asCode(in *input, depth int) {
	if in == nil || in.isFile || len(in.texts) == 0 && len(in.heres) == 0 {
		c.use.Dynamic = true
		return
	}
	c.use.Dynamic = c.use.Dynamic || in.dyn
	for _, t := range in.texts {
		c.code(t, depth+1, nil)
	}
	for _, h := range in.heres {
		h.code = true
	}
}

// file notes a word that may name a file, in the forms that a path may be hidden in.
func (c *collector) file(w string) {
	if w == "" || w == "-" {
		return
	}
	c.addFile(w)
	if w[0] == '-' {
		if i := strings.IndexAny(w, "/~"); i > 0 && w[i-1] != '=' { // -i/etc/x
			c.addFile(w[i:])
		}
	}
	if i := strings.IndexAny(w, "=:@"); i >= 0 && i+1 < len(w) {
		rest := strings.TrimLeft(w[i+1:], "=:@")
		if after, ok := strings.CutPrefix(rest, "//"); ok { // file://host/path
			if j := strings.IndexByte(after, '/'); j >= 0 {
				rest = after[j:]
			}
		}
		c.addFile(rest)
		if j := strings.LastIndexAny(rest, "=:@"); j >= 0 {
			c.addFile(rest[j+1:])
		}
	}
}

func (c *collector) addFile(w string) {
	if w == "" || !c.spend(len(w)) {
		return
	}
	c.use.Files = append(c.use.Files, w)
	clean := path.Clean(w)
	if clean != w {
		c.use.Files = append(c.use.Files, clean)
	}
	if c.dir != "" && w[0] != '/' && w[0] != '~' && w[0] != '-' && c.spend(len(c.dir)) {
		c.use.Files = append(c.use.Files, path.Join(c.dir, w))
	}
}

// chdir notes that commands after this one may run elsewhere.
func (c *collector) chdir(w string) {
	switch {
	case w == "" || w == "-":
	case w[0] == '/' || w[0] == '~' || c.dir == "":
		c.dir = path.Clean(w)
	case len(c.dir)+len(w) < 4096:
		c.dir = path.Join(c.dir, w)
	}
}
