package postgres

import (
	"strings"

	"weir"
	"weir/rules/sql"
)

// grammar is what the codec asks rules/sql.
type grammar struct {
	classify    func(text string, prepared func(name string) *weir.SQL) *weir.SQL
	note        func(text string, s *weir.SQL) (changed bool) // what a text that is about to run does to names
	portal      func(name string, s *weir.SQL)                // notes one that statements may fetch from; may be nil
	cursor      func(name string) bool                        // statements may have made one of the name; may be nil
	made        func(text string)                             // may be nil
	failed      func(text string)                             // may be nil
	ended       func(stays bool)                              // of a transaction; may be nil
	own         func(relation string) bool                    // the session may have made it, or made it anew; may be nil
	reads       func(s *weir.SQL) bool                        // a statement may read what the session made; may be nil
	key         func(dst []byte, text string) ([]byte, bool)
	fingerprint func(text string) string
	column      func(oid uint32, attr int16) (relation, column string, ok bool)
	columns     func(relation string) []string                   // in order, nil when not known
	origin      func(relation, column string) (sql.Origin, bool) // of a view's column
	document    func(relation, column string) bool               // its type may hold documents; may be nil
	members     func(name string) []string                       // columns and attributes of all that is called so, "schema.relation.column"; may be nil
	version     func() any                                       // changes when classifications are no longer good
}

// newGrammar asks rules/sql by the newest catalogue.
func newGrammar(o *CodecOptions, path func() []string) grammar {
	names := &sql.Names{}
	input := func() sql.Input {
		return sql.Input{Snapshot: o.Snapshot(), SearchPath: path(), Conforming: true, MaxBytes: o.MaxStatement, Names: names}
	}
	return grammar{
		classify: func(text string, prepared func(string) *weir.SQL) *weir.SQL {
			in := input()
			in.Prepared = prepared
			return sql.Classify(text, in)
		},
		note:        func(text string, s *weir.SQL) bool { return names.Note(text, s, input()) },
		portal:      names.Portal,
		cursor:      func(name string) bool { return names.Cursor(name) != nil },
		made:        func(text string) { names.Made(text, input()) },
		failed:      func(text string) { names.Failed(text, input()) },
		ended:       names.Ended,
		own:         func(relation string) bool { return names.Own(o.Snapshot(), relation) },
		reads:       names.Reads,
		key:         func(dst []byte, text string) ([]byte, bool) { return sql.AppendKey(dst, text, true) },
		fingerprint: func(text string) string { return sql.Fingerprint(text, true) },
		column: func(oid uint32, attr int16) (string, string, bool) {
			if s := o.Snapshot(); s != nil {
				return s.Column(oid, attr)
			}
			return "", "", false
		},
		columns: func(relation string) []string {
			if s := o.Snapshot(); s != nil {
				return s.Columns(relation)
			}
			return nil
		},
		origin: func(relation, column string) (sql.Origin, bool) {
			if s := o.Snapshot(); s != nil {
				return s.Origin(relation, column)
			}
			return sql.Origin{}, false
		},
		document: func(relation, column string) bool {
			s := o.Snapshot()
			return s != nil && s.Document(relation, column)
		},
		members: func(name string) []string { return names.Members(o.Snapshot(), name) },
		version: func() any { return o.Snapshot() },
	}
}

// anyPath is the search path of a session that has changed it: names may mean any schema.
const anyPath = "$any"

// searchPath is a search path as its setting spells it, with user for "$user". What cannot be read may be any.
func searchPath(setting, user string) []string {
	if setting == anyPath {
		return []string{"$user"}
	}
	var out []string
	for rest := strings.TrimSpace(setting); rest != ""; {
		var name string
		if rest[0] == '"' {
			var n int
			name, n = quotedName(rest)
			rest = strings.TrimSpace(rest[n:])
		} else {
			n := strings.IndexByte(rest, ',')
			if n < 0 {
				n = len(rest)
			}
			name, rest = strings.ToLower(strings.TrimSpace(rest[:n])), rest[n:]
		}
		if rest != "" && rest[0] != ',' {
			return []string{"$user"}
		}
		rest = strings.TrimSpace(strings.TrimPrefix(rest, ","))
		if name == "$user" {
			if name = user; name == "" {
				return []string{"$user"}
			}
		}
		if name != "" {
			out = append(out, name)
		}
	}
	return out
}

// quotedName reads the name between the quotes that s begins with, doubled ones undone, and how long it is with them. One that does not end takes all of s.
func quotedName(s string) (name string, n int) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] == '"' {
			if i+1 >= len(s) || s[i+1] != '"' {
				return b.String(), i + 1
			}
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), len(s)
}

// keptRecent is how many texts a session remembers to tell by one look that a text is like one of them.
const keptRecent = 8

// recent are texts that were found in the cache, with what was found. Only those that take nothing out of documents are kept: what others do may hang on
// more than their keys.
type recent struct {
	epoch int
	kept  []recentText
	next  int
}

type recentText struct {
	template sql.Template
	facts    *facts
}

// find returns the facts of a text that is like one that was kept; nil when none is.
func (r *recent) find(text string, epoch int) *facts {
	if r.epoch != epoch {
		return nil
	}
	for i := range r.kept {
		if r.kept[i].template.Like(text) {
			return r.kept[i].facts
		}
	}
	return nil
}

// keep remembers what was found of a text, which has a key.
func (r *recent) keep(text string, f *facts, epoch int) {
	if mayPick(text) {
		return
	}
	template, ok := sql.NewTemplate(text, true)
	if !ok {
		return
	}
	if r.epoch != epoch {
		*r = recent{epoch: epoch}
	}
	if len(r.kept) < keptRecent {
		r.kept = append(r.kept, recentText{template, f})
		return
	}
	r.kept[r.next] = recentText{template, f}
	r.next = (r.next + 1) % keptRecent
}
