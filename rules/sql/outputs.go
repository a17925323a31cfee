package sql

import "weir"

// harmlessCallTable holds functions of pg_catalog whose results carry nothing of any column's values, whatever their arguments.
var harmlessCallTable = set(`count now version pg_backend_pid current_database clock_timestamp statement_timestamp transaction_timestamp timeofday
random gen_random_uuid pg_is_in_recovery inet_server_addr inet_server_port inet_client_addr inet_client_port pg_postmaster_start_time
pg_conf_load_time txid_current pg_current_xact_id current_schema`)

// harmlessWordTable holds words that may stand in expressions without columns.
var harmlessWordTable = set(`null true false and or not is current_date current_time current_timestamp localtime localtimestamp current_user
session_user current_role current_catalog current_schema user`)

// typeTable holds types that a harmless value may be cast to.
var typeTable = set(`text int integer int2 int4 int8 bigint smallint boolean bool numeric real float8 float4 date timestamp timestamptz time
interval uuid varchar name oid`)

// outputs tells about the result columns of a single plain SELECT; nil when it is not one.
func (s *scan) outputs() []weir.Output {
	if s.f.unclear != "" {
		return nil
	}
	spans := s.outputSpans()
	if len(spans) == 0 {
		return nil
	}
	out := make([]weir.Output, len(spans))
	for i, span := range spans {
		out[i].Harmless = s.harmless(span[0], span[1])
	}
	return out
}

// outputSpans are where the result columns of a single plain SELECT stand among the tokens; nil when it is not one.
func (s *scan) outputSpans() [][2]int {
	hi := len(s.toks)
	if hi > 0 && s.is(hi-1, ";") {
		hi--
	}
	if !s.is(0, "select") {
		return nil
	}
	i := 1
	if s.is(i, "all") {
		i++
	} else if s.is(i, "distinct") {
		i++
		if s.is(i, "on") && s.is(i+1, "(") && s.toks[i+1].match > 0 {
			i = s.toks[i+1].match + 1
		}
	}
	var out [][2]int
	start, end := i, -1
	for ; i <= hi; i++ {
		switch {
		case i == hi || s.toks[i].Kind == Word && s.isAny(i, "from", "into", "where", "group", "having", "window", "order", "limit", "offset", "fetch", "for"):
			if end >= 0 || s.isLabel(i) {
				continue
			}
			end = i
			if i > start {
				out = append(out, [2]int{start, i})
			} else if len(out) > 0 {
				return nil
			}
		case s.isAny(i, "union", "intersect", "except"):
			return nil
		case s.is(i, "(") || s.is(i, "["):
			if s.toks[i].match < 0 {
				return nil
			}
			i = s.toks[i].match
		case end < 0 && s.is(i, "*") && s.isStar(i):
			return nil
		case end < 0 && s.is(i, ","):
			out = append(out, [2]int{start, i})
			start = i + 1
		}
	}
	return out
}

// isLabel tells whether the word at i is a column's label or a field, or no clause: SELECT a.from, a AS from, a IS DISTINCT FROM b.
func (s *scan) isLabel(i int) bool {
	return i < len(s.toks) && (s.is(i-1, ".") || s.is(i-1, "as") || s.is(i, "from") && s.is(i-1, "distinct") && s.isAny(i-2, "is", "not"))
}

// harmless tells whether the expression from lo to hi, with its label, surely carries nothing of any column's values.
func (s *scan) harmless(lo, hi int) bool {
	if hi-2 > lo && s.is(hi-2, "as") {
		hi -= 2
	} else if hi-1 > lo && s.isName(hi-1) && s.operand(hi-2) && !in(harmlessWordTable, s.toks[hi-1].word) {
		hi--
	}
	if hi <= lo {
		return false
	}
	for i := lo; i < hi; i++ {
		switch t := &s.toks[i]; t.Kind {
		case String, Escaped, UString, Dollar, Param, Number:
		case Operator:
			if t.word == "::" {
				if !s.isWord(i+1) || !in(typeTable, s.toks[i+1].word) {
					return false
				}
				i++
			}
		case Mark:
			if t.word != "(" && t.word != ")" {
				return false
			}
		case Word:
			if s.is(i+1, "(") && s.toks[i+1].match > 0 && in(harmlessCallTable, t.word) && s.builtin(t.word) && !s.is(i-1, ".") &&
				(t.word == "count" || s.toks[i+1].match == i+2) {
				i = s.toks[i+1].match
			} else if in(typeTable, t.word) && i+1 < hi && s.toks[i+1].Kind == String {
				i++
			} else if !in(harmlessWordTable, t.word) || s.is(i+1, "(") || s.is(i+1, ".") || s.is(i-1, ".") {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// builtin tells whether a name can only be a function of pg_catalog.
func (s *scan) builtin(name string) bool {
	found := s.c.in.Snapshot.routines(s.c.path, "", name, s.c.any)
	for _, fn := range found {
		if fn.schema != "pg_catalog" {
			return false
		}
	}
	return len(found) > 0 && s.made("", name) == nil
}
