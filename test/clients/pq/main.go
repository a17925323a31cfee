// Command pq does what programs do with lib/pq: prepared statements that are described once, COPY, notifications, cancellation by context.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lib/pq"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func state(err error) string {
	if e := (*pq.Error)(nil); errors.As(err, &e) {
		return string(e.Code)
	}
	return fmt.Sprint(err)
}

func run(ctx context.Context) error {
	db, err := sql.Open("postgres", "")
	if err != nil {
		return err
	}
	defer db.Close()
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	one := func(query string, args ...any) (v string) {
		if err := c.QueryRowContext(ctx, query, args...).Scan(&v); err != nil {
			return err.Error()
		}
		return v
	}
	fmt.Println("simple", one("SELECT note FROM plain WHERE id = 7"))
	st, err := c.PrepareContext(ctx, "SELECT note FROM plain WHERE id = $1")
	if err != nil {
		return err
	}
	for _, id := range []int{7, 8} {
		var note string
		if err := st.QueryRowContext(ctx, id).Scan(&note); err != nil {
			return err
		}
		fmt.Println("prepared", note)
	}
	secret := one("SELECT password FROM users WHERE id = $1", 1)
	fmt.Println("masked", len(secret) > 8 && secret[:8] == "[masked:", one("SELECT name FROM users WHERE id = 1"))
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.Exec("CREATE TEMP TABLE loaded (id int, note text)"); err != nil {
		return err
	}
	in, err := tx.Prepare(pq.CopyIn("loaded", "id", "note"))
	if err != nil {
		return err
	}
	for i := range 500 {
		if _, err := in.Exec(i, fmt.Sprint("row ", i)); err != nil {
			return err
		}
	}
	if _, err := in.Exec(); err != nil {
		return err
	}
	if err := errors.Join(in.Close(), tx.Commit()); err != nil {
		return err
	}
	fmt.Println("copied in", one("SELECT count(*) FROM loaded"))
	l := pq.NewListener("", time.Second, time.Second, nil)
	defer l.Close()
	if err := l.Listen("news"); err != nil {
		return err
	}
	if _, err := c.ExecContext(ctx, "NOTIFY news, 'hello'"); err != nil {
		return err
	}
	fmt.Println("notified", (<-l.Notify).Extra)
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	other, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	_, err = other.ExecContext(short, "SELECT pg_sleep(20)")
	fmt.Println("cancelled", state(err))
	_ = other.Close()
	if tx, err = c.BeginTx(ctx, nil); err != nil {
		return err
	}
	_, err = tx.Exec("SELECT 1 / 0")
	fmt.Println("failed", state(err))
	_ = tx.Rollback()
	fmt.Println("after", one("SELECT 1"))
	_, err = c.ExecContext(ctx, "SELECT pg_read_file($1)", "x")
	fmt.Println("refused", state(err))
	fmt.Println("after", one("SELECT 1"))
	return nil
}
