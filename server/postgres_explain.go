package server

import (
	"context"

	"weir"
	"weir/service"
)

// commandSQL makes of a text the command that a session would ask about.
func (s *Server) commandSQL(ctx context.Context, r *service.Resource, text string) (*weir.Command, error) {
	if s.postgres == nil {
		return nil, weir.NewError(weir.Unavailable, "there is no listener for PostgreSQL; set listen.postgres", nil)
	}
	return s.postgres.Command(ctx, r.Name, text)
}
