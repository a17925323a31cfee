package postgres

import (
	"errors"
	"slices"

	"weir"
	"weir/gate/session"
	"weir/rules/sql"
)

// owed is what the target, or the gateway, owes the client.
type owed uint8

const (
	owedQuery   owed = iota // until ReadyForQuery
	owedParse               // ParseComplete
	owedBind                // BindComplete
	owedShape               // of Describe: RowDescription or NoData
	owedOwn                 // the same, asked for by the gateway and not passed on
	owedRows                // of Execute: until CommandComplete, EmptyQueryResponse or PortalSuspended
	owedClose               // CloseComplete
	owedSync                // ReadyForQuery
	owedRefusal             // an ErrorResponse of the gateway's own
	owedDenied              // the same, with a ReadyForQuery behind it
	owedAbort               // an error that the gateway asked the target for, in whose place it says a refusal
)

// entry is a place in the order of answers.
type entry struct {
	kind   owed
	run    *run       // of Query, Bind, Execute
	st     *statement // of Parse, Describe of a statement
	po     *portal    // of Bind, Describe of a portal, Execute
	facts  *facts
	name   string // of Parse, Close of a statement
	words  []byte // of a refusal
	names  bool   // it may change what prepared statements are called
	copied *copying
	copies int     // that have begun
	shape  *layout // of a simple query's rows
	sync   uint64  // of Query and Sync: the part of the stream that it ends
	epoch  int     // of Describe, in which it was asked for
	number uint64  // in the order of all
	there  bool    // a notice said that what was to be made is there

	bindings struct { // what the text does to names, from the statement on that has not ended
		read, hidden bool // hidden: nothing, so that only a function can have done it
		next         []sql.Binding
	}
}

// run is an exchange and how much of it is still under way.
type run struct {
	x     *session.Exchange
	refs  int  // entries that belong to it
	ready bool // its command is complete
	over  bool // the exchange has ended
}

// facts are what is known of a text.
type facts struct {
	sql         *weir.SQL
	touched     bool // a column whose values are secrets may be in it
	changes     bool // definitions
	names       bool // it may change what prepared statements are called
	hides       bool // its literals may be secrets by where they stand
	looks       bool // what it does depends on what they are called, or on its literals
	reads       reads
	returns     string // see returned
	fingerprint string
	operation   string // of the command; "" where nothing was classified: see verb
	quiet       bool   // see isQuiet
	hangs       bool   // its rows are those of a cursor or a prepared statement of SQL
	opens       bool   // it may close cursors, prepared statements of SQL and portals, and give their names to others
}

// statement is a prepared statement.
type statement struct {
	name    string
	text    string
	facts   *facts
	epoch   int // of facts
	types   []uint32
	params  []string // names of the parameters, "" where nothing tells
	named   bool     // params was filled
	pending bool     // the target has not agreed to it yet
	finding bool     // facts are being found out
	sync    uint64   // in which part of the stream it was made
	old     *statement
	desc    []byte // the body of its RowDescription; nil when it was not seen
	known   bool   // desc was seen, or NoData
	asked   int    // the epoch in which the target was asked for it
	layout  *layout
}

// portal is a bound statement.
type portal struct {
	name    string
	st      *statement
	facts   *facts
	run     *run // first, until it is executed again
	first   run
	attrs   []weir.Attr // its parameters, as they are recorded
	formats []int16
	desc    []byte
	known   bool
	asked   bool   // the target was asked, or will have been when the rows come
	sync    uint64 // in which part of the stream it was made
	begun   bool   // it was executed
	fetched bool   // it is a cursor's: see fetch
	opened  opened // when it was bound or asked for last
	layout  *layout
}

// opened counts statements that may have given names to others, and of them those that may have read secrets.
type opened struct{ all, secret int }

// push adds to the order of answers.
func (c *codec) push(e entry) {
	if e.run != nil {
		e.run.refs++
	}
	if e.names {
		c.naming++
	}
	if c.head > 32 && c.head*2 > len(c.queue) {
		n := copy(c.queue, c.queue[c.head:])
		clear(c.queue[n:])
		c.queue, c.head = c.queue[:n], 0
	}
	e.number = c.pushed
	c.pushed++
	c.queue = append(c.queue, e)
}

// pushLast adds what ReadyForQuery answers, which ends a part of the stream.
func (c *codec) pushLast(e entry) {
	e.sync = c.sync
	c.sync++
	c.wrote = false
	c.push(e)
	c.due = c.pushed
}

// implicit reports whether what was executed since the last Sync may be in a transaction that the next Sync commits: a refusal among it must undo it,
// as any other error does.
func (c *codec) implicit() bool {
	return c.wrote && (c.tx == 'I' || slices.ContainsFunc(c.queue[c.head:], func(e entry) bool { return e.kind == owedSync || e.kind == owedQuery }))
}

// front is the answer that comes next; nil when none is due.
func (c *codec) front() *entry {
	if c.head == len(c.queue) {
		return nil
	}
	return &c.queue[c.head]
}

// pop takes the entry at the front off; done says that its command is complete.
func (c *codec) pop(a *session.Answers, at int, err error) {
	e := &c.queue[c.head]
	if r := e.run; r != nil {
		if r.refs--; err != nil {
			r.ready = true
		}
		c.settle(a, r, at, err)
	}
	if e.names {
		c.naming--
	}
	*e = entry{}
	if c.head++; c.head == len(c.queue) {
		c.queue, c.head = c.queue[:0], 0
	}
}

// settle ends the exchange when nothing of it is under way.
func (c *codec) settle(a *session.Answers, r *run, at int, err error) {
	if r.refs > 0 || !r.ready || r.over {
		return
	}
	r.over = true
	a.End(r.x, at, err)
	if i := c.openIndex(r); i >= 0 {
		last := len(c.open) - 1
		c.open[i], c.open[last] = c.open[last], nil
		c.open = c.open[:last]
	}
}

func (c *codec) openIndex(r *run) int {
	for i, o := range c.open {
		if o == r {
			return i
		}
	}
	return -1
}

// begin makes a run of an exchange.
func (c *codec) begin(x *session.Exchange) *run { return c.follow(&run{x: x}) }

// follow keeps an exchange until it has ended.
func (c *codec) follow(r *run) *run {
	c.open = append(c.open, r)
	return r
}

// Owes reports whether an answer is due. While the target waits for the client's rows of a COPY it owes none, and none to what the client has sent
// neither a Sync nor a Flush behind: a client that goes then is waited for no longer.
func (c *codec) Owes() bool { return c.owes() && c.queue[c.head].number < c.due && c.copyIn == nil }

func (c *codec) owes() bool { return c.head < len(c.queue) }

// advance says the refusals whose turn it is.
func (c *codec) advance(a *session.Answers, at int) {
	for e := c.front(); e != nil; e = c.front() {
		switch e.kind {
		case owedRefusal:
			a.Insert(e.words, at)
		case owedDenied:
			a.Insert(appendReady(e.words, c.tx), at)
		default:
			return
		}
		c.pop(a, at, nil)
	}
}

// refuse puts a refusal in its place.
func (c *codec) refuse(r *session.Requests, kind owed, d *weir.Denied) {
	words := appendRefusal(nil, "ERROR", d)
	switch {
	case kind == owedRefusal && c.implicit():
		r.Own([]byte(abort))
		c.push(entry{kind: owedAbort, words: words})
		c.due = c.pushed
	case c.owes():
		c.push(entry{kind: kind, words: words})
		c.flush(r) // the client's own may be among what is dropped now
	case kind == owedDenied:
		r.Reply(appendReady(words, c.tx))
	default:
		r.Reply(words)
	}
}

// broke drops what the target skips after an error in the extended protocol: everything up to the next Sync.
func (c *codec) broke(a *session.Answers, at int, err error) {
	for e := c.front(); e != nil && e.kind != owedSync; e = c.front() {
		c.failed(e)
		c.pop(a, at, err)
	}
	if !c.owes() {
		c.discard = true
	}
}

// failed undoes what an entry would have done.
func (c *codec) failed(e *entry) {
	switch e.kind {
	case owedParse:
		e.st.pending = false
		if c.statements[e.name] == e.st {
			c.restore(e.name, e.st.old)
		}
	case owedClose:
		if e.st != nil && c.statements[e.name] == nil {
			c.statements[e.name] = e.st
		}
	case owedBind:
		if c.portals[e.po.name] == e.po {
			delete(c.portals, e.po.name)
		}
	default:
	}
}

func (c *codec) restore(name string, old *statement) {
	if old == nil {
		delete(c.statements, name)
		return
	}
	c.statements[name] = old
}

// settled waits until what statements are called is sure.
func (c *codec) settled(r *session.Requests) error {
	if c.naming == 0 {
		return nil
	}
	c.flush(r)
	return c.wait(r, func() bool { return c.naming == 0 })
}

// errSkipped says that the target skips a message, since something before it has failed while the gateway waited.
var errSkipped = errors.New("skipped by the target")

// wait lets answers pass until ready. The message at hand must not be forwarded after errSkipped.
func (c *codec) wait(r *session.Requests, ready func() bool) error {
	if err := r.Wait(ready); err != nil {
		return err
	}
	if c.discard {
		return errSkipped
	}
	return nil
}

// ask is Requests.Ask. Without an exchange and a refusal the target skips the message.
func (c *codec) ask(r *session.Requests, cmd *weir.Command) (*session.Exchange, *weir.Denied) {
	x, d := r.Ask(cmd)
	if c.discard && x != nil {
		x.End(errSkipped)
		x = nil
	}
	if c.discard {
		d = nil
	}
	return x, d
}

// flush asks for the answers to what was sent.
func (c *codec) flush(r *session.Requests) {
	r.Own([]byte(flush))
	c.due = c.pushed
}

// statement finds a prepared statement once it is sure which one the name means.
func (c *codec) statement(r *session.Requests, name string) (*statement, error) {
	if err := c.settled(r); err != nil {
		return nil, err
	}
	st := c.statements[name]
	for st != nil && st.pending && st.sync != c.sync {
		if err := c.wait(r, func() bool { return !st.pending }); err != nil {
			return nil, err
		}
		st = c.statements[name]
	}
	return st, nil
}

// flush and syncing are a Flush and a Sync, and abort is an Execute of a portal that is not there.
const (
	flush   = "H\x00\x00\x00\x04"
	syncing = "S\x00\x00\x00\x04"
	abort   = "E\x00\x00\x00\x1frefused by the gateway\x00\x00\x00\x00\x00"
)
