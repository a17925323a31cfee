package server

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"weir"
	"weir/config"
	"weir/mask"
	"weir/mask/personal"
)

// FilterOptions say how a Filter reads. The zero value finds the format out by itself.
type FilterOptions struct {
	Format  string   // a key of maskFormatTable; "" is auto
	Fields  []string // names of secrets, added to the built-in list
	Disable []string // detectors not to use
	// Personal lists kinds of personal data to mask, too; "all" is all of them. Nil is none.
	Personal []string
	// Config is a file whose mask section says more: names, detectors to leave out and detectors of the user's own. "" is none.
	Config string
	Key    []byte // of the fingerprints, at least 16 bytes; nil takes a new one, so that no two runs give the same
}

// Filter masks files and streams outside of a gateway. It is safe for concurrent use.
type Filter struct {
	masker *mask.Masker
	format weir.Format // unknown: find it out
}

// maskFormatTable has the formats by the names that users give them. All that is lines of text is read by one reader,
// which knows the spellings of all of them.
var maskFormatTable = map[string]weir.Format{
	"auto": weir.FormatUnknown, "json": weir.FormatJSON, "ndjson": weir.FormatJSON, "form": weir.FormatForm, "xml": weir.FormatXML,
	"html": weir.FormatHTML, "sse": weir.FormatSSE, "terminal": weir.FormatTerminal, "text": weir.FormatText, "yaml": weir.FormatText, "ini": weir.FormatText, "toml": weir.FormatText,
	"env": weir.FormatText, "properties": weir.FormatText, "csv": weir.FormatText, "log": weir.FormatText,
}

// extensionTable says what files are by the end of their names, where the first bytes may mislead.
var extensionTable = map[string]weir.Format{
	".json": weir.FormatJSON, ".ndjson": weir.FormatJSON, ".jsonl": weir.FormatJSON, ".har": weir.FormatJSON, ".ipynb": weir.FormatJSON, ".tfstate": weir.FormatJSON,
	".geojson": weir.FormatJSON, ".webmanifest": weir.FormatJSON, ".xml": weir.FormatXML, ".xsd": weir.FormatXML, ".xsl": weir.FormatXML, ".wsdl": weir.FormatXML,
	".plist": weir.FormatXML, ".svg": weir.FormatXML, ".html": weir.FormatHTML, ".htm": weir.FormatHTML, ".xhtml": weir.FormatHTML, ".env": weir.FormatText,
	".csv": weir.FormatText, ".tsv": weir.FormatText, ".ini": weir.FormatText, ".toml": weir.FormatText, ".yaml": weir.FormatText, ".yml": weir.FormatText,
	".properties": weir.FormatText, ".conf": weir.FormatText, ".sql": weir.FormatText, ".md": weir.FormatText,
}

// sniffed is how much of the input is looked at to find out its format, in bytes.
const sniffed = 512

// NewFilter makes a Filter. An unknown format, detector or name is an error.
func NewFilter(o FilterOptions) (*Filter, error) {
	if o.Format == "" {
		o.Format = "auto"
	}
	format, ok := maskFormatTable[o.Format]
	if !ok {
		return nil, fmt.Errorf("there is no format %q", o.Format)
	}
	if o.Key == nil {
		o.Key = make([]byte, 32)
		if _, err := rand.Read(o.Key); err != nil {
			return nil, err
		}
	}
	rules := mask.Config{Fields: o.Fields, Disable: o.Disable, Key: o.Key}
	if o.Config != "" {
		cfg, err := config.Load(o.Config)
		if err != nil {
			return nil, err
		}
		if rules.Custom, err = customDetectors(cfg, o.Config); err != nil {
			return nil, err
		}
		rules.Fields = append(slices.Clone(cfg.Mask.Fields), o.Fields...)
		rules.Disable = append(slices.Clone(cfg.Mask.Detectors.Disable), o.Disable...)
	}
	engine, err := mask.New(rules)
	if err != nil {
		return nil, err
	}
	masker := engine.Masker()
	if len(o.Personal) > 0 {
		kinds := o.Personal
		if slices.Contains(kinds, "all") {
			kinds = nil
		}
		data, err := personal.New(kinds)
		if err != nil {
			return nil, err
		}
		masker = masker.WithPersonal(data)
	}
	return &Filter{masker: masker, format: format}, nil
}

// Copy copies r to w with all that is secret masked, as it comes: what cannot become part of a secret any more is passed
// on before more is read. name is the file's, or ""; found, when it is not nil, is told of every finding in their order, and its error ends
// the copy. Text in UTF-16 that begins with a byte order mark stays in it. The tally is valid whatever the error.
func (f *Filter) Copy(w io.Writer, r io.Reader, name string, found func(weir.Finding) error) (*weir.Tally, error) {
	tally := &weir.Tally{}
	in := bufio.NewReaderSize(r, 64<<10)
	report := mask.Report{Size: nil}
	order, err := wideOrder(in)
	if err != nil {
		return tally, err
	}
	if order != nil {
		wide := &wideReader{in: in, order: order}
		in, w, report.Size = bufio.NewReaderSize(wide, 64<<10), &wideWriter{w: w, order: order}, wideSize
	}
	mark, err := in.Peek(len(byteOrderMark))
	if err == nil && string(mark) == byteOrderMark {
		if _, err := io.WriteString(w, byteOrderMark); err != nil {
			return tally, err
		}
		_, _ = in.Discard(len(mark)) // it was peeked at
		report.Offset = int64(len(mark))
		if report.Size != nil {
			report.Offset = report.Size([]byte(byteOrderMark))
		}
	}
	format := f.format
	if format == weir.FormatUnknown {
		if format, err = formatOf(name, in); err != nil {
			return tally, err
		}
	}
	out, err := f.stream(w, format, tally, name, report, found)
	if err != nil {
		return tally, err
	}
	return tally, pump(out, in)
}

func (f *Filter) stream(w io.Writer, format weir.Format, tally *weir.Tally, name string, report mask.Report, found func(weir.Finding) error) (weir.MaskWriter, error) {
	if found == nil {
		return f.masker.Stream(w, weir.Shape{Format: format}, tally)
	}
	report.Found = func(x weir.Finding) error {
		x.File = name
		return found(x)
	}
	return f.masker.StreamReport(w, weir.Shape{Format: format}, tally, report)
}

// pump copies all of in and closes out.
func pump(out weir.MaskWriter, in *bufio.Reader) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := in.Read(buf)
		if n > 0 {
			if _, err := out.Write(buf[:n]); err != nil {
				return err
			}
			if in.Buffered() == 0 {
				if err := out.Flush(); err != nil {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return out.Close()
		}
		if err != nil {
			return errors.Join(err, out.Close())
		}
	}
}

// formatOf goes by the file's name, and by its first bytes where that says nothing.
func formatOf(name string, in *bufio.Reader) (weir.Format, error) {
	base := strings.ToLower(path.Base(strings.ReplaceAll(name, `\`, "/")))
	if base == ".env" || strings.HasPrefix(base, ".env.") {
		return weir.FormatText, nil
	}
	base = strings.TrimSuffix(base, ".backup")
	if format, ok := extensionTable[path.Ext(base)]; ok {
		return format, nil
	}
	return sniff(in)
}

// sniff waits for one byte that is no blank and judges by what is there then. Whatever it takes the input for, all is
// masked: a format that turns out wrong is masked as text.
func sniff(in *bufio.Reader) (weir.Format, error) {
	for n := 1; ; n++ {
		head, err := in.Peek(n)
		text := bytes.TrimLeft(head, " \t\r\n")
		if len(text) == 0 && err == nil && n < sniffed {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return weir.FormatUnknown, err
		}
		if len(text) > 0 && bytes.IndexByte([]byte("{[<"), text[0]) >= 0 {
			head, _ = in.Peek(min(in.Buffered(), sniffed))
			return guess(bytes.TrimLeft(head, " \t\r\n")), nil
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
