package state

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"modernc.org/sqlite"

	"weir/access/identity"
)

// TestUpgradeKeepsCredentials brings a database of schema 2, with a token in it, up to date.
func TestUpgradeKeepsCredentials(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "state.db")
	now := func() time.Time { return time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC) }
	c, err := sqlite.NewConnector(dsn(path))
	if err != nil {
		t.Fatal(err)
	}
	old := &DB{sql: sql.OpenDB(c), path: path}
	all, err := steps(migrations)
	if err != nil {
		t.Fatal(err)
	}
	if err := old.apply(ctx, all[:2], now); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		`INSERT INTO users VALUES ('usr_1', 'alice', 'human', '[]', 0, 0, '', 1)`,
		`INSERT INTO credentials VALUES ('key_1', 'access_key', 'usr_1', '', 'orders', 'orders.x', 1, 'root', 4000000000000000, 0)`,
		`INSERT INTO verifiers VALUES ('sha256', 'aa', 'key_1')`,
	} {
		if _, err := old.sql.ExecContext(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	d, err := Open(ctx, path, now)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	cred, u, err := d.CredentialByVerifier(ctx, identity.Verifier{Scheme: identity.SHA256, Value: "aa"})
	if err != nil || cred.Login != "orders.x" || u.Name != "alice" || cred.PublicKey != "" || cred.Serial != 0 {
		t.Errorf("%+v %v", cred, err)
	}
	if _, _, _, err := d.CredentialByLogin(ctx, "orders.x", identity.SCRAM); err == nil {
		t.Error("an old key has a SCRAM verifier")
	}
	if err := d.DeleteUser(ctx, "usr_1"); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := d.sql.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM credentials) + (SELECT count(*) FROM verifiers)`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows are left of the user: %v", left, err)
	}
}
