package state

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"weir"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migration is one step of the schema.
type migration struct {
	version  int
	name     string
	sql      string
	checksum string
}

// steps reads the migrations of a directory: NNNN_name.sql, numbered from 1 without gaps.
func steps(dir fs.FS) ([]migration, error) {
	names, err := fs.Glob(dir, "migrations/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	var all []migration
	for i, name := range names {
		base := strings.TrimSuffix(path.Base(name), ".sql")
		number, title, ok := strings.Cut(base, "_")
		v, err := strconv.Atoi(number)
		if !ok || err != nil || len(number) != 4 || v != i+1 {
			return nil, fmt.Errorf("migration %s is not named %04d_….sql", name, i+1)
		}
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		all = append(all, migration{version: v, name: title, sql: string(text), checksum: hex.EncodeToString(sum[:])})
	}
	return all, nil
}

func (d *DB) migrate(ctx context.Context, now func() time.Time) error {
	all, err := steps(migrations)
	if err != nil {
		return err
	}
	return d.apply(ctx, all, now)
}

// apply brings the schema up to the last of the steps. All that is missing is applied in one transaction, so that two
// processes that start together do not both apply it and a failure leaves the schema as it was.
func (d *DB) apply(ctx context.Context, all []migration, now func() time.Time) error {
	return d.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_migrations (
			version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)`)
		if err != nil {
			return fmt.Errorf("make schema_migrations: %w", err)
		}
		done, err := d.applied(ctx, tx, all)
		if err != nil {
			return err
		}
		for _, m := range all[done:] {
			if _, err := tx.ExecContext(ctx, m.sql); err != nil {
				return fmt.Errorf("migration %04d_%s: %w", m.version, m.name, err)
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)`,
				m.version, m.name, m.checksum, micros(now())); err != nil {
				return fmt.Errorf("note migration %04d_%s: %w", m.version, m.name, err)
			}
		}
		return nil
	})
}

// applied returns how many of the steps the database has, and an error if it has others.
func (d *DB) applied(ctx context.Context, tx *sql.Tx, all []migration) (int, error) {
	rows, err := tx.QueryContext(ctx, `SELECT version, checksum FROM schema_migrations ORDER BY version`)
	if err != nil {
		return 0, fmt.Errorf("read schema_migrations: %w", err)
	}
	have, err := gather(rows, func(s scanner) (migration, error) {
		var m migration
		err := s.Scan(&m.version, &m.checksum)
		return m, err
	})
	if err != nil {
		return 0, fmt.Errorf("read schema_migrations: %w", err)
	}
	for i, m := range have {
		switch {
		case i >= len(all):
			return 0, weir.NewError(weir.Unavailable, fmt.Sprintf(
				"the state database %s has schema %d and this weir knows schema %d; run the newer weir, or restore the backup from before the upgrade",
				d.path, have[len(have)-1].version, len(all)), errors.New("schema is newer"))
		case m.version != all[i].version || m.checksum != all[i].checksum:
			return 0, weir.NewError(weir.Unavailable, fmt.Sprintf(
				"the state database %s was made by another build of weir (migration %d differs); run that build, or restore a backup",
				d.path, all[i].version), errors.New("migration differs"))
		}
	}
	return len(have), nil
}
