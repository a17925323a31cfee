package mask_test

import (
	"bytes"
	"strings"
	"testing"

	"weir"
	"weir/mask"
)

func TestEventStream(t *testing.T) {
	e, _ := mask.New(mask.Config{Key: make([]byte, 32)})
	m := e.Masker()
	in := ": a comment, api_key=CANARYcomment1\nid: 1\nevent: SAFE\ndata: {\"p\\u0061ssword\":\"CANARYjson1\",\"ok\":\"SAFE\"}\n\n" +
		"data: token: CANARYx7Qz93text\ndata:[{\"name\":\"DB_PASSWORD\",\"value\":\"CANARYpair1\"}]\r\n\r\ndata: {\"delta\":\"SAFE\"}\n\n" +
		"data: [DONE]\n\ndata: {broken password=CANARYbroken1\ndata:\n\nretry: 10\ndata: {\"secret\":\"CANARYlast1\"}"
	whole := ""
	for _, step := range []int{1 << 20, 1, 2, 5, 17} {
		got := markup(t, m, weir.FormatSSE, in, step)
		if strings.Contains(got, "CANARY") || strings.Count(got, "SAFE") != 3 || !strings.Contains(got, "data: [DONE]\n\n") || strings.Count(got, "\n") != strings.Count(in, "\n") {
			t.Errorf("%d bytes at a time: %s", step, got)
		}
		if whole == "" {
			whole = got
		}
		if got != whole {
			t.Errorf("%d bytes at a time differ:\n%s\n%s", step, got, whole)
		}
	}
	long := "data: {\"a\":\"" + strings.Repeat("x", 400<<10) + "\",\"password\":\"CANARYlong1\"}\nSAFE\n"
	if got := markup(t, m, weir.FormatSSE, long, 4096); strings.Contains(got, "CANARY") || !strings.Contains(got, "SAFE") {
		t.Error("a long line")
	}
}

// TestEventsAreNotDelayed looks at what has come out behind each event.
func TestEventsAreNotDelayed(t *testing.T) {
	e, _ := mask.New(mask.Config{Key: make([]byte, 32)})
	var out bytes.Buffer
	w, err := e.Masker().Stream(&out, weir.Shape{Format: weir.FormatSSE}, &weir.Tally{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		out.Reset()
		if _, err := w.Write([]byte("event: delta\ndata: {\"text\":\"hello\"}\n\n")); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "hello\"}\n") {
			t.Errorf("held: %q", out.String())
		}
	}
}
