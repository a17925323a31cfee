package screen

import "strings"

// Event is one thing that happened to a terminal: it was sent Data, or its size became Columns by Rows when these are not 0.
type Event struct {
	Data          []byte
	Columns, Rows int
}

// Text returns every line that a terminal of 80 by 24, unless the events say otherwise, showed at any time, each followed by a newline.
func Text(events ...Event) string {
	var b strings.Builder
	s := New(80, 24, func(line string) {
		b.WriteString(line)
		b.WriteByte('\n')
	})
	for _, e := range events {
		if e.Columns > 0 && e.Rows > 0 {
			s.Resize(e.Columns, e.Rows)
		}
		_, _ = s.Write(e.Data)
	}
	s.Flush()
	return b.String()
}
