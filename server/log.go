package server

import (
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"

	"weir"
	"weir/mask"
)

// newLog makes the log: JSON, every attribute masked by whatever masker counts when it is written.
func newLog(w io.Writer, level string, masker *atomic.Pointer[mask.Masker]) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // the configuration is checked; else it stays at info
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return a
		}
		switch a.Value.Kind() {
		case slog.KindInt64, slog.KindUint64, slog.KindFloat64, slog.KindBool, slog.KindTime, slog.KindDuration:
			return a // a number is no secret
		default:
		}
		return slog.String(a.Key, maskText(masker.Load(), a.Key, text(a.Value)))
	}}))
}

func text(v slog.Value) string {
	v = v.Resolve()
	if v.Kind() == slog.KindAny {
		return fmt.Sprint(v.Any())
	}
	return v.String()
}

// maskText masks one value. Without a masker nothing is known to be harmless.
func maskText(m *mask.Masker, name, value string) string {
	if m == nil {
		return "[not logged: masking is not ready]"
	}
	var t weir.Tally
	return string(m.Value(nil, name, []byte(value), &t))
}
