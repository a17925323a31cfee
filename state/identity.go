package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"weir"
	"weir/access/identity"
)

const userColumns = `users.id, users.name, users.kind, users.group_names, users.is_admin, users.is_disabled, users.password_hash, users.created_at`

// userRow is a user as it is read.
type userRow struct {
	user         identity.User
	kind, groups string
	hash         string
	created      int64
}

func (r *userRow) dest() []any {
	return []any{&r.user.ID, &r.user.Name, &r.kind, &r.groups, &r.user.Admin, &r.user.Disabled, &r.hash, &r.created}
}

func (r *userRow) done() (identity.User, error) {
	var err error
	if r.user.Groups, err = unlist(r.groups); err != nil {
		return identity.User{}, err
	}
	r.user.Kind, r.user.HasPassword, r.user.Created = kindOf(r.kind), r.hash != "", instant(r.created)
	return r.user, nil
}

func scanUser(s scanner) (identity.User, error) {
	var r userRow
	if err := s.Scan(r.dest()...); err != nil {
		return identity.User{}, err
	}
	return r.done()
}

func kindOf(s string) weir.Kind {
	switch s {
	case weir.Human.String():
		return weir.Human
	case weir.Machine.String():
		return weir.Machine
	}
	return weir.KindUnknown
}

// InsertUser implements identity.UserStore.
func (d *DB) InsertUser(ctx context.Context, u *identity.User, passwordHash string) error {
	return d.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO users (id, name, kind, group_names, is_admin, is_disabled, password_hash, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			string(u.ID), u.Name, u.Kind.String(), list(u.Groups), flag(u.Admin), flag(u.Disabled), passwordHash, micros(u.Created))
		if taken(err) {
			return errors.Join(identity.ErrExists, err)
		}
		return err
	})
}

// Users implements identity.UserStore.
func (d *DB) Users(ctx context.Context, f identity.UserFilter) ([]identity.User, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT `+userColumns+` FROM users
		WHERE ($1 = '' OR id = $1) AND ($2 = '' OR name = $2) ORDER BY name`, string(f.ID), f.Name)
	if err != nil {
		return nil, err
	}
	return gather(rows, scanUser)
}

// ChangeUser implements identity.UserStore.
func (d *DB) ChangeUser(ctx context.Context, id weir.UserID, change func(*identity.User) error) (identity.User, error) {
	var u identity.User
	err := d.write(ctx, func(tx *sql.Tx) error {
		var err error
		u, err = scanUser(tx.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE id = $1`, string(id)))
		if err != nil {
			return missing(err, identity.ErrNotFound)
		}
		if err := change(&u); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE users SET group_names = $2, is_admin = $3, is_disabled = $4 WHERE id = $1`,
			string(id), list(u.Groups), flag(u.Admin), flag(u.Disabled))
		return err
	})
	if err != nil {
		return identity.User{}, err
	}
	return u, nil
}

// DeleteUser implements identity.UserStore.
func (d *DB) DeleteUser(ctx context.Context, id weir.UserID) error {
	return d.write(ctx, func(tx *sql.Tx) error {
		return affected(tx.ExecContext(ctx, `DELETE FROM users WHERE id = $1`, string(id)))
	})
}

// PasswordHash implements identity.PasswordStore.
func (d *DB) PasswordHash(ctx context.Context, name string) (identity.User, string, error) {
	var r userRow
	if err := d.sql.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE name = $1`, name).Scan(r.dest()...); err != nil {
		return identity.User{}, "", missing(err, identity.ErrNotFound)
	}
	u, err := r.done()
	return u, r.hash, err
}

// SetPasswordHash implements identity.PasswordStore.
func (d *DB) SetPasswordHash(ctx context.Context, id weir.UserID, hash string) error {
	return d.write(ctx, func(tx *sql.Tx) error {
		if err := affected(tx.ExecContext(ctx, `UPDATE users SET password_hash = $2 WHERE id = $1`, string(id), hash)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM credentials WHERE user_id = $1 AND type = $2`, string(id), string(identity.Browser))
		return err
	})
}

const credentialColumns = `credentials.id, credentials.type, credentials.user_id, users.name, credentials.name, credentials.resource,
	credentials.login, credentials.created_at, credentials.created_by, credentials.expires_at, credentials.last_used_at,
	credentials.public_key, credentials.serial`

type credentialRow struct {
	cred                       identity.Credential
	login                      sql.NullString
	created, expires, lastUsed int64
	serial                     int64
}

func (r *credentialRow) dest() []any {
	c := &r.cred
	return []any{&c.ID, &c.Type, &c.User, &c.UserName, &c.Name, &c.Resource, &r.login, &r.created, &c.CreatedBy, &r.expires, &r.lastUsed, &c.PublicKey, &r.serial}
}

func (r *credentialRow) done() identity.Credential {
	r.cred.Login, r.cred.Serial = r.login.String, uint64(r.serial) //nolint:gosec // never negative
	r.cred.Created, r.cred.Expires, r.cred.LastUsed = instant(r.created), instant(r.expires), instant(r.lastUsed)
	return r.cred
}

// InsertCredential implements identity.CredentialStore.
func (d *DB) InsertCredential(ctx context.Context, c *identity.Credential, verifiers []identity.Verifier, most int) error {
	return d.write(ctx, func(tx *sql.Tx) error {
		var have int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM credentials WHERE user_id = $1 AND expires_at > $2`,
			string(c.User), micros(c.Created)).Scan(&have); err != nil {
			return err
		}
		if have >= most {
			return identity.ErrTooMany
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO credentials
			(id, type, user_id, name, resource, login, created_at, created_by, expires_at, last_used_at, public_key, serial)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			string(c.ID), string(c.Type), string(c.User), c.Name, c.Resource, sql.NullString{String: c.Login, Valid: c.Login != ""},
			micros(c.Created), c.CreatedBy, micros(c.Expires), micros(c.LastUsed), c.PublicKey, int64(c.Serial))
		for i := 0; i < len(verifiers) && err == nil; i++ {
			_, err = tx.ExecContext(ctx, `INSERT INTO verifiers (scheme, verifier, credential_id) VALUES ($1, $2, $3)`,
				string(verifiers[i].Scheme), verifiers[i].Value, string(c.ID))
		}
		switch {
		case taken(err):
			return errors.Join(identity.ErrExists, err)
		case orphan(err):
			return errors.Join(identity.ErrNotFound, err)
		}
		return err
	})
}

// CredentialByVerifier implements identity.CredentialStore.
func (d *DB) CredentialByVerifier(ctx context.Context, v identity.Verifier) (identity.Credential, identity.User, error) {
	c, u, _, err := d.oneCredential(ctx, `verifiers.scheme = $1 AND verifiers.verifier = $2`, string(v.Scheme), v.Value)
	return c, u, err
}

// CredentialByLogin implements identity.CredentialStore.
func (d *DB) CredentialByLogin(ctx context.Context, login string, s identity.Scheme) (identity.Credential, identity.User, string, error) {
	return d.oneCredential(ctx, `credentials.login = $1 AND verifiers.scheme = $2`, login, string(s))
}

// CredentialByID implements identity.CredentialStore.
func (d *DB) CredentialByID(ctx context.Context, id weir.CredentialID) (identity.Credential, identity.User, error) {
	c, u, _, err := d.oneCredential(ctx, `credentials.id = $1 LIMIT 1`, string(id))
	return c, u, err
}

// oneCredential returns the credential that where selects, its user, and its verifier if where selects one.
func (d *DB) oneCredential(ctx context.Context, where string, args ...any) (identity.Credential, identity.User, string, error) {
	var c credentialRow
	var u userRow
	var verifier sql.NullString
	err := d.sql.QueryRowContext(ctx, `SELECT `+credentialColumns+`, `+userColumns+`, verifiers.verifier FROM credentials
		JOIN users ON users.id = credentials.user_id LEFT JOIN verifiers ON verifiers.credential_id = credentials.id
		WHERE `+where, args...).Scan(append(append(c.dest(), u.dest()...), &verifier)...)
	if err != nil {
		return identity.Credential{}, identity.User{}, "", missing(err, identity.ErrNotFound)
	}
	user, err := u.done()
	return c.done(), user, verifier.String, err
}

const credentialFilter = ` ($1 = '' OR credentials.id = $1) AND ($2 = '' OR credentials.type = $2) AND ($3 = '' OR credentials.user_id = $3)
	AND ($4 = '' OR credentials.resource = $4) AND ($5 = '' OR credentials.login = $5)`

func credentialArgs(f *identity.CredentialFilter) []any {
	return []any{string(f.ID), string(f.Type), string(f.User), f.Resource, f.Login}
}

// Credentials implements identity.CredentialStore.
func (d *DB) Credentials(ctx context.Context, f identity.CredentialFilter) ([]identity.Credential, error) {
	return credentials(ctx, d.sql, f)
}

// asker is a database or a transaction.
type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func credentials(ctx context.Context, q asker, f identity.CredentialFilter) ([]identity.Credential, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+credentialColumns+` FROM credentials JOIN users ON users.id = credentials.user_id
		WHERE`+credentialFilter+` ORDER BY credentials.created_at DESC, credentials.id`, credentialArgs(&f)...)
	if err != nil {
		return nil, err
	}
	return gather(rows, func(s scanner) (identity.Credential, error) {
		var r credentialRow
		if err := s.Scan(r.dest()...); err != nil {
			return identity.Credential{}, err
		}
		return r.done(), nil
	})
}

// DeleteCredentials implements identity.CredentialStore.
func (d *DB) DeleteCredentials(ctx context.Context, f identity.CredentialFilter) ([]identity.Credential, error) {
	if f == (identity.CredentialFilter{}) {
		return nil, errors.New("delete credentials without a filter")
	}
	var gone []identity.Credential
	err := d.write(ctx, func(tx *sql.Tx) error {
		var err error
		if gone, err = credentials(ctx, tx, f); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM credentials WHERE`+credentialFilter, credentialArgs(&f)...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return gone, nil
}

// TouchCredential implements identity.CredentialStore.
func (d *DB) TouchCredential(ctx context.Context, id weir.CredentialID, at time.Time) error {
	return d.write(ctx, func(tx *sql.Tx) error {
		// Many who come at once with one credential note it once: a transaction that changes nothing is not fsynced.
		_, err := tx.ExecContext(ctx, `UPDATE credentials SET last_used_at = $2 WHERE id = $1 AND last_used_at < $3`,
			string(id), micros(at), micros(at.Add(-time.Second)))
		return err
	})
}

const grantColumns = `grants.id, grants.user_id, users.name, grants.group_name, grants.resource, grants.created_at, grants.created_by, grants.expires_at`

func scanGrant(s scanner) (identity.Grant, error) {
	var g identity.Grant
	var user, name sql.NullString
	var created, expires int64
	if err := s.Scan(&g.ID, &user, &name, &g.Group, &g.Resource, &created, &g.CreatedBy, &expires); err != nil {
		return identity.Grant{}, err
	}
	g.User, g.UserName, g.Created, g.Expires = weir.UserID(user.String), name.String, instant(created), instant(expires)
	return g, nil
}

// InsertGrant implements identity.GrantStore.
func (d *DB) InsertGrant(ctx context.Context, g *identity.Grant) error {
	return d.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO grants (id, user_id, group_name, resource, created_at, created_by, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, string(g.ID), sql.NullString{String: string(g.User), Valid: g.User != ""},
			g.Group, g.Resource, micros(g.Created), g.CreatedBy, micros(g.Expires))
		switch {
		case taken(err):
			return errors.Join(identity.ErrExists, err)
		case orphan(err):
			return errors.Join(identity.ErrNotFound, err)
		}
		return err
	})
}

// Grants implements identity.GrantStore.
func (d *DB) Grants(ctx context.Context, after time.Time) ([]identity.Grant, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT `+grantColumns+` FROM grants LEFT JOIN users ON users.id = grants.user_id
		WHERE grants.expires_at > $1 ORDER BY grants.created_at DESC, grants.id`, micros(after))
	if err != nil {
		return nil, err
	}
	return gather(rows, scanGrant)
}

// DeleteGrant implements identity.GrantStore.
func (d *DB) DeleteGrant(ctx context.Context, id identity.GrantID) (identity.Grant, error) {
	var g identity.Grant
	err := d.write(ctx, func(tx *sql.Tx) error {
		var err error
		g, err = scanGrant(tx.QueryRowContext(ctx, `SELECT `+grantColumns+` FROM grants LEFT JOIN users ON users.id = grants.user_id
			WHERE grants.id = $1`, string(id)))
		if err != nil {
			return missing(err, identity.ErrNotFound)
		}
		return affected(tx.ExecContext(ctx, `DELETE FROM grants WHERE id = $1`, string(id)))
	})
	if err != nil {
		return identity.Grant{}, err
	}
	return g, nil
}

// missing turns "no rows" into the sentinel.
func missing(err, sentinel error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return sentinel
	}
	return err
}

// affected fails with identity.ErrNotFound if the statement touched no row.
func affected(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	switch {
	case err != nil:
		return fmt.Errorf("count rows: %w", err)
	case n == 0:
		return identity.ErrNotFound
	}
	return nil
}
