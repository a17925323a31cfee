package state

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"weir"
	"weir/access/approval"
)

// defaultRequests is how many requests are returned to who does not say.
const defaultRequests = 1000

const requestColumns = `id, session_id, user_id, resource, digest, policy, user_name, kind, group_names, command, rule, reason, catalog_ids,
	by_groups, by_count, within_us, wait_us, state, created_at, expires_at, decided_at, used_at`

func scanRequest(s scanner) (approval.Request, error) {
	var r approval.Request
	var digest, kind, groups, catalog, byGroups string
	var within, wait, created, expires, decided, used int64
	err := s.Scan(&r.ID, &r.Session, &r.User, &r.Resource, &digest, &r.Policy, &r.UserName, &kind, &groups, &r.Command, &r.Rule, &r.Reason,
		&catalog, &byGroups, &r.Terms.Count, &within, &wait, &r.State, &created, &expires, &decided, &used)
	if err != nil {
		return approval.Request{}, err
	}
	raw, err := hex.DecodeString(digest)
	if err != nil || len(raw) != len(r.Digest) {
		return approval.Request{}, fmt.Errorf("request %s has no digest", r.ID)
	}
	r.Digest = [32]byte(raw)
	r.Kind = kindOf(kind)
	var errs [3]error
	r.Groups, errs[0] = unlist(groups)
	r.Catalog, errs[1] = unlist(catalog)
	r.Terms.Groups, errs[2] = unlist(byGroups)
	r.Terms.Within, r.Terms.Wait = time.Duration(within)*time.Microsecond, time.Duration(wait)*time.Microsecond
	r.Created, r.Expires, r.Decided, r.UsedAt = instant(created), instant(expires), instant(decided), instant(used)
	return r, errors.Join(errs[:]...)
}

// Claim implements approval.Store.
func (d *DB) Claim(ctx context.Context, fresh *approval.Request, most int) (approval.Claim, error) {
	var c approval.Claim
	err := d.write(ctx, func(tx *sql.Tx) error {
		var err error
		if c.Lapsed, err = expire(ctx, tx, fresh.Created); err != nil {
			return err
		}
		for _, take := range []func(context.Context, *sql.Tx, *approval.Request) (*approval.Request, error){useApproved, findDenied, findPending} {
			r, err := take(ctx, tx, fresh)
			if err != nil {
				return err
			}
			if r != nil {
				c.Request = *r
				c.Request.Votes, err = votes(ctx, tx, r.ID)
				return err
			}
		}
		c.Request, c.Made = *fresh, true
		c.Request.State = approval.Pending
		return insertRequest(ctx, tx, &c.Request, most)
	})
	if err != nil {
		return approval.Claim{}, err
	}
	return c, nil
}

// useApproved uses up the oldest approval of the binding. That the update looks at the state again makes it
// the only one also where transactions do not wait for each other.
func useApproved(ctx context.Context, tx *sql.Tx, fresh *approval.Request) (*approval.Request, error) {
	return oneRequest(tx.QueryRowContext(ctx, `UPDATE requests SET state = 'used', used_at = $5
		WHERE id = (SELECT id FROM requests WHERE user_id = $1 AND resource = $2 AND digest = $3 AND policy = $4
			AND state = 'approved' AND used_at = 0 AND expires_at > $5 ORDER BY created_at, id LIMIT 1)
		AND state = 'approved' AND used_at = 0 RETURNING `+requestColumns, boundAt(fresh)...))
}

func findDenied(ctx context.Context, tx *sql.Tx, fresh *approval.Request) (*approval.Request, error) {
	return oneRequest(tx.QueryRowContext(ctx, `SELECT `+requestColumns+` FROM requests
		WHERE user_id = $1 AND resource = $2 AND digest = $3 AND policy = $4 AND state = 'denied' AND expires_at > $5
		ORDER BY decided_at DESC, id LIMIT 1`, boundAt(fresh)...))
}

func findPending(ctx context.Context, tx *sql.Tx, fresh *approval.Request) (*approval.Request, error) {
	return oneRequest(tx.QueryRowContext(ctx, `SELECT `+requestColumns+` FROM requests
		WHERE user_id = $1 AND resource = $2 AND digest = $3 AND policy = $4 AND state = 'pending' AND expires_at > $5`, boundAt(fresh)...))
}

func boundAt(r *approval.Request) []any {
	return []any{string(r.User), r.Resource, hex.EncodeToString(r.Digest[:]), r.Policy, micros(r.Created)}
}

func oneRequest(row *sql.Row) (*approval.Request, error) {
	r, err := scanRequest(row)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil //nolint:nilnil // no such request is an answer
	case err != nil:
		return nil, err
	}
	return &r, nil
}

func insertRequest(ctx context.Context, tx *sql.Tx, r *approval.Request, most int) error {
	var have int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM requests WHERE user_id = $1 AND state = 'pending'`, string(r.User)).Scan(&have); err != nil {
		return err
	}
	if have >= most {
		return approval.ErrTooMany
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO requests (`+requestColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, 0, 0)`,
		string(r.ID), string(r.Session), string(r.User), r.Resource, hex.EncodeToString(r.Digest[:]), r.Policy, r.UserName, r.Kind.String(),
		list(r.Groups), r.Command, r.Rule, r.Reason, list(r.Catalog), list(r.Terms.Groups), r.Terms.Count,
		r.Terms.Within.Microseconds(), r.Terms.Wait.Microseconds(), string(approval.Pending), micros(r.Created), micros(r.Expires))
	return err
}

// ChangeRequest implements approval.Store.
func (d *DB) ChangeRequest(ctx context.Context, id weir.RequestID, change func(*approval.Request) error) (approval.Request, error) {
	var r approval.Request
	err := d.write(ctx, func(tx *sql.Tx) error {
		var err error
		if r, err = scanRequest(tx.QueryRowContext(ctx, `SELECT `+requestColumns+` FROM requests WHERE id = $1`, string(id))); err != nil {
			return missing(err, approval.ErrNotFound)
		}
		if r.Votes, err = votes(ctx, tx, id); err != nil {
			return err
		}
		had := len(r.Votes)
		if err := change(&r); err != nil {
			return err
		}
		if len(r.Votes) < had {
			return errors.New("change request: votes were taken away")
		}
		for i := had; i < len(r.Votes); i++ {
			v := &r.Votes[i]
			if _, err := tx.ExecContext(ctx, `INSERT INTO votes (request_id, position, voter_id, voter_name, approve, comment, voted_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7)`, string(id), i, string(v.Voter), v.Name, flag(v.Approve), v.Comment, micros(v.Time)); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE requests SET state = $2, decided_at = $3 WHERE id = $1`, string(id), string(r.State), micros(r.Decided))
		return err
	})
	if err != nil {
		return approval.Request{}, err
	}
	return r, nil
}

// Requests implements approval.Store.
func (d *DB) Requests(ctx context.Context, f approval.Filter) ([]approval.Request, error) {
	if f.Limit <= 0 {
		f.Limit = defaultRequests
	}
	// A prefix is looked for as a range, which both dialects answer from the index, whatever their collation of LIKE.
	end := f.Prefix + "\x7f"
	rows, err := d.sql.QueryContext(ctx, `SELECT `+requestColumns+` FROM requests
		WHERE ($1 = '' OR id >= $1 AND id < $2) AND ($3 = '' OR state = $3) AND ($4 = '' OR user_id = $4) AND ($5 = '' OR resource = $5)
		ORDER BY created_at DESC, id LIMIT $6`, f.Prefix, end, string(f.State), string(f.User), f.Resource, f.Limit)
	if err != nil {
		return nil, err
	}
	found, err := gather(rows, scanRequest)
	if err != nil {
		return nil, err
	}
	for i := range found {
		if found[i].Votes, err = votes(ctx, d.sql, found[i].ID); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// ExpireRequests implements approval.Store.
func (d *DB) ExpireRequests(ctx context.Context, now time.Time) ([]approval.Request, error) {
	var gone []approval.Request
	err := d.write(ctx, func(tx *sql.Tx) error {
		var err error
		gone, err = expire(ctx, tx, now)
		return err
	})
	if err != nil {
		return nil, err
	}
	return gone, nil
}

func expire(ctx context.Context, tx *sql.Tx, now time.Time) ([]approval.Request, error) {
	rows, err := tx.QueryContext(ctx, `UPDATE requests SET state = 'expired'
		WHERE state IN ('pending', 'approved') AND expires_at <= $1 RETURNING `+requestColumns, micros(now))
	if err != nil {
		return nil, err
	}
	gone, err := gather(rows, scanRequest)
	if err != nil {
		return nil, err
	}
	for i := range gone {
		if gone[i].Votes, err = votes(ctx, tx, gone[i].ID); err != nil {
			return nil, err
		}
	}
	return gone, nil
}

func votes(ctx context.Context, q asker, id weir.RequestID) ([]approval.Vote, error) {
	rows, err := q.QueryContext(ctx, `SELECT voter_id, voter_name, approve, comment, voted_at FROM votes WHERE request_id = $1 ORDER BY position`, string(id))
	if err != nil {
		return nil, err
	}
	return gather(rows, func(s scanner) (approval.Vote, error) {
		var v approval.Vote
		var at int64
		err := s.Scan(&v.Voter, &v.Name, &v.Approve, &v.Comment, &at)
		v.Time = instant(at)
		return v, err
	})
}
