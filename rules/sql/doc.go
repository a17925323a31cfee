// Package sql tells what SQL statements do without running them: a complete lexer of the dialect, and a classifier that
// over-approximates. Every identifier that names an object counts as touched; views, functions, triggers and defaults are followed
// through a snapshot of the database's catalogue; text that something would run counts as dynamic.
//
// It must never call a statement harmless because it could not read it: what it cannot tell is in weir.SQL.Unclear. Pure; a Snapshot is
// immutable and safe for concurrent use.
package sql
