package postgres

import (
	"context"
	"fmt"

	"weir"
	"weir/rules/sql"
)

// Command makes of statements the command that a session in the resource's own database would ask about. The catalogue is read if nobody has; an
// error says that it could not be, and then nothing of the database is known.
func (h *Handler) Command(ctx context.Context, resource, text string) (*weir.Command, error) {
	t, ok := h.targets(resource)
	if !ok {
		return nil, weir.NewError(weir.NotFound, fmt.Sprintf("there is no PostgreSQL resource %.80s", resource), nil)
	}
	ctx, cancel := context.WithTimeout(ctx, h.opt.ConnectTimeout)
	defer cancel()
	cat, release := h.catalogs.acquire(ctx, t, resource, t.Database)
	defer release()
	o := CodecOptions{
		Snapshot: cat.snapshot, Changed: func() {}, MaxStatement: h.opt.MaxStatement, ReadOnly: t.ReadOnly,
		Columns:       func(relation, column string) (bool, bool) { return h.opt.Columns(resource, relation, column) },
		Secret:        func(relation, column string) bool { return h.opt.Secret(resource, relation, column) },
		SecretSetting: h.opt.SecretSetting,
	}
	c := newCodec(o)
	c.read = newGrammar(&c.o, func() []string { return searchPath(c.path, c.user) })
	cmd := c.command(sql.Normal(text, true), c.factsOf(text))
	if cat.snapshot() == nil {
		return cmd, weir.NewError(weir.Unavailable, "the target's catalogue cannot be read, so it cannot be told what the statement touches", nil)
	}
	return cmd, nil
}
