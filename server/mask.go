package server

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"

	"weir"
	"weir/mask"
	"weir/mask/personal"
)

// MaskOptions say how Mask reads its input. The zero value finds the format out by itself.
type MaskOptions struct {
	Format  string   // one of MaskFormats; "" is auto
	Fields  []string // names of secrets, added to the built-in list
	Disable []string // detectors not to use
	// Personal lists kinds of personal data to mask, too; "all" is all of them. Nil is none.
	Personal []string
	Key      []byte // of the fingerprints, at least 16 bytes; nil takes a new one, so that no two runs give the same
}

// sniffed is how much of the input is looked at to find out its format, in bytes.
const sniffed = 512

// Mask copies r to w with all that is secret masked, as it comes: what cannot become part of a secret any more is passed
// on before more is read. The tally is valid whatever the error.
func Mask(w io.Writer, r io.Reader, o MaskOptions) (*weir.Tally, error) {
	tally := &weir.Tally{}
	if o.Key == nil {
		o.Key = make([]byte, 32)
		if _, err := rand.Read(o.Key); err != nil {
			return tally, err
		}
	}
	engine, err := mask.New(mask.Config{Fields: o.Fields, Disable: o.Disable, Key: o.Key})
	if err != nil {
		return tally, err
	}
	masker := engine.Masker()
	if len(o.Personal) > 0 {
		kinds := o.Personal
		if slices.Contains(kinds, "all") {
			kinds = nil
		}
		data, err := personal.New(kinds)
		if err != nil {
			return tally, err
		}
		masker = masker.WithPersonal(data)
	}
	in := bufio.NewReaderSize(r, 64<<10)
	format, err := maskFormat(o.Format, in)
	if err != nil {
		return tally, err
	}
	out, err := masker.Stream(w, weir.Shape{Format: format}, tally)
	if err != nil {
		return tally, err
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := in.Read(buf)
		if n > 0 {
			if _, err := out.Write(buf[:n]); err != nil {
				return tally, err
			}
			if in.Buffered() == 0 {
				if err := out.Flush(); err != nil {
					return tally, err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return tally, out.Close()
		}
		if err != nil {
			return tally, errors.Join(err, out.Close())
		}
	}
}

// maskFormat turns a name into a format; for auto it looks at the first bytes.
func maskFormat(name string, in *bufio.Reader) (weir.Format, error) {
	switch name {
	case "", "auto":
		return sniff(in)
	case "text":
		return weir.FormatText, nil
	case "json":
		return weir.FormatJSON, nil
	case "form":
		return weir.FormatForm, nil
	case "xml":
		return weir.FormatXML, nil
	case "html":
		return weir.FormatHTML, nil
	case "sse":
		return weir.FormatSSE, nil
	case "terminal":
		return weir.FormatTerminal, nil
	}
	return weir.FormatUnknown, fmt.Errorf("there is no format %q: use auto, text, json, form, xml, html, sse or terminal", name)
}

// sniff waits for one byte that is no blank and judges by what is there then. Whatever it takes the input for, all is
// masked: a format that turns out wrong is masked as text.
func sniff(in *bufio.Reader) (weir.Format, error) {
	for n := 1; ; n++ {
		head, err := in.Peek(n)
		text := bytes.TrimLeft(head, "\ufeff \t\r\n")
		if len(text) == 0 && err == nil && n < sniffed {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return weir.FormatUnknown, err
		}
		if len(text) > 0 && bytes.IndexByte([]byte("{[<"), text[0]) >= 0 {
			head, _ = in.Peek(min(in.Buffered(), sniffed))
			return guess(bytes.TrimLeft(head, "\ufeff \t\r\n")), nil
		}
		return weir.FormatText, nil
	}
}

// guess judges text that begins with a bracket.
func guess(text []byte) weir.Format {
	if text[0] == '<' {
		head := bytes.ToLower(text[:min(len(text), 16)])
		if bytes.HasPrefix(head, []byte("<!doctype html")) || bytes.HasPrefix(head, []byte("<html")) {
			return weir.FormatHTML
		}
		return weir.FormatXML
	}
	inside := bytes.TrimLeft(text[1:], " \t\r\n")
	if len(inside) == 0 || inside[0] == '"' || inside[0] == '}' || text[0] == '[' && slices.Contains([]byte("{[]"), inside[0]) {
		return weir.FormatJSON
	}
	return weir.FormatText // [section], [12:00:01], {Go:syntax}
}
