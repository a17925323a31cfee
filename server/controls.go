package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"weak"

	"weir"
	"weir/gate/session"
	"weir/mask"
	"weir/mask/known"
	"weir/mask/personal"
	"weir/vault/secret"
	"weir/vault/source"
)

// maskers makes sessions' masks. They follow a reload: what a running session masks is what is known now.
type maskers struct {
	now *atomic.Pointer[generation]

	mu    sync.Mutex
	key   [32]byte                             // of the fingerprints; random, made with known
	known map[[32]byte]weak.Pointer[presented] // by the fingerprint of what was presented; while a session lives by it
}

// Open makes the mask of one session.
func (m *maskers) Open(_ context.Context, info *weir.SessionInfo, shown secret.String) (session.Mask, error) {
	own, err := m.presented(shown)
	if err != nil {
		return nil, err
	}
	return &sessionMask{now: m.now, own: own, resource: info.Resource.Name}, nil
}

// presented is what the sessions that were begun with one secret look for. They share it: all its spellings take some 10 KB.
func (m *maskers) presented(shown secret.String) (*presented, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		if _, err := rand.Read(m.key[:]); err != nil {
			return nil, fmt.Errorf("make a key for fingerprints: %w", err)
		}
		m.known = make(map[[32]byte]weak.Pointer[presented])
	}
	name := source.Fingerprint(m.key[:], shown)
	if p := m.known[name].Value(); p != nil {
		return p, nil
	}
	own, _, err := source.Needles(source.Held{Name: "presented", Value: shown})
	if err != nil {
		return nil, err
	}
	p := &presented{own: own}
	m.known[name] = weak.Make(p)
	runtime.AddCleanup(p, m.forget, name)
	return p, nil
}

// forget drops what no session looks for any more.
func (m *maskers) forget(name [32]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known[name].Value() == nil {
		delete(m.known, name)
	}
}

// presented is a secret that a client showed, in all its spellings. Safe for concurrent use.
type presented struct {
	own *known.Set

	mu   sync.Mutex
	of   *generation // that sets is of
	sets []*known.Set
}

// sessionMask masks for one session.
type sessionMask struct {
	now      *atomic.Pointer[generation]
	own      *presented
	resource string

	made atomic.Pointer[madeMask] // the newest

	mu       sync.Mutex    // guards the making of one
	personal *personal.Set // what the resource had masked last; stays when the resource goes
}

// madeMask is what masks by what one generation knows.
type madeMask struct {
	of     *generation
	masker *mask.Masker
}

// current is asked for each row.
func (s *sessionMask) current() *mask.Masker {
	if m := s.made.Load(); m != nil && m.of == s.now.Load() {
		return m.masker
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.now.Load()
	m := s.made.Load()
	if m == nil || m.of != g {
		if r := g.byName[s.resource]; r != nil {
			s.personal = r.personal
		}
		m = &madeMask{of: g, masker: g.engine.Masker(s.own.with(g)...).WithPersonal(s.personal)}
		s.made.Store(m)
	}
	return m.masker
}

// with are what a session looks for, together with what the gateway holds: in one pass, unless that is very much.
func (p *presented) with(g *generation) []*known.Set {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == g {
		return p.sets
	}
	p.of, p.sets = g, []*known.Set{g.known, p.own}
	if joined, ok := known.Join(g.known, p.own); ok {
		p.sets = []*known.Set{joined}
	}
	return p.sets
}

// Value masks one value.
func (s *sessionMask) Value(dst []byte, name string, value []byte, t *weir.Tally) []byte {
	return s.current().Value(dst, name, value, t)
}

// Stream masks a stream.
func (s *sessionMask) Stream(w session.Writer, shape weir.Shape, t *weir.Tally) (weir.MaskWriter, error) {
	return s.current().Stream(w, shape, t)
}

// Version is the masker in force.
func (s *sessionMask) Version() any { return s.current() }

// Columns prepares for the rows of a result.
func (s *sessionMask) Columns(columns []weir.Column) session.ColumnMask {
	return &columnMask{s: s, columns: slices.Clone(columns)}
}

// columnMask masks the rows of one result, each by what is known when it begins.
type columnMask struct {
	s       *sessionMask
	columns []weir.Column
	masker  *mask.Masker
	of      *mask.Columns
	last    int
}

// at returns the columns of the masker that is in force; within a row it stays.
func (c *columnMask) at(col int) *mask.Columns {
	if c.of == nil || col <= c.last {
		if m := c.s.current(); m != c.masker {
			c.masker, c.of = m, m.Columns(c.columns)
		}
	}
	c.last = col
	return c.of
}

// Cell masks one cell.
func (c *columnMask) Cell(dst []byte, col int, value []byte, t *weir.Tally) ([]byte, weir.Change) {
	return c.at(col).Cell(dst, col, value, t)
}

// Naming reports whether a column names others.
func (c *columnMask) Naming(col int) bool { return c.at(c.last).Naming(col) }

// Short is how many bytes a cell has to have, so that it may be changed.
func (c *columnMask) Short() int { return c.at(-1).Short() }

// Marks searches many cells at once.
func (c *columnMask) Marks(dst []int32, b []byte) ([]int32, bool) { return c.at(-1).Marks(dst, b) }

// Marked masks a cell by what the search of many has found.
func (c *columnMask) Marked(dst []byte, col int, value []byte, marks []int32, from int, t *weir.Tally) ([]byte, weir.Change) {
	return c.of.Marked(dst, col, value, marks, from, t)
}

// SetName tells what a naming column holds.
func (c *columnMask) SetName(value []byte) { c.at(-1).SetName(value) }

// counted counts what is recorded on its way into the journal.
type counted struct {
	session.Recorder
	m *metrics
}

// Record records and counts.
func (c *counted) Record(ctx context.Context, r *weir.Record) error {
	if err := c.Recorder.Record(ctx, r); err != nil {
		c.m.faults.WithLabelValues("recorder").Inc()
		return err
	}
	c.m.recorded.Add(float64(len(r.Data)))
	switch r.Kind {
	case weir.RecordSessionStart:
		c.m.sessions.Inc()
	case weir.RecordCommand:
		if v := attrOf(r, "verdict"); v == weir.Allow.String() {
			c.m.allowed.Inc()
		} else {
			c.m.commands.WithLabelValues(v).Inc()
		}
	case weir.RecordRefusal:
		c.m.refusals.WithLabelValues(attrOf(r, "kind")).Inc()
	case weir.RecordAnswerEnd:
		for _, a := range r.Attrs {
			kind, masked := strings.CutPrefix(a.Name, "masked.")
			if !masked && a.Name != "bytes" && a.Name != "duration_us" {
				continue
			}
			n, err := strconv.ParseUint(a.Value, 10, 63)
			switch {
			case err != nil:
			case masked:
				c.m.masked.WithLabelValues(kind).Add(float64(n))
			case a.Name == "bytes":
				c.m.bytes.Add(float64(n))
			default:
				c.m.duration.Observe(float64(n) / 1e6)
			}
		}
	default:
	}
	return nil
}

func attrOf(r *weir.Record, name string) string {
	for i := range r.Attrs {
		if r.Attrs[i].Name == name {
			return r.Attrs[i].Value
		}
	}
	return ""
}
