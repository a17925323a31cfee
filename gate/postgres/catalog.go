package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/rules/sql"
)

// firstCatalog is how long a session's start waits for the first catalogue of its database. Without one every statement is unclear.
const firstCatalog = 10 * time.Second

// catalogs keeps the catalogue of each database that had sessions. Safe for concurrent use.
type catalogs struct {
	opt *Options

	mu   sync.Mutex
	byDB map[[2]string]*catalog // resource, database
}

// catalog is one database's catalogue. One goroutine reads it again and again while there are sessions.
type catalog struct {
	newest  atomic.Pointer[sql.Snapshot]
	readAt  atomic.Int64 // when newest was asked for, in nanoseconds since 1970
	seen    atomic.Int64 // changes told of
	settled atomic.Int64 // of them, those that newest surely holds
	kick    chan struct{}

	// guarded by catalogs.mu
	users int
	run   *reading
}

// reading is one life of the goroutine that reads a catalogue.
type reading struct {
	first chan struct{} // closed when the first attempt is over
	done  chan struct{}
	stop  context.CancelFunc
}

func newCatalogs(opt *Options) *catalogs {
	return &catalogs{opt: opt, byDB: make(map[[2]string]*catalog)}
}

// acquire returns the database's catalogue and what gives it back. Where there is none that is fresh it waits until it was read or
// that failed; ctx bounds the wait.
func (cs *catalogs) acquire(ctx context.Context, t *Target, resource, database string) (*catalog, func()) {
	at := [2]string{resource, database}
	cs.mu.Lock()
	c := cs.byDB[at]
	if c == nil {
		c = &catalog{kick: make(chan struct{}, 1)}
		cs.byDB[at] = c
	}
	if c.users++; c.users == 1 {
		// The readings outlive the session that began them, but not the last one.
		life, stop := context.WithCancel(context.WithoutCancel(ctx))
		run := &reading{first: make(chan struct{}), done: make(chan struct{}), stop: stop}
		c.run = run
		go func() {
			defer close(run.done)
			cs.keep(life, c, run, func(ctx context.Context) (Querier, error) { return t.Catalog(ctx, database) })
		}()
	}
	run := c.run
	cs.mu.Unlock()
	wait, cancel := context.WithTimeout(ctx, firstCatalog)
	defer cancel()
	select {
	case <-run.first:
	case <-wait.Done():
	}
	return c, func() { cs.release(c) }
}

// release ends the readings with the last session, and waits for their end. What was read is kept for the next one.
func (cs *catalogs) release(c *catalog) {
	cs.mu.Lock()
	c.users--
	last, run := c.users == 0, c.run
	cs.mu.Unlock()
	if last {
		run.stop()
		<-run.done
	}
}

// snapshot is the newest catalogue, or nil.
func (c *catalog) snapshot() *sql.Snapshot { return c.newest.Load() }

// changed asks for a reading soon.
func (c *catalog) changed() {
	c.seen.Add(1)
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// age is how old the newest catalogue is, and whether it holds all changes told of.
func (c *catalog) age(now time.Time) (time.Duration, bool) {
	return now.Sub(time.Unix(0, c.readAt.Load())), c.newest.Load() != nil && c.settled.Load() == c.seen.Load()
}

// keep reads at once, when a change is told of, and when the catalogue is old. Who tells of a change has seen a statement that may not
// have run yet, so there is a second reading after the least time between two. One that fails keeps what there was.
func (cs *catalogs) keep(ctx context.Context, c *catalog, run *reading, open func(context.Context) (Querier, error)) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	if age, whole := c.age(cs.opt.Now()); whole && age < cs.opt.Refresh {
		close(run.first)
		if !pause(ctx, timer, cs.opt.Refresh-age, c.kick) {
			return
		}
		run = nil
	}
	before := c.seen.Load()
	for {
		select {
		case <-c.kick: // told of by seen as well
		default:
		}
		n, at := c.seen.Load(), cs.opt.Now()
		wait := cs.opt.MinRefresh
		if cs.read(ctx, c, open) {
			c.readAt.Store(at.UnixNano())
			if n == before {
				c.settled.Store(n)
			}
		} else {
			wait = max(wait, cs.opt.Refresh/6)
		}
		before = n
		if run != nil {
			close(run.first)
			run = nil
		}
		if !pause(ctx, timer, wait, nil) {
			return
		}
		if c.settled.Load() != c.seen.Load() {
			continue
		}
		if !pause(ctx, timer, max(cs.opt.Refresh-wait, 0), c.kick) {
			return
		}
	}
}

// pause waits for d or for a kick, and reports whether ctx lives.
func pause(ctx context.Context, timer *time.Timer, d time.Duration, kick <-chan struct{}) bool {
	timer.Reset(d)
	select {
	case <-ctx.Done():
		return false
	case <-kick:
	case <-timer.C:
	}
	return ctx.Err() == nil
}

// read replaces the catalogue by what the database says now, and reports whether it could.
func (cs *catalogs) read(ctx context.Context, c *catalog, open func(context.Context) (Querier, error)) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			ok = false
			cs.opt.OnFault("catalogue", fmt.Errorf("panic of type %T", r))
		}
	}()
	rctx, cancel := context.WithTimeout(ctx, cs.opt.ConnectTimeout+cs.opt.Refresh)
	defer cancel()
	read, err := readCatalog(rctx, open)
	if err != nil {
		if ctx.Err() == nil {
			cs.opt.OnFault("catalogue", err)
		}
		return false
	}
	c.newest.Store(sql.NewSnapshot(*read))
	return true
}

// Queries of the catalogue. All of it is read in one transaction that only reads. Partitions, inherited tables and rules count as
// definitions: what touches a parent touches its children.
const (
	queryPath = `select nspname from unnest(current_schemas(false)) with ordinality as s(nspname, n) order by n`

	queryRelations = `select c.oid::int8, n.nspname, c.relname, c.relkind,
  case when c.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(c.oid) else '' end
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'v', 'm', 'f', 'p', 'S') and n.nspname !~ '^pg_toast' order by c.oid`

	// What types hold that columns and functions of users have, through domains, arrays, ranges and composites: documents as '', and attributes.
	queryTypes = `with recursive inner_type(whole, part) as (
  select t.oid, t.typbasetype from pg_catalog.pg_type t where t.typtype = 'd'
  union all select t.oid, t.typelem from pg_catalog.pg_type t where t.typelem <> 0 and t.typcategory = 'A'
  union all select r.rngtypid, r.rngsubtype from pg_catalog.pg_range r
  union all select (pg_catalog.to_jsonb(r) ->> 'rngmultitypid')::oid, r.rngsubtype from pg_catalog.pg_range r
  union all select t.oid, a.atttypid from pg_catalog.pg_type t join pg_catalog.pg_attribute a on a.attrelid = t.typrelid where t.typtype = 'c' and a.attnum > 0 and not a.attisdropped
), used(whole, part) as (
  select distinct a.atttypid, a.atttypid from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where a.attnum > 0 and c.relkind in ('r', 'v', 'm', 'f', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_toast'
  union select distinct p.prorettype, p.prorettype from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where n.nspname not in ('pg_catalog', 'information_schema')
  union select u.whole, i.part from used u join inner_type i on i.whole = u.part
)
select u.whole::int8, '' from used u join pg_catalog.pg_type t on t.oid = u.part where t.typname in ('json', 'jsonb', 'xml', 'hstore')
union all select u.whole::int8, n.nspname || '.' || c.relname || '.' || a.attname from used u join pg_catalog.pg_type t on t.oid = u.part and t.typtype = 'c'
join pg_catalog.pg_class c on c.oid = t.typrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by 1, 2`

	queryColumns = `select a.attrelid::int8, a.attnum, case when a.attisdropped then '' else a.attname end, a.atttypid::int8
from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where a.attnum > 0 and c.relkind in ('r', 'v', 'm', 'f', 'p', 'S') and n.nspname !~ '^pg_toast' order by a.attrelid, a.attnum`

	queryAttributes = `select n.nspname || '.' || c.relname || '.' || a.attname
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace join pg_catalog.pg_attribute a on a.attrelid = c.oid
where c.relkind = 'c' and a.attnum > 0 and not a.attisdropped order by 1`

	queryDefaults = `select d.adrelid::int8, pg_catalog.pg_get_expr(d.adbin, d.adrelid) from pg_catalog.pg_attrdef d order by d.adrelid, d.adnum`

	queryGenerated = `select d.adrelid::int8, d.adnum, pg_catalog.pg_get_expr(d.adbin, d.adrelid)
from pg_catalog.pg_attrdef d join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
where pg_catalog.to_jsonb(a) ->> 'attgenerated' <> '' order by d.adrelid, d.adnum` // which servers before 12 do not have

	queryRules = `select r.ev_class::int8, pg_catalog.pg_get_ruledef(r.oid) from pg_catalog.pg_rewrite r
where r.rulename <> '_RETURN' order by r.ev_class, r.rulename`

	queryPolicies = `select p.polrelid::int8, 'select ' || pg_catalog.concat_ws(', ', pg_catalog.pg_get_expr(p.polqual, p.polrelid),
  pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)) from pg_catalog.pg_policy p order by p.polrelid, p.polname`

	queryChildren = `select i.inhparent::int8, pg_catalog.format('select * from %I.%I', n.nspname, c.relname), n.nspname || '.' || c.relname
from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'f', 'p') order by i.inhparent, i.inhseqno`

	// What constraints, expressions of indexes and keys of partitions call runs when their relation is written to.
	queryCalls = `select r.relation::int8, pg_catalog.format('%I.%I()', n.nspname, p.proname)
from (select 'pg_catalog.pg_constraint'::regclass as class, oid, conrelid as relation from pg_catalog.pg_constraint where conrelid <> 0
  union all select 'pg_catalog.pg_class'::regclass, indexrelid, indrelid from pg_catalog.pg_index
  union all select 'pg_catalog.pg_class'::regclass, oid, oid from pg_catalog.pg_class where relkind = 'p') r
join pg_catalog.pg_depend d on d.classid = r.class and d.objid = r.oid and d.refclassid = 'pg_catalog.pg_proc'::regclass
join pg_catalog.pg_proc p on p.oid = d.refobjid join pg_catalog.pg_namespace n on n.oid = p.pronamespace order by r.relation, p.oid`

	queryFunctions = `select n.nspname, p.proname, l.lanname, p.provolatile,
  case when l.lanname not in ('sql', 'plpgsql') then '' when p.prosqlbody is null then p.prosrc else pg_catalog.pg_get_function_sqlbody(p.oid) end,
  ` + columnRuns + `, p.prorettype::int8, ` + columnArguments + `
from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace join pg_catalog.pg_language l on l.oid = p.prolang
order by p.oid`
	// Servers before 14 have no SQL-standard bodies.
	queryFunctionsOld = `select n.nspname, p.proname, l.lanname, p.provolatile,
  case when l.lanname in ('sql', 'plpgsql') then p.prosrc else '' end,
  ` + columnRuns + `, p.prorettype::int8, ` + columnArguments + `
from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace join pg_catalog.pg_language l on l.oid = p.prolang
order by p.oid`

	// columnRuns is what runs beside a function's body: the defaults of its arguments, the functions that an aggregate is made of, and settings that
	// make somebody else of it or change how its text is read.
	columnRuns = `case when n.nspname <> 'pg_catalog' then pg_catalog.concat_ws('; ',
    'select ' || pg_catalog.pg_get_expr(p.proargdefaults, 0),
    (select 'select ' || pg_catalog.string_agg(pg_catalog.format('%I.%I()', fn.nspname, f.proname), ', ')
    from pg_catalog.pg_aggregate a join pg_catalog.pg_proc f on f.oid in (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)
    join pg_catalog.pg_namespace fn on fn.oid = f.pronamespace where a.aggfnoid = p.oid),
    (select pg_catalog.string_agg(pg_catalog.format('set %I to %L', pg_catalog.split_part(c, '=', 1), pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1)), '; ')
    from pg_catalog.unnest(p.proconfig) c where pg_catalog.split_part(c, '=', 1) in ('role', 'session_authorization', 'session_replication_role',
      'standard_conforming_strings', 'client_encoding', 'transaction_read_only', 'default_transaction_read_only'))) else '' end`

	// columnArguments are the names of the arguments that a function returns, each in a line.
	columnArguments = `case when n.nspname not in ('pg_catalog', 'information_schema') then (select pg_catalog.string_agg(n.nspname || '.' || p.proname || '.' || a.name, E'\n')
    from unnest(p.proargnames, p.proargmodes) a(name, mode) where a.mode in ('o', 'b', 't') and a.name <> '') end`

	queryTriggers = `select n.nspname, c.relname, fn.nspname || '.' || f.proname
from (select oid, tgrelid, tgfoid from pg_catalog.pg_trigger where not tgisinternal
  union select t.oid, t.tgrelid, d.refobjid from pg_catalog.pg_trigger t -- what WHEN calls
  join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_trigger'::regclass and d.objid = t.oid and d.refclassid = 'pg_catalog.pg_proc'::regclass
  where not t.tgisinternal) t
join pg_catalog.pg_class c on c.oid = t.tgrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_proc f on f.oid = t.tgfoid join pg_catalog.pg_namespace fn on fn.oid = f.pronamespace order by t.oid, f.oid`
)

// readCatalog reads the whole catalogue over a connection of its own.
func readCatalog(ctx context.Context, open func(context.Context) (Querier, error)) (*sql.Catalog, error) {
	q, err := open(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to read the catalogue: %w", err)
	}
	defer func() { _ = q.Close(context.WithoutCancel(ctx)) }()
	if _, err := q.Query(ctx, "begin isolation level repeatable read read only"); err != nil {
		return nil, fmt.Errorf("read the catalogue: %w", err)
	}
	version, err := q.Query(ctx, "select current_setting('server_version_num')")
	if err != nil {
		return nil, fmt.Errorf("read the server's version: %w", err)
	}
	functions := queryFunctions
	if len(version) != 1 || len(version[0]) != 1 || len(version[0][0]) == 6 && version[0][0] < "140000" {
		functions = queryFunctionsOld
	}
	r := &catalogReader{at: make(map[string]int), types: make(map[string]*sql.Type)}
	for _, step := range []struct {
		what, query string
		width       int
		take        func(row []string) error
	}{
		{"search path", queryPath, 1, r.path},
		// From here on the server spells all names out but its own, whatever its roles' settings are.
		{"setting", "set local search_path to pg_catalog", 0, nil},
		{"relations", queryRelations, 5, r.relation},
		{"types", queryTypes, 2, r.typed},
		{"attributes", queryAttributes, 1, r.attribute},
		{"columns", queryColumns, 4, r.column},
		{"defaults", queryDefaults, 2, r.expression},
		{"generated columns", queryGenerated, 3, r.generated},
		{"calls", queryCalls, 2, r.expression},
		{"rules", queryRules, 2, r.definition},
		{"policies", queryPolicies, 2, r.definition},
		{"children", queryChildren, 3, r.child},
		{"functions", functions, 8, r.function},
		{"triggers", queryTriggers, 3, r.trigger},
	} {
		rows, err := q.Query(ctx, step.query)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", step.what, err)
		}
		for _, row := range rows {
			if len(row) != step.width {
				return nil, fmt.Errorf("read %s: %d columns instead of %d", step.what, len(row), step.width)
			}
			if err := step.take(row); err != nil {
				return nil, fmt.Errorf("read %s: %w", step.what, err)
			}
		}
	}
	return &r.out, nil
}

// catalogReader puts rows in their places.
type catalogReader struct {
	out sql.Catalog
	at  map[string]int // index in out.Relations by OID
	// types are those that hold something of note, by OID
	types map[string]*sql.Type
}

func (r *catalogReader) path(row []string) error {
	r.out.SearchPath = append(r.out.SearchPath, row[0])
	return nil
}

func (r *catalogReader) relation(row []string) error {
	oid, err := strconv.ParseUint(row[0], 10, 32)
	if err != nil || row[3] == "" {
		return errors.New("a relation without OID or kind")
	}
	r.at[row[0]] = len(r.out.Relations)
	r.out.Relations = append(r.out.Relations, sql.Relation{
		OID: uint32(oid), Schema: row[1], Name: row[2], Kind: row[3][0], Definition: row[4],
	})
	return nil
}

// column places a name by its attribute number.
func (r *catalogReader) column(row []string) error {
	i, ok := r.at[row[0]]
	if !ok {
		return nil
	}
	n, err := strconv.Atoi(row[1])
	if err != nil || n < 1 || n > 1600 {
		return errors.New("an attribute's number out of range")
	}
	rel := &r.out.Relations[i]
	if n > len(rel.Columns) {
		rel.Columns = append(rel.Columns, make([]string, n-len(rel.Columns))...)
	}
	rel.Columns[n-1] = row[2]
	if t := r.types[row[3]]; t != nil {
		rel.Types = append(rel.Types, make([]*sql.Type, max(0, n-len(rel.Types)))...)
		rel.Types[n-1] = t
	}
	return nil
}

func (r *catalogReader) attribute(row []string) error {
	r.out.Attributes = append(r.out.Attributes, row[0])
	return nil
}

// typed adds to a type an attribute of a composite, or that it may hold documents.
func (r *catalogReader) typed(row []string) error {
	t := r.types[row[0]]
	if t == nil {
		t = &sql.Type{}
		r.types[row[0]] = t
	}
	if row[1] == "" {
		t.Document = true
	} else {
		t.Attributes = append(t.Attributes, row[1])
	}
	return nil
}

func (r *catalogReader) expression(row []string) error {
	if i, ok := r.at[row[0]]; ok {
		r.out.Relations[i].Defaults = append(r.out.Relations[i].Defaults, row[1])
	}
	return nil
}

// generated places an expression by its column's number.
func (r *catalogReader) generated(row []string) error {
	i, ok := r.at[row[0]]
	n, err := strconv.Atoi(row[1])
	if !ok || err != nil || n < 1 || n > len(r.out.Relations[i].Columns) {
		return err
	}
	rel := &r.out.Relations[i]
	rel.Generated = append(rel.Generated, make([]string, max(0, n-len(rel.Generated)))...)
	rel.Generated[n-1] = row[2]
	return nil
}

// definition adds SQL that runs when the relation is touched.
func (r *catalogReader) definition(row []string) error {
	i, ok := r.at[row[0]]
	if !ok {
		return nil
	}
	rel := &r.out.Relations[i]
	text := strings.TrimRight(row[1], "; \n")
	if old := strings.TrimRight(rel.Definition, "; \n"); old != "" {
		text = old + ";\n" + text
	}
	rel.Definition = text
	return nil
}

// child adds a table whose rows the relation shows as its own.
func (r *catalogReader) child(row []string) error {
	if i, ok := r.at[row[0]]; ok {
		r.out.Relations[i].Children = append(r.out.Relations[i].Children, row[2])
	}
	return r.definition(row)
}

func (r *catalogReader) function(row []string) error {
	if row[3] == "" {
		return errors.New("a function without volatility")
	}
	f := sql.Function{Schema: row[0], Name: row[1], Language: row[2], Volatile: row[3][0], Source: row[4], Runs: row[5]}
	if row[7] != "" {
		f.Returns = strings.Split(row[7], "\n")
	}
	if t := r.types[row[6]]; t != nil && row[0] != "pg_catalog" {
		f.Returns = append(f.Returns, t.Attributes...)
	}
	r.out.Functions = append(r.out.Functions, f)
	return nil
}

func (r *catalogReader) trigger(row []string) error {
	r.out.Triggers = append(r.out.Triggers, sql.Trigger{Schema: row[0], Relation: row[1], Function: row[2]})
	return nil
}
