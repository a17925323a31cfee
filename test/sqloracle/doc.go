// Package sqloracle holds rules/sql to PostgreSQL's own parser. It is its own module because that parser needs cgo.
package sqloracle
