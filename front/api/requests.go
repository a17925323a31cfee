package api

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"weir"
	"weir/access/approval"
	"weir/service"
)

// VoteBody is what somebody says to a request.
type VoteBody struct {
	Comment string `json:"comment,omitempty" maxLength:"1000" doc:"shown to the requester"`
}

// RequestQuery selects requests.
type RequestQuery struct {
	State    string `query:"state" enum:"pending,approved,denied,used,expired"`
	Resource string `query:"resource" maxLength:"64"`
	Limit    int    `query:"limit" minimum:"0" maximum:"10000" default:"100"`
}

func (h *Handler) requests(a huma.API) {
	add(h, a, op("list-requests", http.MethodGet, "/requests", "approvals", "Requests for approval that the caller may see"), false,
		func(ctx context.Context, who *weir.Identity, in *RequestQuery) ([]service.Request, error) {
			return h.service.Requests(ctx, who, service.RequestFilter{State: approval.State(in.State), Resource: in.Resource, Limit: in.Limit})
		})
	add(h, a, op("show-request", http.MethodGet, "/requests/{name}", "approvals", "One request"), false,
		func(ctx context.Context, who *weir.Identity, in *Named) (service.Request, error) {
			return h.service.Request(ctx, who, in.Name)
		})
	for _, v := range []struct {
		verb    string
		approve bool
		text    string
	}{{"approve", true, "Agree to a request"}, {"deny", false, "Refuse a request"}} {
		add(h, a, op(v.verb+"-request", http.MethodPost, "/requests/{name}/"+v.verb, "approvals", v.text), false,
			func(ctx context.Context, who *weir.Identity, in *struct {
				Named
				Body VoteBody `required:"false"`
			}) (service.Request, error) {
				return h.service.Vote(ctx, who, in.Name, v.approve, in.Body.Comment)
			})
	}
	streamed(h, a, op("watch-requests", http.MethodGet, "/watch/requests", "approvals", "Changes of requests, one JSON document a line, as they happen"),
		func(*none) string { return ndjson },
		func(_ context.Context, who *weir.Identity, _ *none) (func(context.Context, io.Writer) error, error) {
			return func(ctx context.Context, w io.Writer) error {
				if f, ok := w.(http.Flusher); ok {
					f.Flush() // the watcher sees that it watches
				}
				return h.service.WatchRequests(ctx, who, h.still(ctx), func(c *service.RequestChange) error { return line(w, c) })
			}, nil
		})
}
