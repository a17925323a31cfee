// Package state keeps what a gateway must remember besides its evidence: users, verifiers of their credentials, grants, requests for
// approval. It is an SQLite database; the SQL is such that PostgreSQL takes it as well.
//
// It must never hold evidence, and never a secret: of what is issued it gets verifiers, of passwords argon2id
// hashes, of commands their masked text. It decides nothing; access/identity and access/approval do.
//
// A DB is safe for concurrent use. Each method is one transaction, durable (fsynced) when it returns nil.
package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"weir"
	"weir/access/approval"
	"weir/access/identity"
)

var (
	_ identity.Store = (*DB)(nil)
	_ approval.Store = (*DB)(nil)
)

// busyTimeout is how long a transaction waits for another process's, in milliseconds.
const busyTimeout = "5000"

// connections is how many readers may work at a time, beside each other and one writer.
const connections = 4

// DB is an open database.
type DB struct {
	sql  *sql.DB
	path string
}

// Open opens the database file, makes it if there is none, for its owner alone (mode 0600), and brings its tables up to date. The
// directory must exist. An error is a *weir.Error whose public text names the file and what to do.
func Open(ctx context.Context, path string, now func() time.Time) (*DB, error) {
	if now == nil {
		return nil, errors.New("state without clock")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find state: %w", err)
	}
	if err := own(path); err != nil {
		return nil, err
	}
	c, err := sqlite.NewConnector(dsn(path))
	if err != nil {
		return nil, trouble(path, err)
	}
	d := &DB{sql: sql.OpenDB(c), path: path}
	d.sql.SetMaxOpenConns(connections)
	d.sql.SetMaxIdleConns(connections)
	if err := d.check(ctx); err != nil {
		return nil, errors.Join(trouble(path, err), d.sql.Close())
	}
	if err := d.migrate(ctx, now); err != nil {
		return nil, errors.Join(trouble(path, err), d.sql.Close())
	}
	return d, nil
}

// Close closes the database and leaves one file without a write-ahead log.
func (d *DB) Close() error { return d.sql.Close() }

// Purge deletes what ended before the time and that nobody asks for any more: credentials, grants, requests and their votes.
func (d *DB) Purge(ctx context.Context, before time.Time) error {
	return d.write(ctx, func(tx *sql.Tx) error {
		for _, q := range []string{
			`DELETE FROM credentials WHERE expires_at < $1`,
			`DELETE FROM grants WHERE expires_at < $1`,
			`DELETE FROM requests WHERE expires_at < $1`,
		} {
			if _, err := tx.ExecContext(ctx, q, micros(before)); err != nil {
				return err
			}
		}
		return nil
	})
}

// own makes the file if need be and takes it from everybody else. SQLite gives its side files the same mode.
func own(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return trouble(path, err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errors.New("not a regular file")
	case info.Mode().Perm()&0o077 != 0:
		err = f.Chmod(0o600)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return trouble(path, err)
	}
	return nil
}

func dsn(path string) string {
	q := url.Values{
		"_txlock": {"immediate"}, // a transaction that read first could not become a writer while another writes
		"_dqs":    {"0"},
		"_pragma": {
			"busy_timeout(" + busyTimeout + ")", "journal_mode(WAL)", "synchronous(FULL)",
			"foreign_keys(1)", "secure_delete(1)", "trusted_schema(0)",
		},
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}
	return u.String()
}

// check finds damage before anything is built on it.
func (d *DB) check(ctx context.Context) error {
	var verdict string
	if err := d.sql.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return &damage{verdict}
	}
	return nil
}

type damage struct{ verdict string }

func (d *damage) Error() string { return d.verdict }

// trouble turns an error at opening into one that says what to do. One that does so already is returned as it is.
func trouble(path string, err error) error {
	var public *weir.Error
	if err == nil || errors.As(err, &public) {
		return err
	}
	var broken *damage
	var s *sqlite.Error
	code := -1
	if errors.As(err, &s) {
		code = s.Code() & 0xff
	}
	dir := filepath.Dir(path)
	var text string
	switch {
	case errors.As(err, &broken) || code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB:
		text = fmt.Sprintf("the state database %s is damaged; restore it from a backup, or move it away to start without users and grants", path)
	case errors.Is(err, os.ErrNotExist):
		text = fmt.Sprintf("the directory %s does not exist; create it or set data_dir to one that does", dir)
	case errors.Is(err, os.ErrPermission) || code == sqlite3.SQLITE_READONLY || code == sqlite3.SQLITE_CANTOPEN || code == sqlite3.SQLITE_PERM || readOnly(err):
		text = fmt.Sprintf("the state database %s cannot be written; make the file and its directory writable for the user that runs weir", path)
	case code == sqlite3.SQLITE_FULL:
		text = fmt.Sprintf("there is no space left for the state database %s; free some", path)
	case code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED:
		text = fmt.Sprintf("the state database %s is in use by another process; stop it first", path)
	default:
		text = fmt.Sprintf("the state database %s cannot be opened; check that it is a plain file on a working local disk", path)
	}
	return weir.NewError(weir.Unavailable, text, err)
}

// write runs f in a transaction that no other writer interrupts.
func (d *DB) write(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.sql.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := f(tx); err != nil {
		return errors.Join(err, undo(tx))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func undo(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

// taken reports whether a row could not be stored because something unique is there already.
func taken(err error) bool {
	var s *sqlite.Error
	return errors.As(err, &s) && (s.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || s.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// orphan reports whether a row could not be stored because what it refers to is gone.
func orphan(err error) bool {
	var s *sqlite.Error
	return errors.As(err, &s) && s.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
}

// micros is a time as it is stored; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// list is a []string as it is stored; nil and empty are the same.
func list(s []string) string {
	if len(s) == 0 {
		return "[]"
	}
	b, err := json.Marshal(s)
	if err != nil {
		return "[]" // strings always marshal
	}
	return string(b)
}

func unlist(text string) ([]string, error) {
	var s []string
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return nil, fmt.Errorf("read list: %w", err)
	}
	if len(s) == 0 {
		return nil, nil
	}
	return s, nil
}

// scanner is a row.
type scanner interface{ Scan(dest ...any) error }

// gather reads all rows with one and closes them.
func gather[T any](rows *sql.Rows, one func(scanner) (T, error)) ([]T, error) {
	var out []T
	for rows.Next() {
		v, err := one(rows)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		out = append(out, v)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}
