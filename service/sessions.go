package service

import (
	"context"
	"io"
	"time"

	"weir"
	"weir/evidence/audit"
	"weir/evidence/record"
	"weir/evidence/verify"
)

// Sessions lists recorded sessions, the newest first: the caller's own, for administrators all.
func (s *Service) Sessions(_ context.Context, who *weir.Identity, f record.Filter) ([]record.Session, error) {
	if !who.Admin {
		f.User = who.User
	}
	return s.p.Records.List(f), nil
}

// Session returns one session by its id or the beginning of it.
func (s *Service) Session(_ context.Context, who *weir.Identity, id string) (record.Session, error) {
	x, err := s.p.Records.Get(id)
	if err == nil && !who.Admin && x.User != who.User {
		err = record.NoSession()
	}
	if err != nil {
		return record.Session{}, err
	}
	return x, nil
}

// OpenSession audits that a recording is read and returns a function that writes it.
func (s *Service) OpenSession(ctx context.Context, who *weir.Identity, id string, form record.Form) (func(ctx context.Context, w io.Writer) error, error) {
	x, err := s.Session(ctx, who, id)
	if err != nil {
		return nil, err
	}
	if err := form.Check(); err != nil {
		return nil, err
	}
	e := s.event(who, "recording.read", attr("identity", x.Identity), attr("format", string(form.Format)))
	e.Session, e.Resource = x.ID, x.Resource
	if err := s.note(ctx, e, ok); err != nil {
		return nil, err
	}
	return func(ctx context.Context, w io.Writer) error { return s.p.Records.Export(ctx, x.ID, form, w) }, nil
}

// Exchanges returns what became of the commands of a session, after the first skip ones and at most limit.
func (s *Service) Exchanges(ctx context.Context, who *weir.Identity, id string, skip, limit int) ([]record.Exchange, error) {
	x, err := s.Session(ctx, who, id)
	if err != nil {
		return nil, err
	}
	return s.p.Records.Exchanges(ctx, x.ID, skip, limit)
}

// Times of a watch.
const (
	watchIdle  = 10 * time.Second // something is sent this often
	watchCheck = time.Second      // the caller's credential is looked at no more often
)

// WatchSession audits that a session is watched and returns a function that calls each for its entries as they come, with fromStart
// also for those before, while may says that the caller's credential is still good.
func (s *Service) WatchSession(ctx context.Context, who *weir.Identity, id string, fromStart bool, may func() error) (func(ctx context.Context, each func(record.Watched) error) error, error) {
	x, err := s.Session(ctx, who, id)
	if err != nil {
		return nil, err
	}
	e := s.event(who, "session.watch", attr("identity", x.Identity))
	e.Session, e.Resource = x.ID, x.Resource
	if err := s.note(ctx, e, ok); err != nil {
		return nil, err
	}
	return func(ctx context.Context, each func(record.Watched) error) error {
		checked := s.p.Now()
		return s.p.Records.Watch(ctx, x.ID, fromStart, watchIdle, func(w record.Watched) error {
			if now := s.p.Now(); now.Sub(checked) >= watchCheck {
				if err := may(); err != nil {
					return err
				}
				checked = now
			}
			return each(w)
		})
	}, nil
}

// SearchSessions audits that recordings are searched and returns a function that calls each for every match: in the caller's own
// sessions, for administrators in all.
func (s *Service) SearchSessions(ctx context.Context, who *weir.Identity, f record.Search) (func(ctx context.Context, each func(*record.Match) error) error, error) {
	if !who.Admin {
		f.User = who.User
	}
	if err := f.Check(); err != nil {
		return nil, err
	}
	e := s.event(who, "recording.search", attr("text", f.Text), attr("identity", f.Identity))
	e.Resource = f.Resource
	if err := s.note(ctx, e, ok); err != nil {
		return nil, err
	}
	return func(ctx context.Context, each func(*record.Match) error) error {
		return s.p.Records.Search(ctx, f, each)
	}, nil
}

// Kill ends a live session: one of the caller's own, for administrators any.
func (s *Service) Kill(ctx context.Context, who *weir.Identity, id string) (record.Session, error) {
	x, err := s.Session(ctx, who, id)
	if err != nil {
		return record.Session{}, err
	}
	if x.State != record.Live {
		return record.Session{}, weir.NewError(weir.Conflict, "session "+string(x.ID)+" has ended already", nil)
	}
	e := s.event(who, "session.kill", attr("identity", x.Identity))
	e.Session, e.Resource = x.ID, x.Resource
	err = s.take(ctx, e, func() error {
		s.p.Gate.End(func(i *weir.SessionInfo) bool { return i.ID == x.ID }, "ended by "+who.Name)
		return nil
	})
	if err != nil {
		return record.Session{}, err
	}
	return s.p.Records.Get(string(x.ID))
}

// Audit lists audit events, the oldest first. Administrators only.
func (s *Service) Audit(ctx context.Context, who *weir.Identity, f audit.Filter) ([]audit.Event, error) {
	if err := s.admin(ctx, who, "audit.read"); err != nil {
		return nil, err
	}
	return s.p.Audit.List(ctx, f)
}

// TailAudit audits that the log is followed and returns a function that calls each for every event from then on, while
// may says that the caller's credential is still good. Administrators only.
func (s *Service) TailAudit(ctx context.Context, who *weir.Identity, f audit.Filter, may func() error) (func(ctx context.Context, each func(*audit.Event) error) error, error) {
	if err := s.admin(ctx, who, "audit.tail"); err != nil {
		return nil, err
	}
	if err := s.note(ctx, s.event(who, "audit.tail"), ok); err != nil {
		return nil, err
	}
	return func(ctx context.Context, each func(*audit.Event) error) error {
		return s.p.Audit.Tail(ctx, f, func(e *audit.Event) error {
			if err := may(); err != nil {
				return err
			}
			return each(e)
		})
	}, nil
}

// Evidence is what a verification found.
type Evidence struct {
	OK       bool           `json:"ok"`
	Time     time.Time      `json:"time"`
	Sessions *verify.Report `json:"sessions"`
	Audit    *verify.Report `json:"audit"`
}

// Verify checks all evidence on the gateway's disk. Administrators only.
func (s *Service) Verify(ctx context.Context, who *weir.Identity) (*Evidence, error) {
	if err := s.admin(ctx, who, "evidence.verify"); err != nil {
		return nil, err
	}
	ev, err := s.p.Verify(ctx)
	e := s.event(who, "evidence.verify")
	if err == nil {
		e.Detail = append(e.Detail, attr("whole", yes(ev.OK)))
	}
	return ev, s.end(ctx, e, err)
}
