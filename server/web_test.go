package server

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAPanicIsAnswered(t *testing.T) {
	var log bytes.Buffer
	s := &Server{log: slog.New(slog.NewJSONHandler(&log, nil)), metrics: newMetrics("test", func() int { return 0 })}
	h := s.guarded(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("CANARY in a panic") }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusInternalServerError || !strings.Contains(log.String(), "TestAPanicIsAnswered") || strings.Contains(log.String()+w.Body.String(), "CANARY") {
		t.Errorf("%d %s %s", w.Code, w.Body, &log)
	}
}
