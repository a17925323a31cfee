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
	key         func(dst []byte, text string) ([]byte, bool)
	fingerprint func(text string) string
	column      func(oid uint32, attr int16) (relation, column string, ok bool)
	columns     func(relation string) []string                   // in order, nil when not known
	origin      func(relation, column string) (sql.Origin, bool) // of a view's column
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
		version: func() any { return o.Snapshot() },
	}
}

// anyPath is the search path of a session that has changed it: names may mean any schema.
const anyPath = "$any"

// searchPath is a search path as its setting spells it, without "$user".
func searchPath(setting string) []string {
	switch setting {
	case "":
		return nil
	case anyPath:
		return []string{"$user"}
	}
	var out []string
	for _, p := range strings.Split(setting, ",") {
		p = strings.TrimSpace(p)
		if q := strings.Trim(p, `"`); q != p {
			p = q
		} else {
			p = strings.ToLower(p)
		}
		if p != "" && p != "$user" {
			out = append(out, p)
		}
	}
	return out
}
