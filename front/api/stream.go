package api

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"weir"
)

// streamed declares an operation that answers with as many bytes as there are. f checks what it must before it returns what writes them.
func streamed[I any](h *Handler, a huma.API, op huma.Operation, media func(in *I) string,
	f func(ctx context.Context, who *weir.Identity, in *I) (func(ctx context.Context, w io.Writer) error, error)) {
	op.Path = Prefix + op.Path
	op.Security = []map[string][]string{{"token": {}}}
	op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound)
	op.Responses = map[string]*huma.Response{"200": {Description: "a stream", Content: map[string]*huma.MediaType{"*/*": {}}}}
	huma.Register(a, op, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		who := caller(ctx)
		if who == nil {
			return nil, h.problem(ctx, weir.NewError(weir.Unauthenticated, "sign in first", nil))
		}
		write, err := f(ctx, who, in)
		if err != nil {
			return nil, h.problem(ctx, err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			c.SetHeader("Content-Type", media(in))
			c.SetStatus(http.StatusOK)
			if err := write(c.Context(), c.BodyWriter()); err != nil && c.Context().Err() == nil {
				h.opt.Log.LogAttrs(ctx, slog.LevelWarn, "a stream of the API ended early", slog.String("operation", op.OperationID), slog.String("error", err.Error()))
				// Half an answer must not look like a whole one.
				panic(http.ErrAbortHandler)
			}
		}}, nil
	})
}

const ndjson = "application/x-ndjson"

// line writes one value as a line, at once.
func line(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if _, err := w.Write(append(b, '\n')); err != nil {
		return err
	}
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	return nil
}

// sse writes one server-sent event at once (HTML, 9.2), or a comment that keeps the connection when it has no name.
func sse(w io.Writer, name string, v any) error {
	text := ":\n\n"
	if name != "" {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		text = "event: " + name + "\ndata: " + string(b) + "\n\n"
	}
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	return nil
}
