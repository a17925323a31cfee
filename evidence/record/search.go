package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"weir"
	"weir/evidence/journal"
)

// Search is what is looked for.
type Search struct {
	Filter
	Text string // in any case; at most MaxSearch bytes
}

// MaxSearch is the longest text that can be searched for, in bytes.
const MaxSearch = overlap

// maxShown is how much of a line a Match holds, in bytes.
const maxShown = 500

// Match is a line that holds the text.
type Match struct {
	Session  weir.SessionID `json:"session"`
	Identity string         `json:"identity"`
	Resource string         `json:"resource"`
	Protocol weir.Protocol  `json:"protocol"`
	Exchange uint64         `json:"exchange,omitempty"`
	Time     time.Time      `json:"time"`
	In       Place          `json:"in" enum:"command,refusal,input,answer,error,file"`
	Line     string         `json:"line" doc:"or the part of a long line around the text; without control characters"`
}

// Check refuses a text that cannot be searched for. Error: Invalid.
func (f *Search) Check() error {
	if f.Text == "" || len(f.Text) > MaxSearch || !utf8.ValidString(f.Text) {
		return weir.NewError(weir.Invalid, fmt.Sprintf("search for a text of 1 to %d bytes", MaxSearch), nil)
	}
	return nil
}

// errEnough ends a search.
var errEnough = errors.New("enough")

// Search calls each for every line that holds the text, in the order of the journal: what was asked, what came back, what a terminal
// showed. It reads the journal once, from the first of the sessions that are selected, and ends after f.Limit matches if that is
// not 0. Two searches run at a time; others wait. Errors are each's, too.
func (s *Store) Search(ctx context.Context, f Search, each func(m *Match) error) error {
	if err := f.Check(); err != nil {
		return err
	}
	select {
	case s.searches <- struct{}{}:
		defer func() { <-s.searches }()
	case <-ctx.Done():
		return ctx.Err()
	}
	limit := f.Limit
	f.Limit = 0
	sc := scan{search: f, needle: strings.ToLower(f.Text), open: make(map[weir.SessionID]*scanned), each: each, limit: limit}
	from := sc.choose(s.List(f.Filter))
	if len(sc.open) == 0 {
		return nil
	}
	err := sc.run(ctx, s.j.NewReader(from))
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// scan is one search that runs.
type scan struct {
	search Search
	needle string
	open   map[weir.SessionID]*scanned // that have not been read to the end
	each   func(*Match) error
	limit  int
	found  int
	err    error
}

// scanned is a session that is searched.
type scanned struct {
	Session
	lines *lines // made at its first entry
}

// choose takes the sessions that are searched and returns where the first begins.
func (c *scan) choose(all []Session) (from journal.Position) {
	for i := range all {
		x := &all[i]
		if len(c.open) == 0 || x.first.Before(from) {
			from = x.first
		}
		c.open[x.ID] = &scanned{Session: *x}
	}
	return from
}

func (c *scan) run(ctx context.Context, r *journal.Reader) error {
	defer func() { _ = r.Close() }()
	for e := (journal.Entry{}); len(c.open) > 0; {
		err := r.Next(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("search recordings: %w", err)
		}
		if e.Kind > lastKind {
			continue
		}
		x := c.open[weir.SessionID(sessionOf(e.Payload))]
		if x == nil {
			continue
		}
		rec, err := Decode(uint8(e.Kind), e.Time, e.Payload)
		if err != nil {
			return fmt.Errorf("search recordings, entry %d: %w", e.Seq, err)
		}
		if x.lines == nil {
			x.lines = newLines(x.Protocol, true, func(n uint64, at time.Time, in Place, line string) { c.line(x, n, at, in, line) })
		}
		_ = parts(&rec, func(r *weir.Record) error { x.lines.entry(r); return nil })
		if !e.Before(x.last) {
			x.lines.close()
			delete(c.open, x.ID)
		}
		if c.err != nil {
			return c.err
		}
	}
	for _, x := range c.open {
		if x.lines != nil {
			x.lines.close()
		}
	}
	return c.err
}

func (c *scan) line(x *scanned, exchange uint64, at time.Time, in Place, line string) {
	if c.err != nil || at.Before(c.search.Since) {
		return
	}
	i := strings.Index(line, c.search.Text)
	if i < 0 {
		if i = strings.Index(strings.ToLower(line), c.needle); i < 0 {
			return
		}
	}
	if c.limit > 0 && c.found == c.limit {
		c.err = errEnough
		return
	}
	c.found++
	c.err = c.each(&Match{
		Session: x.ID, Identity: x.Identity, Resource: x.Resource, Protocol: x.Protocol, Exchange: exchange, Time: at, In: in,
		Line: Visible(around(line, min(i, len(line)), len(c.needle))),
	})
}

// around cuts a long line to what stands around n bytes at i.
func around(line string, i, n int) string {
	if len(line) <= maxShown {
		return line
	}
	from := max(0, i-(maxShown-n)/2)
	to := min(len(line), from+maxShown)
	for from > 0 && !utf8.RuneStart(line[from]) {
		from--
	}
	for to < len(line) && !utf8.RuneStart(line[to]) {
		to++
	}
	return line[from:to]
}
