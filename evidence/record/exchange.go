package record

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"weir"
)

// Exchange is what became of one command of a session.
type Exchange struct {
	Number      uint64      `json:"number"`
	Start       time.Time   `json:"start"`
	Command     string      `json:"command" doc:"masked, its beginning when it is long"`
	Fingerprint string      `json:"fingerprint,omitempty" doc:"the command's shape, without literals and comments, where it has one"`
	Prepared    bool        `json:"prepared,omitempty" doc:"it was made ready only; what runs it is an exchange of its own"`
	Verdict     string      `json:"verdict,omitempty"`
	Rule        string      `json:"rule,omitempty"`
	Refused     string      `json:"refused,omitempty" doc:"why it was refused"`
	Terminal    string      `json:"terminal,omitempty" doc:"COLUMNSxROWS at the start"`
	Status      string      `json:"status,omitempty" doc:"first line of the answer"`
	Files       []string    `json:"files,omitempty" doc:"the first of them"`
	FileCount   int         `json:"file_count,omitempty"`
	Ended       bool        `json:"ended"`
	DurationUS  int64       `json:"duration_us,omitempty"`
	Bytes       int64       `json:"bytes,omitempty" doc:"of the answer"`
	Rows        string      `json:"rows,omitempty"`
	Exit        string      `json:"exit_status,omitempty" doc:"or the signal that ended it"`
	Masked      int         `json:"masked,omitempty" doc:"values that were masked"`
	Truncated   bool        `json:"truncated,omitempty" doc:"the recording does not hold the whole answer"`
	Error       string      `json:"error,omitempty"`
	Attrs       [][2]string `json:"attrs,omitempty" doc:"all that the end of the answer says"`
}

// Limits of a list of exchanges.
const (
	maxExchanges   = 1000
	maxListedFiles = 20
	maxListed      = 2000 // bytes of a command
	maxDetail      = 300  // bytes of what else is said
	maxAttrs       = 32
)

var errListed = errors.New("listed")

// Exchanges returns what became of the commands of a session after the first skip ones, at most limit and at most 1000 of them, in order.
func (s *Store) Exchanges(ctx context.Context, id weir.SessionID, skip, limit int) ([]Exchange, error) {
	if limit <= 0 || limit > maxExchanges {
		limit = maxExchanges
	}
	out := []Exchange{}
	at := make(map[uint64]int)
	seen, going := 0, 0
	err := s.Entries(ctx, id, func(_ uint64, r *weir.Record) error {
		switch r.Kind {
		case weir.RecordCommand, weir.RecordRefusal:
			if seen++; seen <= skip || len(out) == limit {
				return nil
			}
			out = append(out, begun(r))
			if r.Kind == weir.RecordCommand && !out[len(out)-1].Prepared {
				at[r.Exchange] = len(out) - 1
				going++
			}
		default:
			i, ok := at[r.Exchange]
			if !ok || r.Exchange == 0 {
				return nil
			}
			if out[i].add(r); r.Kind == weir.RecordAnswerEnd {
				delete(at, r.Exchange)
				if going--; going == 0 && len(out) == limit {
					return errListed
				}
			}
		}
		return nil
	})
	if errors.Is(err, errListed) {
		err = nil
	}
	return out, err
}

func begun(r *weir.Record) Exchange {
	x := Exchange{Number: r.Exchange, Start: r.Time, Command: cutText(r.Text, maxListed), Verdict: attrOf(r, "verdict"), Rule: attrOf(r, "rule")}
	if r.Kind == weir.RecordRefusal {
		x.Ended, x.Refused = true, cutText(strings.TrimSpace(attrOf(r, "kind")+" "+attrOf(r, "reason")), maxDetail)
	}
	if x.Prepared = attrOf(r, "prepared") == "true"; x.Prepared {
		x.Ended = true // what runs it is an exchange of its own
	}
	if x.Fingerprint = cutText(attrOf(r, "fingerprint"), maxListed); x.Fingerprint == "" && attrOf(r, "operation") != "" {
		x.Fingerprint = x.Command
	}
	if columns, rows := size(r); columns > 0 {
		x.Terminal = strconv.Itoa(columns) + "x" + strconv.Itoa(rows)
	}
	return x
}

func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// add takes an entry that follows the command.
func (x *Exchange) add(r *weir.Record) {
	switch r.Kind {
	case weir.RecordAnswerHead:
		if x.Status == "" {
			x.Status = cutText(r.Text, maxDetail)
		}
	case weir.RecordFile:
		if x.FileCount++; len(x.Files) < maxListedFiles {
			x.Files = append(x.Files, cutText(strings.TrimSpace(r.Text+" "+summary(r.Attrs)), maxDetail))
		}
	case weir.RecordAnswerEnd:
		x.Ended = true
		for _, a := range r.Attrs {
			x.attr(a.Name, a.Value)
		}
	default:
	}
}

func (x *Exchange) attr(name, value string) {
	value = cutText(value, maxDetail)
	if len(x.Attrs) < maxAttrs {
		x.Attrs = append(x.Attrs, [2]string{cutText(name, maxDetail), value})
	}
	n, _ := strconv.ParseInt(value, 10, 64)
	switch name {
	case "duration_us":
		x.DurationUS = n
	case "bytes":
		x.Bytes = n
	case "rows":
		x.Rows = value
	case "exit_status", "exit_signal":
		x.Exit = value
	case "truncated":
		x.Truncated = value == "true"
	case "error":
		x.Error = value
	default:
		if strings.HasPrefix(name, "masked.") {
			x.Masked += int(n)
		}
	}
}
