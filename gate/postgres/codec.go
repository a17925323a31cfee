package postgres

import (
	"slices"
	"strings"

	"weir"
	"weir/gate/session"
	"weir/rules/sql"
)

// codec reads the messages of one session.
type codec struct {
	greeting bool // the target has not said yet that it is ready
	o        CodecOptions
	read     grammar

	queue  []entry // what is owed, from head on
	head   int
	open   []*run // exchanges that have not ended
	tx     byte   // the transaction's state, as the target said last
	leaves bool   // it has said why it ends the connection

	statements map[string]*statement
	portals    map[string]*portal
	sync       uint64 // how many messages the client sent that ReadyForQuery answers
	pushed     uint64 // entries
	due        uint64 // of them, those whose answers the target was asked to send
	wrote      bool   // something that writes was executed since the last Sync
	naming     int    // entries that may change what statements are called
	silent     bool   // notices may not come
	undone     bool   // a transaction was rolled back, at least to a savepoint
	altered    bool   // definitions changed in a transaction that may not have ended
	discard    bool   // the client's messages up to its Sync have been refused
	skip       int    // bytes of a refused message that are still to come
	pieces     int    // bytes of a long CopyData that are still to come
	copyIn     *copyIn
	opened     opened          // by what was sent
	path       string          // the search path as it was set last
	user       string          // who "$user" in it is
	deferred   bool            // functions that run at the end of the transaction may have seen secrets
	tainted    map[string]bool // settings that may hold what columns do; "*" for any
	encoding   string          // why nothing may pass any more: the target's settings
	verifies   bool            // the target takes no text that is not UTF8

	asked  weir.Command // what is being asked for
	bound  bound
	held   func(weir.RequestID) // tells the client that its statement waits
	heldBy *session.Requests

	cache   map[string]*facts
	version any
	epoch   int // counts what makes classifications of before worthless
	key     []byte
	recent  recent

	// of answers
	big     *big
	drop    int    // bytes of a message that was shortened
	late    []byte // notices that wait for the end of a message
	whole   session.ColumnMask
	layouts []*layout // of simple queries, the newest last
	ahead   ahead
	cell    []byte
	scratch []byte
}

var _ session.Codec = (*codec)(nil)

// keptFingerprint is the longest fingerprint that is kept, in bytes.
const keptFingerprint = 2 << 10

// keptFacts is how many classifications a session keeps.
const keptFacts = 256

// NewCodec makes the codec of one session that has just become ready.
func NewCodec(o CodecOptions) session.Codec {
	c := newCodec(o)
	c.read = newGrammar(&c.o, func() []string { return searchPath(c.path, c.user) })
	return c
}

func newCodec(o CodecOptions) *codec {
	c := &codec{o: o, tx: 'I', statements: make(map[string]*statement), portals: make(map[string]*portal)}
	if c.o.MaxStatement <= 0 {
		c.o.MaxStatement = 16 << 20
	}
	if c.o.Secret == nil { // whoever forgets it gets what is made of columns masked whole
		c.o.Secret = func(string, string) bool { return true }
	}
	if c.o.SecretSetting == nil {
		c.o.SecretSetting = func(string) bool { return true }
	}
	if c.o.Notifies == nil {
		c.o.Notifies = func() {}
	}
	if c.o.Notified == nil {
		c.o.Notified = func(uint32) bool { return false }
	}
	c.greeting = o.Greeted
	c.path = o.Parameters["search_path"]
	if c.path == "" {
		c.path = o.Settings["search_path"]
	}
	c.silent = o.Settings["client_min_messages"] != ""
	for name, value := range o.Parameters {
		c.status(name, value)
	}
	c.o.Parameters, c.o.Settings = nil, nil // sessions last, and need them no more
	return c
}

// Limit is the longest message that is read whole.
func (c *codec) Limit() int { return c.o.MaxStatement + 1<<16 }

// status looks at a parameter that the target reports.
func (c *codec) status(name, value string) {
	switch strings.ToLower(name) {
	case "client_encoding":
		if v := strings.ToUpper(value); v != "UTF8" && v != "SQL_ASCII" {
			c.encoding = "the client's encoding is not UTF8, so its statements cannot be read"
		}
	case "standard_conforming_strings":
		if value != "on" {
			c.encoding = "standard_conforming_strings is off, so statements cannot be read"
		}
	case "server_encoding":
		c.verifies = value == "UTF8"
	case "session_authorization":
		c.user = value
	case "search_path":
		if c.path != anyPath {
			c.path = value
			c.forget()
		}
	}
}

// forget makes classifications of before worthless.
func (c *codec) forget() {
	c.cache = nil
	c.epoch++
}

// fresh forgets what an older catalogue told.
func (c *codec) fresh() {
	if v := c.read.version(); v != c.version || c.cache == nil {
		c.version, c.cache = v, make(map[string]*facts)
		c.epoch++
	}
}

// factsOf classifies a text, or remembers what it found in one of the same form.
func (c *codec) factsOf(text string) *facts {
	c.fresh()
	if f := c.recent.find(text, c.epoch); f != nil {
		return f
	}
	picks := c.picks(text)
	var ok bool
	if c.key, ok = c.read.key(c.key[:0], text); ok {
		c.key = append(c.key, byte(picks))
		if f := c.cache[string(c.key)]; f != nil {
			c.recent.keep(text, f, c.epoch)
			return f
		}
	}
	f := c.classify(text, picks)
	if ok && !f.looks {
		if len(c.cache) >= keptFacts {
			clear(c.cache)
		}
		c.cache[string(c.key)] = f
	}
	return f
}

func (c *codec) classify(text string, picks pick) *facts {
	f := &facts{sql: c.read.classify(text, c.prepared)}
	if f.sql == nil {
		f.sql = &weir.SQL{Unclear: "the classifier said nothing"}
	}
	taken := picks == pickSecret || picks == pickLater && has(f.sql, "EXECUTE") || c.apart(text, f.sql, c.read.reads != nil && c.read.reads(f.sql))
	if !f.sql.Taken && (taken || c.taking(f.sql) || has(f.sql, "CREATE", "INSERT", "UPDATE", "MERGE") && mayPick(text) && pairs(words(text))) {
		s := *f.sql
		s.Taken = true
		f.sql = &s
	}
	f.touched = f.sql.Unclear != "" || f.sql.Dynamic || c.touches(f.sql) || f.sql.Taken
	f.reads = c.readsOf(text, f.sql)
	f.touched = f.touched || f.reads.options
	f.reads.key = picks == pickLater
	f.reads.paths = f.reads.key && (mentions(text, "path") || mentions(text, "xmltable"))
	c.tellOut(f, taken)
	f.hides = hides(text, f.sql) || f.touched && (has(f.sql, "INSERT", "UPDATE", "MERGE", "SET") || writesSettings(f.sql)) || (f.touched || has(f.sql, "CREATE", "ALTER")) && c.comparesSecret(text)
	for _, op := range f.sql.Operations {
		switch op {
		case "CREATE", "ALTER", "DROP", "COMMENT", "IMPORT", "TRUNCATE", "GRANT", "REVOKE", "DO", "CALL":
			f.changes = true
		case "PREPARE", "DEALLOCATE", "DISCARD":
			f.names = true
		case "COMMIT":
			f.changes = f.changes || !f.sql.ReadOnly // of what was prepared
		case "EXECUTE", "FETCH":
			f.looks = true
		}
	}
	if f.fingerprint = c.read.fingerprint(text); len(f.fingerprint) > keptFingerprint {
		f.fingerprint = strings.ToValidUTF8(f.fingerprint[:keptFingerprint], "") + " …"
	}
	f.looks = f.looks || f.reads.settings != noSettings
	f.returns = returned(text, f.sql)
	f.operation = operation(f.sql)
	f.quiet = isQuiet(f)
	f.hangs = has(f.sql, "FETCH", "EXECUTE")
	f.opens = f.names || f.sql.Dynamic || f.sql.Unclear != "" || has(f.sql, "DECLARE", "CLOSE", "DO", "CALL", "EXECUTE") ||
		slices.ContainsFunc(f.sql.Functions, func(fn string) bool { return !strings.HasPrefix(fn, "pg_catalog.") })
	return f
}

// prepared is what a prepared statement of the session does; nil when there is none.
func (c *codec) prepared(name string) *weir.SQL {
	if st := c.statements[name]; st != nil {
		f := c.current(st)
		s := sql.Inner(f.sql)
		s.Taken = s.Taken || f.reads.key // a parameter may name a secret
		return s
	}
	return nil
}

// isQuiet reports that statements of this form only read: whatever their literals are, nothing that the session has is another afterwards.
func isQuiet(f *facts) bool {
	return f.sql.ReadOnly && len(f.sql.Functions) == 0 && !f.changes && !f.names && !f.sql.Dynamic && f.sql.Unclear == "" && len(f.sql.Operations) > 0 &&
		!slices.ContainsFunc(f.sql.Operations, func(op string) bool { return op != "SELECT" && op != "TABLE" && op != "VALUES" })
}

// touches reports whether a column that holds secrets may be in it.
func (c *codec) touches(s *weir.SQL) bool {
	for _, column := range s.Columns {
		i := strings.LastIndexByte(column, '.')
		if i < 0 {
			continue
		}
		if c.holdsSecret(column[:i], column[i+1:]) {
			return true
		}
	}
	for _, name := range s.Settings {
		if c.settingHolds(name) || name != "*" && spokenName(name) != "" && c.o.SecretSetting(name) {
			return true
		}
	}
	return false
}

// settingHolds reports whether a statement of this session may have set a setting to what a secret column holds.
func (c *codec) settingHolds(name string) bool {
	return len(c.tainted) > 0 && (c.tainted[strings.ToLower(name)] || c.tainted["*"] || name == "*")
}

// current brings a statement's facts up to date.
func (c *codec) current(st *statement) *facts {
	c.fresh()
	if (st.epoch != c.epoch || st.facts.looks) && !st.finding { // it may execute itself
		st.finding, st.epoch = true, c.epoch
		st.facts = c.factsOf(st.text)
		st.finding = false
	}
	return st.facts
}

// has reports whether one of the operations is in the statements.
func has(s *weir.SQL, operations ...string) bool {
	for _, op := range s.Operations {
		for _, want := range operations {
			if op == want {
				return true
			}
		}
	}
	return false
}

// sent remembers what a statement that was let through may change later.
func (c *codec) sent(text string, f *facts) {
	if f.quiet {
		return
	}
	if f.opens {
		c.opens(text, f)
	}
	if f.changes {
		c.altered = true
		c.o.Changed()
	}
	if f.sql.ReadOnly && !has(f.sql, "DECLARE", "SAVEPOINT", "RELEASE", "ROLLBACK", "ABORT") && len(f.sql.Functions) == 0 {
		return
	}
	if c.read.note != nil && c.read.note(text, f.sql) {
		c.forget()
	}
	if f.sql.ReadOnly {
		return
	}
	c.deferred = c.deferred || f.reads.writes && c.writesNear(f)
	for _, name := range f.sql.Settings {
		who := (name == "role" || name == "session_authorization") && (c.path == "" || strings.Contains(c.path, "$user"))
		c.silent = c.silent || name == "client_min_messages" || name == "*"
		if c.path != anyPath && (name == "search_path" || name == "*" || who) {
			c.path = anyPath
			c.forget()
		}
		if f.touched && !c.tainted[name] && writesSettings(f.sql) {
			if c.tainted == nil {
				c.tainted = make(map[string]bool)
			}
			c.tainted[name] = true
			c.forget()
		}
	}
	if f.touched && (has(f.sql, "NOTIFY") || slices.ContainsFunc(f.sql.Functions, func(fn string) bool { return strings.HasSuffix(fn, ".pg_notify") })) {
		c.o.Notifies()
	}
}

// opens follows what becomes of portals, whose names are those of cursors, too.
func (c *codec) opens(text string, f *facts) {
	c.opened.all++
	if f.touched || f.reads != (reads{}) {
		c.opened.secret++
	}
	if len(c.portals) == 0 || !has(f.sql, "DECLARE", "CLOSE") {
		return
	}
	ws := words(text)
	for i := range len(ws) - 1 {
		if !ws[i].is("declare") && !ws[i].is("close") {
			continue
		}
		if name, ok := ws[i+1].identifier(); ok {
			delete(c.portals, name)
		}
	}
}

// doubted are the facts of a portal whose name another statement may have given to a cursor of its own, which may read secrets.
func doubted(f *facts) *facts {
	out, s := *f, *f.sql
	s.Outputs = nil
	out.sql, out.touched, out.reads = &s, true, reads{settings: looseSettings, statements: true, chopped: true, exploded: true}
	return &out
}

// writesSettings reports whether a statement may set a setting to something that it computes.
func writesSettings(s *weir.SQL) bool {
	return s.Dynamic || slices.ContainsFunc(s.Functions, func(fn string) bool { return strings.HasSuffix(fn, ".set_config") })
}

// secretive reports whether what comes back may hold a protected column's values under no name.
func (c *codec) secretive(f *facts) bool { return f != nil && f.touched }

// verb is the operation of a statement's command.
func (f *facts) verb() string {
	if f.operation != "" {
		return f.operation
	}
	return operation(f.sql)
}

// operation is the verb that stands for the statements.
func operation(s *weir.SQL) string {
	if len(s.Operations) == 0 {
		return "QUERY"
	}
	return strings.Join(s.Operations, ",")
}

// hides reports whether literals of a text may be secrets by where they stand: those of roles, servers, mappings, subscriptions.
func hides(text string, s *weir.SQL) bool {
	if !has(s, "CREATE", "ALTER", "SET", "DO", "IMPORT") {
		return false
	}
	for _, w := range words(text) {
		switch w.text {
		case "password", "options", "connection", "mapping", "server", "subscription", "secret":
			return true
		}
	}
	return false
}
