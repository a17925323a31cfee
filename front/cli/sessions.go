package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"weir"
	"weir/evidence/record"
)

type sessionsCmd struct {
	Ls     sessionsLs     `cmd:"" help:"List sessions." default:"withargs"`
	Show   sessionsShow   `cmd:"" help:"Show one session and what was asked in it."`
	Replay sessionsReplay `cmd:"" help:"Play the recording of a terminal, or print any recording."`
	Watch  sessionsWatch  `cmd:"" help:"Watch a session while it lives."`
	Search sessionsSearch `cmd:"" help:"Find a text in what was asked, answered and shown on terminals."`
	Export sessionsExport `cmd:"" help:"Export a recording."`
	Kill   sessionsKill   `cmd:"" help:"End a live session."`
}

type sessionsLs struct {
	State    string `help:"Only those that are live, ended or interrupted." placeholder:"STATE"`
	Identity string `help:"Only this user's." placeholder:"USER"`
	Resource string `help:"Only at this resource." placeholder:"RESOURCE"`
	Protocol string `help:"Only of this protocol: http, postgres or ssh." placeholder:"PROTOCOL"`
	Limit    int    `help:"The newest so many." default:"100"`
}

func (c *sessionsLs) Run(g *Globals) error {
	path := query("/sessions", "state", c.State, "identity", c.Identity, "resource", c.Resource, "protocol", c.Protocol, "limit", strconv.Itoa(c.Limit))
	return list(g, path, "ID STATE IDENTITY RESOURCE PROTOCOL CLIENT START COMMANDS REFUSALS", func(s *record.Session) []string {
		return []string{
			string(s.ID), string(s.State), s.Identity, s.Resource, string(s.Protocol), s.Client, stamp(s.Start), strconv.Itoa(s.Commands), strconv.Itoa(s.Refusals),
		}
	})
}

type sessionsShow struct {
	ID    string `arg:"" help:"Its id, or the beginning of it."`
	Limit int    `help:"At most so many exchanges." default:"200"`
	Skip  int    `help:"Without the first so many exchanges." default:"0"`
}

// shownSession is a session with what was asked in it.
type shownSession struct {
	record.Session
	Exchanges []record.Exchange `json:"exchanges"`
}

func (c *sessionsShow) Run(g *Globals) error {
	cl, err := g.connect()
	if err != nil {
		return err
	}
	var s shownSession
	if s.Session, err = call[record.Session](g.ctx, cl, "GET", "/sessions/"+seg(c.ID), nil); err != nil {
		return err
	}
	path := query("/sessions/"+seg(c.ID)+"/exchanges", "limit", strconv.Itoa(c.Limit), "skip", strconv.Itoa(c.Skip))
	if s.Exchanges, err = call[[]record.Exchange](g.ctx, cl, "GET", path, nil); err != nil {
		return err
	}
	return g.show(s, func(w io.Writer) { c.text(w, &s) })
}

func (c *sessionsShow) text(w io.Writer, s *shownSession) {
	v := record.Visible
	say(w, "session   %s (%s)\nidentity  %s (%s, by %s)\nresource  %s (%s)\nclient    %s %s", s.ID, s.State, v(s.Identity), s.Kind, s.Method, s.Resource, s.Protocol, v(s.Client), v(s.Agent))
	say(w, "time      %s to %s %s\ncommands  %d let through, %d refused", stamp(s.Start), orText(stampAt(s.End), "now"), v(s.EndReason), s.Commands, s.Refusals)
	for _, e := range s.Exceptions {
		say(w, "exception %s", v(e))
	}
	if len(s.Exchanges) == 0 {
		return
	}
	say(w, "")
	rows := make([][]string, len(s.Exchanges))
	for i := range s.Exchanges {
		x := &s.Exchanges[i]
		rows[i] = []string{strconv.FormatUint(x.Number, 10), x.Start.Local().Format("15:04:05"), oneLine(x.Command), outcome(x)}
	}
	table(w, "# TIME COMMAND OUTCOME", rows)
	for i := range s.Exchanges {
		x := &s.Exchanges[i]
		for _, f := range x.Files {
			say(w, "file #%d   %s", x.Number, v(f))
		}
		if more := x.FileCount - len(x.Files); more > 0 {
			say(w, "file #%d   … and %d more: weir sessions replay %s", x.Number, more, s.ID)
		}
	}
	if more := s.Commands + s.Refusals - c.Skip - len(s.Exchanges); more > 0 {
		say(w, "… and %d more: --skip %d", more, c.Skip+len(s.Exchanges))
	}
}

// outcome says in a few words what became of a command.
func outcome(x *record.Exchange) string {
	if x.Refused != "" {
		return "REFUSED " + x.Refused
	}
	var b []string
	add := func(format string, args ...any) { b = append(b, fmt.Sprintf(format, args...)) }
	if x.Status != "" {
		add("%s", x.Status)
	}
	if x.Exit != "" {
		add("exit %s", x.Exit)
	}
	if x.Rows != "" && x.Terminal == "" {
		add("%s rows", x.Rows)
	}
	if x.Bytes > 0 {
		add("%d bytes", x.Bytes)
	}
	if x.FileCount > 0 {
		add("%d files", x.FileCount)
	}
	if x.Masked > 0 {
		add("%d masked", x.Masked)
	}
	if x.Truncated {
		add("recorded in part")
	}
	if x.Error != "" {
		add("ERROR %s", x.Error)
	}
	if x.Prepared {
		add("prepared")
	} else if !x.Ended {
		add("not ended")
	} else {
		add("%s", (time.Duration(x.DurationUS) * time.Microsecond).Round(time.Millisecond))
	}
	return strings.Join(b, ", ")
}

type sessionsReplay struct {
	ID        string        `arg:"" help:"Its id, or the beginning of it."`
	Speed     float64       `help:"How fast; 0: as it was at a terminal (for SSH), else all at once." default:"0"`
	IdleLimit time.Duration `help:"No pause is longer; 0: all as long as they were." default:"2s" placeholder:"TIME"`
	Seek      time.Duration `help:"Begin so far into the recording." placeholder:"TIME"`
	Exchange  uint64        `help:"This exchange only." placeholder:"N"`
}

func (c *sessionsReplay) Run(g *Globals) error {
	if c.Speed < 0 || c.IdleLimit < 0 || c.Seek < 0 {
		return usage("--speed, --idle-limit and --seek are 0 or more")
	}
	cl, err := g.connect()
	if err != nil {
		return err
	}
	speed := c.Speed
	if speed == 0 && g.streams.Raw != nil && g.Output != "json" {
		s, err := call[record.Session](g.ctx, cl, "GET", "/sessions/"+seg(c.ID), nil)
		if err != nil {
			return err
		}
		if s.Protocol == weir.SSH {
			speed = 1
		}
	}
	if speed == 0 {
		if c.Seek > 0 {
			return usage("--seek is for playing: give --speed, too")
		}
		return fetch(g, c.ID, "text", c.Exchange, false)
	}
	p := &player{out: g.streams.Out, speed: speed, idle: c.IdleLimit, open: func(ctx context.Context) (io.ReadCloser, error) {
		return cl.open(ctx, "GET", recording(c.ID, "asciicast-v2", c.Exchange, false), nil)
	}}
	if g.streams.Raw == nil {
		return p.run(g.ctx, c.Seek)
	}
	restore, err := g.streams.Raw()
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	defer restore()
	p.terminal = true
	p.keys = readKeys(g.ctx, g.streams.In)
	return p.run(g.ctx, c.Seek)
}

type sessionsExport struct {
	ID       string `arg:"" help:"Its id, or the beginning of it."`
	Format   string `help:"${enum}." enum:"jsonl,asciicast,asciicast-v2,asciicast-v3,text" default:"jsonl"`
	Exchange uint64 `help:"This exchange only." placeholder:"N"`
	Input    bool   `help:"In an asciicast: what was typed, too."`
}

func (c *sessionsExport) Run(g *Globals) error {
	return fetch(g, c.ID, c.Format, c.Exchange, c.Input)
}

func recording(id, format string, exchange uint64, input bool) string {
	pairs := []string{"format", format}
	if exchange != 0 {
		pairs = append(pairs, "exchange", strconv.FormatUint(exchange, 10))
	}
	if input {
		pairs = append(pairs, "input", "true")
	}
	return query("/sessions/"+seg(id)+"/recording", pairs...)
}

func fetch(g *Globals, id, format string, exchange uint64, input bool) error {
	cl, err := g.connect()
	if err != nil {
		return err
	}
	body, err := cl.open(g.ctx, "GET", recording(id, format, exchange, input), nil)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if _, err := io.Copy(g.streams.Out, body); err != nil {
		return weir.NewError(weir.Unavailable, "the recording was cut off; run weir verify and look at the gateway's log", err)
	}
	return nil
}

type sessionsSearch struct {
	Text     string `arg:"" help:"What to find, in upper or lower case."`
	User     string `help:"Only in this user's sessions." placeholder:"USER"`
	Resource string `help:"Only at this resource." placeholder:"RESOURCE"`
	Protocol string `help:"Only of this protocol: http, postgres or ssh." placeholder:"PROTOCOL"`
	Since    string `help:"Not before, such as 24h or 2030-01-31T18:00:00Z." placeholder:"TIME"`
	Limit    int    `help:"The first so many." default:"100"`
}

func (c *sessionsSearch) Run(g *Globals) error {
	since := c.Since
	if d, err := time.ParseDuration(since); err == nil {
		since = time.Now().Add(-d).UTC().Format(time.RFC3339) //nolint:forbidigo // for people
	}
	cl, err := g.connect()
	if err != nil {
		return err
	}
	path := query("/search/sessions", "text", c.Text, "identity", c.User, "resource", c.Resource, "protocol", c.Protocol, "since", since, "limit", strconv.Itoa(c.Limit))
	body, err := cl.open(g.ctx, "GET", path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	found := 0
	for dec := json.NewDecoder(body); ; found++ {
		var m record.Match
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return cl.unreachable(err)
		}
		err := g.show(m, func(w io.Writer) {
			v := record.Visible
			say(w, "%s  %s #%d  %s at %s  %s: %s", stamp(m.Time), m.Session, m.Exchange, v(m.Identity), v(m.Resource), m.In, v(m.Line))
		})
		if err != nil {
			return err
		}
	}
	switch {
	case found == 0:
		say(g.streams.Err, "nothing was found")
		return &quiet{}
	case found >= c.Limit:
		say(g.streams.Err, "there may be more: --limit")
	}
	return nil
}

type sessionsKill struct {
	ID string `arg:"" help:"Its id, or the beginning of it."`
}

func (c *sessionsKill) Run(g *Globals) error {
	return act(g, "POST", "/sessions/"+seg(c.ID)+"/kill", nil, func(w io.Writer, s *record.Session) {
		say(w, "Ended %s of %s at %s.", s.ID, record.Visible(s.Identity), s.Resource)
	})
}
