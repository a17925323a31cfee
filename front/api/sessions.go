package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"weir"
	"weir/evidence/audit"
	"weir/evidence/record"
	"weir/service"
)

// SessionQuery selects sessions.
type SessionQuery struct {
	Identity string    `query:"identity" maxLength:"64"`
	Resource string    `query:"resource" maxLength:"64"`
	State    string    `query:"state" enum:"live,ended,interrupted"`
	Since    time.Time `query:"since"`
	Limit    int       `query:"limit" minimum:"0" maximum:"100000" default:"100"`
}

// RecordingQuery names a recording and a form of it.
type RecordingQuery struct {
	Named
	Format string `query:"format" enum:"jsonl,asciicast,text" default:"jsonl"`
}

// AuditQuery selects audit events.
type AuditQuery struct {
	Action   string    `query:"action" maxLength:"64" doc:"an action, or its beginning up to a dot"`
	Actor    string    `query:"actor" maxLength:"64"`
	Resource string    `query:"resource" maxLength:"64"`
	Since    time.Time `query:"since"`
	Limit    int       `query:"limit" minimum:"0" maximum:"100000" default:"1000" doc:"the newest so many"`
}

func (q *AuditQuery) filter() audit.Filter {
	return audit.Filter{Action: q.Action, Actor: q.Actor, Resource: q.Resource, Since: q.Since, Limit: q.Limit}
}

// ExplainBody asks what would become of a command.
type ExplainBody struct {
	Resource string `json:"resource" minLength:"1" maxLength:"64"`
	As       string `json:"as,omitempty" maxLength:"64" doc:"another user; for administrators"`
	Command  string `json:"command" minLength:"1" maxLength:"16384" doc:"such as GET /actuator/env"`
}

func (h *Handler) sessions(a huma.API) {
	add(h, a, op("list-sessions", http.MethodGet, "/sessions", "evidence", "Recorded sessions, the newest first"), false,
		func(ctx context.Context, who *weir.Identity, in *SessionQuery) ([]record.Session, error) {
			return h.service.Sessions(ctx, who, record.Filter{Identity: in.Identity, Resource: in.Resource, State: record.State(in.State), Since: in.Since, Limit: in.Limit})
		})
	add(h, a, op("show-session", http.MethodGet, "/sessions/{name}", "evidence", "One session"), false,
		func(ctx context.Context, who *weir.Identity, in *Named) (record.Session, error) {
			return h.service.Session(ctx, who, in.Name)
		})
	add(h, a, op("kill-session", http.MethodPost, "/sessions/{name}/kill", "evidence", "End a live session"), false,
		func(ctx context.Context, who *weir.Identity, in *Named) (record.Session, error) {
			return h.service.Kill(ctx, who, in.Name)
		})
	streamed(h, a, op("read-recording", http.MethodGet, "/sessions/{name}/recording", "evidence", "The recording of a session"),
		func(in *RecordingQuery) string {
			switch record.Format(in.Format) {
			case record.Text:
				return "text/plain; charset=utf-8"
			case record.Asciicast:
				return "application/x-asciicast"
			default:
				return ndjson
			}
		},
		func(ctx context.Context, who *weir.Identity, in *RecordingQuery) (func(context.Context, io.Writer) error, error) {
			return h.service.OpenSession(ctx, who, in.Name, record.Format(in.Format))
		})
}

func (h *Handler) evidence(a huma.API) {
	add(h, a, op("explain", http.MethodPost, "/explain", "policy", "What would become of a command, and why"), false,
		func(ctx context.Context, who *weir.Identity, in *struct{ Body ExplainBody }) (service.Explanation, error) {
			return h.service.Explain(ctx, who, in.Body.Resource, in.Body.As, in.Body.Command)
		})
	add(h, a, op("verify", http.MethodPost, "/verify", "evidence", "Verify all evidence on the gateway's disk"), false,
		func(ctx context.Context, who *weir.Identity, _ *none) (*service.Evidence, error) {
			return h.service.Verify(ctx, who)
		})
	add(h, a, op("list-audit", http.MethodGet, "/audit", "evidence", "Audit events, the oldest first"), false,
		func(ctx context.Context, who *weir.Identity, in *AuditQuery) ([]audit.Event, error) {
			return h.service.Audit(ctx, who, in.filter())
		})
	streamed(h, a, op("tail-audit", http.MethodGet, "/watch/audit", "evidence", "Audit events, one JSON document a line, as they happen"),
		func(*AuditQuery) string { return ndjson },
		func(ctx context.Context, who *weir.Identity, in *AuditQuery) (func(context.Context, io.Writer) error, error) {
			tail, err := h.service.TailAudit(ctx, who, in.filter(), h.still(ctx))
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context, w io.Writer) error {
				return tail(ctx, func(e *audit.Event) error { return line(w, e) })
			}, nil
		})
}
