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
	Protocol string    `query:"protocol" enum:"http,postgres,ssh"`
	State    string    `query:"state" enum:"live,ended,interrupted"`
	Since    time.Time `query:"since"`
	Limit    int       `query:"limit" minimum:"0" maximum:"100000" default:"100"`
}

// RecordingQuery names a recording and a form of it.
type RecordingQuery struct {
	Named
	Format   string `query:"format" enum:"jsonl,asciicast,asciicast-v2,asciicast-v3,text" default:"jsonl"`
	Exchange uint64 `query:"exchange" doc:"this exchange only; 0: all"`
	Input    bool   `query:"input" doc:"in an asciicast: what was typed, too"`
}

func (q *RecordingQuery) form() record.Form {
	return record.Form{Format: record.Format(q.Format), Exchange: q.Exchange, Input: q.Input}
}

// ExchangesQuery names a session and a part of its exchanges.
type ExchangesQuery struct {
	Named
	Skip  int `query:"skip" minimum:"0" maximum:"1000000000"`
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"1000"`
}

// WatchQuery names a session to watch.
type WatchQuery struct {
	Named
	From string `query:"from" enum:"now,start" default:"now" doc:"start: what is recorded already, too"`
}

// SearchQuery says what to look for in recordings.
type SearchQuery struct {
	Text     string    `query:"text" required:"true" minLength:"1" maxLength:"256" doc:"in upper or lower case"`
	Identity string    `query:"identity" maxLength:"64"`
	Resource string    `query:"resource" maxLength:"64"`
	Protocol string    `query:"protocol" enum:"http,postgres,ssh"`
	Since    time.Time `query:"since"`
	Limit    int       `query:"limit" minimum:"1" maximum:"100000" default:"100"`
}

func (q *SearchQuery) search() record.Search {
	return record.Search{Text: q.Text, Filter: record.Filter{Identity: q.Identity, Resource: q.Resource, Protocol: weir.Protocol(q.Protocol), Since: q.Since, Limit: q.Limit}}
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
			return h.service.Sessions(ctx, who, record.Filter{Identity: in.Identity, Resource: in.Resource, Protocol: weir.Protocol(in.Protocol), State: record.State(in.State), Since: in.Since, Limit: in.Limit})
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
			case record.Asciicast, record.AsciicastV2, record.AsciicastV3:
				return "application/x-asciicast"
			default:
				return ndjson
			}
		},
		func(ctx context.Context, who *weir.Identity, in *RecordingQuery) (func(context.Context, io.Writer) error, error) {
			return h.service.OpenSession(ctx, who, in.Name, in.form())
		})
	add(h, a, op("list-exchanges", http.MethodGet, "/sessions/{name}/exchanges", "evidence", "What became of the commands of a session, in order"), false,
		func(ctx context.Context, who *weir.Identity, in *ExchangesQuery) ([]record.Exchange, error) {
			return h.service.Exchanges(ctx, who, in.Name, in.Skip, in.Limit)
		})
	streamed(h, a, op("search-sessions", http.MethodGet, "/search/sessions", "evidence", "Lines of recordings that hold a text, one JSON document a line"),
		func(*SearchQuery) string { return ndjson },
		func(ctx context.Context, who *weir.Identity, in *SearchQuery) (func(context.Context, io.Writer) error, error) {
			search, err := h.service.SearchSessions(ctx, who, in.search())
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context, w io.Writer) error {
				return search(ctx, func(m *record.Match) error { return line(w, m) })
			}, nil
		})
	streamed(h, a, op("watch-session", http.MethodGet, "/sessions/{name}/watch", "evidence",
		"The entries of a session as they come: server-sent events record, missed and end"),
		func(*WatchQuery) string { return "text/event-stream" },
		func(ctx context.Context, who *weir.Identity, in *WatchQuery) (func(context.Context, io.Writer) error, error) {
			watch, err := h.service.WatchSession(ctx, who, in.Name, in.From == "start", h.still(ctx))
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context, w io.Writer) error {
				if err := sse(w, "", nil); err != nil { // the head goes out now
					return err
				}
				return watch(ctx, func(x record.Watched) error { return watched(w, x) })
			}, nil
		})
}

// watched writes one event.
func watched(w io.Writer, x record.Watched) error {
	switch {
	case x.Ended:
		return sse(w, "end", struct{}{})
	case x.Missed > 0:
		return sse(w, "missed", Missed{x.Missed})
	case x.Record != nil:
		return sse(w, "record", record.LineOf(x.Seq, x.Record))
	}
	return sse(w, "", nil)
}

// Missed says that a watcher was too slow.
type Missed struct {
	Missed uint64 `json:"missed" doc:"entries that were left out; they are in the recording"`
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
