package sftp

import (
	"context"
	"encoding/binary"
	"errors"
	"path"
	"strings"

	"weir"
	"weir/gate/sshgate/transfer"
)

// Flags of OPEN.
const (
	openRead   = 1
	openWrite  = 2
	openAppend = 4
	openCreate = 8
	openTrunc  = 16
	openExcl   = 32
)

var openNames = [...]string{"read", "write", "append", "create", "truncate", "exclusive"}

// pathRequest is a request that names files: it is decided on before it is forwarded.
type pathRequest struct {
	id      uint32
	kind    byte   // packet type
	payload []byte // of the request behind its id, made anew
	op      transfer.Op
	want    byte   // type of the reply when it is not STATUS
	handle  []byte // of FSETSTAT, as the client calls it
	ext     string
}

// request handles one packet of the client. An error ends the session. s.mu is held.
func (s *session) request(ctx context.Context, p []byte) error {
	f := &fields{b: p}
	kind := f.uint8()
	if kind == typeInit {
		return s.init(f)
	}
	if !s.begun { // before VERSION nothing may be asked for
		return errBroken
	}
	id := f.uint32()
	if f.bad {
		return errBroken
	}
	if s.crowded() {
		s.status(id, statusFailure, "refused: too many requests are waiting for the target")
		return nil
	}
	switch kind {
	case typeRead:
		return s.readRequest(id, f)
	case typeWrite:
		return s.writeRequest(id, f)
	case typeClose, typeFstat, typeReaddir:
		s.handleRequest(id, kind, f)
	case typeExtended:
		s.extended(ctx, id, f)
	default:
		r, known := s.parsePaths(kind, f)
		switch {
		case !known:
			s.status(id, statusUnsupported, "refused: the gateway does not know this request")
		case !f.end():
			s.status(id, statusBadMessage, "refused: the request is malformed")
		default:
			r.id = id
			s.decide(ctx, r)
		}
	}
	return nil
}

// init forwards INIT without the client's extensions: there are none that servers know.
func (s *session) init(f *fields) error {
	if v := f.uint32(); f.bad || v < version || s.ready {
		return errBroken
	}
	s.ready = true
	s.target.put(func(dst []byte) []byte {
		return binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 5, typeInit), version)
	})
	return nil
}

// absolute is where a path leads that a client spelled, as policy matches it: without dots, and from the directory on in which servers begin.
func (s *session) absolute(spelled string) string {
	if strings.HasPrefix(spelled, "/") {
		return path.Clean(spelled)
	}
	return path.Join(s.home, spelled)
}

// plain is a path as it is sent to the target. One that climbs is sent as it was decided on: what ".." means behind a link only the target knows.
func (s *session) plain(spelled string) string {
	if strings.Contains("/"+spelled+"/", "/../") {
		return s.absolute(spelled)
	}
	return spelled
}

// parsePaths reads the requests of the draft that name files, and FSETSTAT, which changes one.
func (s *session) parsePaths(kind byte, f *fields) (r pathRequest, known bool) {
	r.kind = kind
	one := func(name string, write bool) {
		spelled := f.path()
		r.op = transfer.Op{Name: name, Paths: []string{s.absolute(spelled)}, Write: write}
		if kind != typeRealpath {
			spelled = s.plain(spelled)
		}
		r.payload = appendString(r.payload, spelled)
	}
	two := func(name string) {
		a, b := f.path(), f.path()
		r.op = transfer.Op{Name: name, Paths: []string{s.absolute(a), s.absolute(b)}, Write: true}
		r.op.Reads = r.op.Paths[:1]
		r.payload = appendString(appendString(r.payload, s.plain(a)), s.plain(b))
	}
	switch kind {
	case typeOpen:
		one("open", false)
		flags := f.uint32()
		f.bad = f.bad || flags >= 1<<len(openNames)
		r.opens(flags)
		r.payload = f.attrs(binary.BigEndian.AppendUint32(r.payload, flags))
		r.want = typeHandle
	case typeOpendir:
		one("list", false)
		r.want = typeHandle
	case typeLstat, typeStat:
		one("stat", false)
		r.want = typeAttrs
	case typeSetstat:
		one("setstat", true)
		r.payload = f.attrs(r.payload)
	case typeFsetstat:
		r.handle = append(r.handle, f.str()...)
		r.op = transfer.Op{Name: "setstat", Write: true}
		r.payload = f.attrs(nil)
	case typeRemove:
		one("remove", true)
	case typeMkdir:
		one("mkdir", true)
		r.payload = f.attrs(r.payload)
	case typeRmdir:
		one("rmdir", true)
	case typeRealpath:
		one("realpath", false)
		r.want = typeName
	case typeReadlink:
		one("readlink", false)
		r.want = typeName
	case typeRename:
		two("rename")
	case typeSymlink:
		r.op, r.payload = s.symlink(f.path(), f.path())
	default:
		return r, false
	}
	return r, true
}

// opens says what a file is opened for.
func (r *pathRequest) opens(flags uint32) {
	r.op.Write = flags&(openWrite|openAppend|openCreate|openTrunc) != 0
	if r.op.Write && (flags&openRead != 0 || flags&openWrite == 0) { // without any, or only with others, OpenSSH opens for reading
		r.op.Reads = r.op.Paths
	}
	r.op.Flags = flagNames(flags)
}

// symlink makes a link. The draft has the link's name first, OpenSSH what it leads to; both are decided on as either. What climbs out of the
// link's directory is made absolute: only so it is known where it leads.
func (s *session) symlink(a, b string) (transfer.Op, []byte) {
	from := func(link, text string) string {
		if strings.HasPrefix(text, "/") {
			return path.Clean(text)
		}
		return path.Join(path.Dir(s.absolute(link)), text)
	}
	op := transfer.Op{Name: "symlink", Paths: []string{s.absolute(a), s.absolute(b)}, Write: true, Reads: []string{from(b, a), from(a, b)}}
	if strings.Contains("/"+a+"/", "/../") {
		a = from(b, a)
	}
	if strings.Contains("/"+b+"/", "/../") {
		b = from(a, b)
	}
	return op, appendString(appendString(nil, a), b)
}

func flagNames(flags uint32) string {
	var names []string
	for i, name := range openNames {
		if flags&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// decide asks the host in a goroutine, so that what is held up does not hold up other requests, and forwards what it allows.
func (s *session) decide(ctx context.Context, r pathRequest) {
	if r.handle != nil {
		h := s.lookup(r.handle)
		if h == nil {
			s.noHandle(r.id)
			return
		}
		r.op.Paths = h.op.Paths
	}
	if len(s.turns) >= maxDeciding {
		s.status(r.id, statusFailure, "refused: too many requests are waiting for a decision")
		return
	}
	t := s.queue(r.op)
	s.deciding.Go(func() {
		var x transfer.Exchange
		err := t.wait(ctx)
		if err == nil {
			err = guarded(func() (err error) {
				x, err = transfer.Begin(ctx, s.host, r.op)
				return err
			})
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		defer s.leave(t)
		if err == nil && s.over {
			err = errEnded
		}
		if err == nil {
			err = guarded(func() error { return x.Forward(func(context.Context) error { return s.forward(r, x) }) })
		}
		if err == nil {
			return
		}
		if x != nil {
			x.End(err)
		}
		code := uint32(statusDenied)
		if errors.Is(err, errGone) || errors.Is(err, errHandles) {
			code = statusFailure
		}
		s.status(r.id, code, s.text(transfer.Refusal(err)))
	})
}

var (
	errGone    = weir.NewError(weir.Invalid, "invalid handle", nil)
	errHandles = weir.NewError(weir.RateLimited, "refused: too many files are open", nil)
)

// forward sends a request that was allowed to the target.
func (s *session) forward(r pathRequest, x transfer.Exchange) error {
	sl := slot{kind: slotPass, client: r.id, want: r.want, op: r.op, x: x, ext: r.ext}
	payload := r.payload
	if r.handle != nil {
		h := s.lookup(r.handle)
		if h == nil {
			return errGone
		}
		payload = append(appendString(nil, h.target), payload...)
	}
	if r.kind == typeOpen || r.kind == typeOpendir {
		if len(s.handles) >= maxHandles {
			return errHandles
		}
		sl.kind = slotOpen
		sl.h = &handle{s: s, op: r.op, x: x, dir: r.kind == typeOpendir}
	}
	if r.op.Write {
		s.changed()
	}
	s.send(sl, r.kind, payload)
	return nil
}

// send puts one request on its way to the target.
func (s *session) send(sl slot, kind byte, payload []byte) {
	id := s.take(sl)
	s.target.put(func(dst []byte) []byte {
		from := len(dst)
		return finish(append(begin(dst, kind, id), payload...), from)
	})
}

func (s *session) noHandle(id uint32) { s.status(id, statusFailure, errGone.PublicText()) }

// handleRequest forwards what names an open file only.
func (s *session) handleRequest(id uint32, kind byte, f *fields) {
	h := s.lookup(f.str())
	switch {
	case !f.end():
		s.status(id, statusBadMessage, "refused: the request is malformed")
		return
	case h == nil:
		s.noHandle(id)
		return
	}
	sl := slot{kind: slotPass, client: id, h: h}
	switch kind {
	case typeFstat:
		sl.want = typeAttrs
	case typeReaddir:
		sl.want = typeName
	case typeClose:
		h.closing, sl.kind = true, slotClose
		if h.view != nil {
			h.view.abandon()
		}
	}
	s.send(sl, kind, appendString(nil, h.target))
}

// readRequest hands a READ to the file's view.
func (s *session) readRequest(id uint32, f *fields) error {
	h := s.lookup(f.str())
	offset, n := f.uint64(), f.uint32()
	switch {
	case !f.end() || offset > 1<<62:
		s.status(id, statusBadMessage, "refused: the request is malformed")
		return nil
	case h == nil || h.dir:
		s.noHandle(id)
		return nil
	case h.op.Write && len(h.op.Reads) == 0: // it was allowed for writing only
		s.status(id, statusDenied, "refused: the file was not opened for reading")
		return nil
	case n == 0:
		s.client.put(func(dst []byte) []byte {
			from := len(dst)
			return finish(appendString(begin(dst, typeData, id), ""), from)
		})
		return nil
	}
	if h.view == nil {
		h.view = newView(s, h)
	}
	h.view.read(id, int64(offset), int(min(n, maxData))) //nolint:gosec // G115: both are limited
	return s.fault
}

// writeRequest looks at a WRITE and forwards it.
func (s *session) writeRequest(id uint32, f *fields) error {
	h := s.lookup(f.str())
	offset, data := f.uint64(), f.str()
	switch {
	case !f.end() || offset > 1<<62:
		s.status(id, statusBadMessage, "refused: the request is malformed")
		return nil
	case h == nil || h.dir:
		s.noHandle(id)
		return nil
	case !h.op.Write: // it was allowed for reading only; a server that minds its flags says the same
		s.status(id, statusDenied, "refused: the file was not opened for writing")
		return nil
	}
	if h.upload == nil {
		h.upload = transfer.NewUpload(h.x, s.opt)
	}
	if err := h.upload.Write(data, int64(offset)); err != nil { //nolint:gosec // G115: it is limited
		s.status(id, statusDenied, h.refuse(err))
		return nil
	}
	s.changed()
	tid := s.take(slot{kind: slotWrite, client: id, h: h})
	s.target.put(func(dst []byte) []byte {
		from := len(dst)
		dst = appendString(begin(dst, typeWrite, tid), h.target)
		return finish(appendString(binary.BigEndian.AppendUint64(dst, offset), data), from)
	})
	return nil
}

// refuse records a refusal of the file's contents and returns what the client reads.
func (h *handle) refuse(err error) string {
	h.failed("refused")
	var d *weir.Denied
	if errors.As(err, &d) {
		if told := h.x.Refuse(d); told != nil {
			err = told
		}
	}
	return h.s.text(transfer.Refusal(err))
}
