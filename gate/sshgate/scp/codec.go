package scp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"weir"
	"weir/gate/sshgate/transfer"
)

const (
	maxLine  = 8 << 10 // bytes of a line, at most
	maxDepth = 256     // directories within each other, at most
	chunk    = 32 << 10
	maxWhole = 1 << 20 // bytes of an upload that is searched before it is passed on
)

var (
	errProtocol = errors.New("scp: a line breaks the protocol")
	errFatal    = errors.New("scp: an end broke off")
)

// Options are the resource's settings and what is known from the command.
type Options struct {
	transfer.Options
	Paths []string // the files that the command names, as the client spelled them
}

// message is one line of the source: C, D, E or T, or an error (1 and 2).
type message struct {
	kind byte
	mode string
	size int64
	name string
	text string // of T and of an error
}

// end is one end of the transfer.
type end struct {
	r *bufio.Reader
	w io.Writer
}

func newEnd(rw io.ReadWriter) *end { return &end{r: bufio.NewReaderSize(rw, chunk), w: rw} }

// line reads to the line end, which it drops.
func (e *end) line() (string, error) {
	var b strings.Builder
	for b.Len() < maxLine {
		c, err := e.r.ReadByte()
		if err != nil {
			return "", unexpected(err)
		}
		if c == '\n' {
			return b.String(), nil
		}
		_ = b.WriteByte(c)
	}
	return "", errProtocol
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// next reads a message of the source. io.EOF is the end of the transfer.
func (e *end) next() (message, error) {
	kind, err := e.r.ReadByte()
	if err != nil {
		return message{}, err
	}
	text, err := e.line()
	if err != nil {
		return message{}, err
	}
	return parse(kind, text)
}

// parse reads a line without its end.
func parse(kind byte, text string) (message, error) {
	m := message{kind: kind, text: text}
	switch kind {
	case 1, 2:
		return m, nil
	case 'E':
		if text == "" {
			return m, nil
		}
	case 'T':
		f := strings.Split(text, " ")
		for _, n := range f {
			if n == "" || strings.Trim(n, "0123456789") != "" {
				return m, errProtocol
			}
		}
		if len(f) == 4 {
			return m, nil
		}
	case 'C', 'D':
		mode, rest, _ := strings.Cut(text, " ")
		size, name, ok := strings.Cut(rest, " ")
		n, err := strconv.ParseUint(size, 10, 62)
		if !ok || err != nil || len(mode) != 4 || strings.Trim(mode, "01234567") != "" || !plain(name) {
			return m, errProtocol
		}
		m.mode, m.size, m.name = mode, int64(n), name //nolint:gosec // G115: 62 bits
		return m, nil
	}
	return m, errProtocol
}

// plain reports that a name is one element of a path.
func plain(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\n\x00")
}

// String is the line as it is sent.
func (m message) String() string {
	if m.kind == 'C' || m.kind == 'D' {
		return fmt.Sprintf("%c%s %d %s\n", m.kind, m.mode, m.size, m.name)
	}
	return string(m.kind) + m.text + "\n"
}

// answer is what the sink says to a message: kind 0 is yes.
func (e *end) answer() (message, error) {
	kind, err := e.r.ReadByte()
	if err != nil {
		return message{}, unexpected(err)
	}
	switch kind {
	case 0:
		return message{}, nil
	case 1, 2:
		text, err := e.line()
		return message{kind: kind, text: text}, err
	}
	return message{}, errProtocol
}

// ask sends a message and reads the answer.
func (e *end) ask(m message) (message, error) {
	if err := e.send(m); err != nil {
		return message{}, err
	}
	return e.answer()
}

// send sends a message or an answer.
func (e *end) send(m message) error {
	text := "\x00"
	if m.kind != 0 {
		text = m.String()
	}
	_, err := io.WriteString(e.w, text)
	return err
}

// run is one transfer.
type run struct {
	host           transfer.Host
	opt            Options
	client, target *end
	dirs           [][]string          // where the directories that are open may be
	exchanges      []transfer.Exchange // of the directories
	times          *message            // T of the file that comes next
	buf            []byte
}

func newRun(client, target io.ReadWriter, host transfer.Host, opt Options) *run {
	return &run{host: host, opt: opt, client: newEnd(client), target: newEnd(target), buf: make([]byte, 4*chunk)}
}

// masked masks the text of an error, or a name.
func (r *run) masked(text string) (string, error) {
	b, err := r.host.Text([]byte(text))
	return strings.ReplaceAll(string(b), "\n", " "), err
}

// tell passes an error line of the target on to the client.
func (r *run) tell(m message) error {
	text, err := r.masked(m.text)
	if err != nil {
		return err
	}
	return r.client.send(message{kind: m.kind, text: text})
}

// refuse tells the client why a file is refused.
func (r *run) refuse(name string, err error) error {
	return r.tell(message{kind: 1, text: "scp: " + name + ": " + transfer.Refusal(err)})
}

// sources are the files that a name may stand for, as far as the command and the directories tell: what the command names may have the same last part.
func (r *run) sources(name string) []string {
	if n := len(r.dirs); n > 0 {
		return within(r.dirs[n-1], name)
	}
	var named, beside []string
	for _, p := range r.opt.Paths {
		switch base := path.Base(p); {
		case base == name:
			named = append(named, p)
		case strings.ContainsAny(base, "*?[{"):
			named = append(named, path.Join(path.Dir(p), name))
		default:
			beside = append(beside, path.Join(path.Dir(p), name))
		}
	}
	switch {
	case len(named) > 0:
		return named
	case len(beside) > 0:
		return beside
	}
	return []string{name}
}

func within(dirs []string, name string) []string {
	out := make([]string, len(dirs))
	for i, d := range dirs {
		out[i] = path.Join(d, name)
	}
	return out
}

// begin decides on an operation and marks it as sent to the target.
func (r *run) begin(ctx context.Context, op transfer.Op) (transfer.Exchange, error) {
	x, err := transfer.Begin(ctx, r.host, op)
	if err != nil {
		return nil, err
	}
	if err := x.Forward(func(context.Context) error { return nil }); err != nil {
		x.End(err)
		return nil, err
	}
	return x, nil
}

// enter and leave follow the directories.
func (r *run) enter(places []string, x transfer.Exchange) error {
	if len(r.dirs) >= maxDepth {
		x.End(errProtocol)
		return errProtocol
	}
	r.dirs, r.exchanges = append(r.dirs, places), append(r.exchanges, x)
	return nil
}

func (r *run) leave() error {
	n := len(r.dirs) - 1
	if n < 0 {
		return errProtocol
	}
	r.exchanges[n].End(nil)
	r.dirs, r.exchanges = r.dirs[:n], r.exchanges[:n]
	return nil
}

// close ends the directories that were not left.
func (r *run) close(err error) {
	for _, x := range r.exchanges {
		x.End(err)
	}
}

// finish notes what became of a file.
func finish(x transfer.Exchange, op transfer.Op, outcome string, attrs []weir.Attr, cause error) error {
	err := x.Note(op.String(), append([]weir.Attr{{Name: "outcome", Value: outcome}}, attrs...)...)
	if cause == nil {
		cause = err
	}
	x.End(cause)
	return err
}

// denied records a refusal of contents.
func denied(x transfer.Exchange, err error) error {
	var d *weir.Denied
	if errors.As(err, &d) {
		if told := x.Refuse(d); told != nil {
			return told
		}
	}
	return err
}
