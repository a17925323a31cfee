package cli

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// place masks one argument. An error ends the run: the output cannot be written.
func (r *maskRun) place(p place) error {
	switch {
	case p.path == stdinName:
		return r.stream(r.out, r.in, stdinName)
	case p.dir:
		return r.tree(p.path)
	}
	file, err := os.Open(p.path)
	if err != nil {
		r.wrong(p.path, err)
		return nil
	}
	defer func() { _ = file.Close() }() // only read
	return r.file(file, p.path, filepath.Base(p.path))
}

// tree masks all files below a directory, in the order of their names. It follows no link, and nothing outside is ever opened.
func (r *maskRun) tree(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		r.wrong(dir, err)
		return nil
	}
	defer func() { _ = root.Close() }() // only read
	return fs.WalkDir(root.FS(), ".", func(rel string, d fs.DirEntry, err error) error {
		name := filepath.Join(dir, rel)
		switch {
		case err != nil:
			r.wrong(name, err)
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			if d.Name() == ".git" || r.copies.is(d) {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		return r.entry(root, name, rel)
	})
}

// entry masks a file of a tree unless it is binary.
func (r *maskRun) entry(root *os.Root, name, rel string) error {
	file, err := root.Open(rel)
	if err != nil {
		r.wrong(name, err)
		return nil
	}
	defer func() { _ = file.Close() }() // only read
	head := make([]byte, 8<<10)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		r.wrong(name, err)
		return nil
	}
	if isBinary(head[:n]) {
		r.binary++
		return nil
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		r.wrong(name, err)
		return nil
	}
	return r.file(file, name, rel)
}

// file masks an open file, to its copy if copies are made. What goes wrong with the file itself does not end the run.
func (r *maskRun) file(file *os.File, name, rel string) error {
	if r.copies == nil {
		out := &fallible{w: r.out}
		err := r.stream(out, file, name)
		if out.err != nil {
			return out.err
		}
		if err != nil {
			r.wrong(name, err)
		}
		return nil
	}
	info, err := file.Stat()
	if err == nil {
		err = r.copies.write(filepath.ToSlash(rel), info.Mode().Perm(), func(w io.Writer) error { return r.stream(w, file, name) })
	}
	if err != nil {
		r.wrong(name, err)
	}
	return nil
}

// fallible remembers the error of the output, which is not one of the input.
type fallible struct {
	w   io.Writer
	err error
}

// Write passes p on.
func (f *fallible) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err != nil {
		f.err = err
	}
	return n, err
}

// isBinary reports whether what a file begins with is no text: it has a zero byte and no mark of UTF-16.
func isBinary(head []byte) bool {
	return bytes.IndexByte(head, 0) >= 0 && !bytes.HasPrefix(head, []byte("\xff\xfe")) && !bytes.HasPrefix(head, []byte("\xfe\xff"))
}

// copies is the directory that masked copies are written to. Nothing outside of it is written, and nothing that is there.
type copies struct {
	root *os.Root
	info fs.FileInfo
}

// newCopies makes the directory unless it is there.
func newCopies(dir string) (*copies, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &copies{root, info}, nil
}

func (c *copies) close() { _ = c.root.Close() } // every file was closed before

// is reports whether d is the directory of the copies itself.
func (c *copies) is(d fs.DirEntry) bool {
	if c == nil {
		return false
	}
	info, err := d.Info()
	return err == nil && os.SameFile(info, c.info)
}

var errThere = errors.New("its copy is there already; nothing is overwritten")

// write makes one copy with the mode of its original. Of a copy that fails nothing stays.
func (c *copies) write(rel string, mode fs.FileMode, fill func(w io.Writer) error) error {
	if dir := path.Dir(rel); dir != "." {
		if err := c.root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	file, err := c.root.OpenFile(rel, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return errThere
	}
	if err != nil {
		return err
	}
	err = fill(file)
	if err == nil {
		err = file.Chmod(mode)
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return errors.Join(err, c.root.Remove(rel))
	}
	return nil
}
