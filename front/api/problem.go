package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"weir"
)

// Problem is an error as callers see it (RFC 9457).
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
	Rule   string `json:"rule,omitempty"`
	ID     string `json:"id,omitempty"` // finds the cause in the gateway's log, or the refused command in its records
}

var _ huma.StatusError = (*Problem)(nil)

// Error returns what the caller reads.
func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the media type of the document.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// status maps the kinds of error to HTTP statuses. It is the only place that does, for the API.
func status(k weir.ErrorKind) int {
	switch k {
	case weir.Invalid:
		return http.StatusBadRequest
	case weir.Unauthenticated, weir.Expired:
		return http.StatusUnauthorized
	case weir.Forbidden:
		return http.StatusForbidden
	case weir.NotFound:
		return http.StatusNotFound
	case weir.Conflict:
		return http.StatusConflict
	case weir.RateLimited:
		return http.StatusTooManyRequests
	case weir.Unavailable:
		return http.StatusServiceUnavailable
	case weir.Internal:
	}
	return http.StatusInternalServerError
}

// problem turns an error into what the caller may know of it, and logs the rest.
func (h *Handler) problem(ctx context.Context, err error) *Problem {
	kind, public := weir.PublicOf(err)
	code := status(kind)
	p := &Problem{Type: "about:blank", Title: http.StatusText(code), Status: code, Detail: public}
	var d *weir.Denied
	if errors.As(err, &d) {
		p.Hint, p.Rule, p.ID = d.Hint, d.Rule, string(d.Request)
	}
	if code >= http.StatusInternalServerError {
		if p.ID == "" {
			p.ID = "err_" + rand.Text()[:10]
		}
		h.opt.Log.LogAttrs(ctx, slog.LevelError, "request to the API failed", slog.String("id", p.ID), slog.String("error", err.Error()))
	}
	return p
}

func (p *Problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}
