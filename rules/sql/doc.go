// Package sql tells what SQL statements do without running them: a complete lexer of the dialect, and a classifier that
// over-approximates. Every identifier that names an object counts as touched; views, functions, triggers and defaults are followed
// through a snapshot of the database's catalogue; text that something would run counts as dynamic.
//
// It must never call a statement harmless because it could not read it: what it cannot tell is in weir.SQL.Unclear. Pure; a Snapshot is
// immutable and safe for concurrent use.
//
// It sees only names. What runs without one is not told: functions behind operators, casts, types and index methods that users made, what
// foreign keys cascade to, and objects that were made after the snapshot was read, where they hide behind known names. A snapshot must
// therefore be read anew after definitions change, and what a session makes must be given to Input.Made.
package sql
