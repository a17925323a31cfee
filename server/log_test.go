package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"weir/mask"
	"weir/mask/known"
)

func TestLogMasksEveryAttribute(t *testing.T) {
	e, err := mask.New(mask.Config{Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := known.Build([]known.Entry{{Name: "held", Value: []byte("CANARYheldsecret")}})
	if err != nil {
		t.Fatal(err)
	}
	var masker atomic.Pointer[mask.Masker]
	var out bytes.Buffer
	log := newLog(&out, "info", &masker)
	write := func() {
		log.With(slog.String("api_key", "CANARYfield")).WithGroup("g").LogAttrs(t.Context(), slog.LevelInfo, "a message with CANARYheldsecret",
			slog.Any("error", errors.New("dial http://x: CANARYheldsecret")), slog.Group("inner", slog.String("password", "CANARYinner")),
			slog.Any("list", []string{"CANARYheldsecret"}), slog.Int("count", 3))
	}
	write() // before there is a masker nothing is shown
	masker.Store(e.Masker(set))
	write()
	if strings.Contains(out.String(), "CANARY") {
		t.Error(out.String())
	}
	last := strings.Split(strings.TrimSpace(out.String()), "\n")[1]
	var line map[string]any
	if err := json.Unmarshal([]byte(last), &line); err != nil || !strings.Contains(last, "[masked:") || !strings.Contains(last, `"count":3`) {
		t.Errorf("%v %s", err, last)
	}
}
