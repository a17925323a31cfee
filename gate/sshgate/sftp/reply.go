package sftp

import (
	"encoding/binary"
	"strconv"
	"strings"

	"weir"
)

// text masks a name or a message. A failure ends the session, and nothing is shown.
func (s *session) text(t string) string {
	b, err := s.host.Text([]byte(t))
	if err != nil {
		s.fault = err
		return ""
	}
	return string(b)
}

// reply handles one packet of the target. An error ends the session. s.mu is held. p is not kept.
func (s *session) reply(p []byte) error {
	f := &fields{b: p}
	kind := f.uint8()
	if s.hello == nil {
		return s.version(kind, f)
	}
	id := f.uint32()
	if f.bad || uint64(id) >= uint64(len(s.slots)) || !s.slots[id].busy {
		return errTarget
	}
	sl := s.slots[id]
	s.slots[id] = slot{}
	s.free = append(s.free, id)
	if sl.kind == slotHome {
		return s.startsAt(kind, f)
	}
	if sl.kind == slotView {
		return sl.h.view.reply(id, sl.gen, kind, f)
	}
	if kind == typeStatus {
		return s.statusReply(&sl, f)
	}
	if kind != sl.want || kind == 0 {
		s.done(&sl, "failed", errTarget)
		return errTarget
	}
	return s.valueReply(&sl, kind, f)
}

// version keeps VERSION, with the extensions that are known here, until the target has said where relative paths begin.
func (s *session) version(kind byte, f *fields) error {
	v := f.uint32()
	if kind != typeVersion || !s.ready || f.bad || v != version {
		return errTarget
	}
	out := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 0, typeVersion}, version)
	for len(f.b) > 0 && !f.bad {
		name, data := f.str(), f.str()
		if extensionTable[string(name)] && len(data) <= 16 {
			out = appendString(appendString(out, name), data)
		}
	}
	if f.bad {
		return errTarget
	}
	s.hello = finish(out, 0)
	s.send(slot{kind: slotHome}, typeRealpath, appendString(nil, "."))
	return nil
}

// startsAt learns where relative paths begin, and passes VERSION on. Without that nobody could tell which files they name.
func (s *session) startsAt(kind byte, f *fields) error {
	if kind != typeName || f.uint32() != 1 {
		return errTarget
	}
	home := f.path()
	if f.bad || !strings.HasPrefix(home, "/") {
		return errTarget
	}
	s.home, s.begun = home, true
	s.client.put(func(dst []byte) []byte { return append(dst, s.hello...) })
	return nil
}

// readStatus reads a STATUS behind its id and masks its text.
func (s *session) readStatus(f *fields) (code uint32, text string, err error) {
	code = f.uint32()
	if f.bad {
		return 0, "", errTarget
	}
	if len(f.b) > 0 { // the oldest servers send no text
		text = f.path()
	}
	if f.bad {
		return 0, "", errTarget
	}
	return code, s.text(text), nil
}

// statusReply passes a STATUS on.
func (s *session) statusReply(sl *slot, f *fields) error {
	code, text, err := s.readStatus(f)
	if err != nil {
		s.done(sl, "failed", errTarget)
		return err
	}
	outcome := "ok"
	if code != statusOK && (sl.want != typeName || code != statusEOF) {
		outcome = "failed: status " + strconv.FormatUint(uint64(code), 10)
	}
	if code == statusOK && sl.want != 0 {
		s.done(sl, "failed", errTarget) // it owes a value
		return errTarget
	}
	s.done(sl, outcome, nil)
	s.status(sl.client, code, text)
	return s.fault
}

// done closes the books of what a reply ends.
func (s *session) done(sl *slot, outcome string, cause error) {
	switch sl.kind {
	case slotClose:
		for id, h := range s.handles {
			if h == sl.h {
				delete(s.handles, id)
			}
		}
		if outcome == "ok" {
			outcome = "closed"
		}
		sl.h.end(outcome, cause)
	case slotWrite:
		if outcome != "ok" {
			sl.h.failed(outcome)
		}
	case slotPass, slotOpen, slotView, slotHome:
	}
	if sl.x == nil {
		return
	}
	attrs := []weir.Attr{{Name: "outcome", Value: outcome}}
	if sl.op.Flags != "" {
		attrs = append(attrs, weir.Attr{Name: "flags", Value: sl.op.Flags})
	}
	if err := sl.x.Note(sl.op.String(), attrs...); err != nil && cause == nil {
		cause, s.fault = err, err
	}
	sl.x.End(cause)
	sl.x = nil
}

// valueReply passes on what is not a STATUS. All strings are masked or made here.
func (s *session) valueReply(sl *slot, kind byte, f *fields) error {
	if kind == typeHandle {
		return s.handleReply(sl, f)
	}
	var body []byte
	switch kind {
	case typeAttrs:
		body = f.attrs(nil)
	case typeName:
		body = s.names(sl.h, f)
	case typeExtendedReply:
		body = s.extendedReply(sl.ext, f)
	}
	if !f.end() || s.fault != nil {
		s.done(sl, "failed", errTarget)
		if s.fault != nil {
			return s.fault
		}
		return errTarget
	}
	s.done(sl, "ok", nil)
	s.client.put(func(dst []byte) []byte {
		from := len(dst)
		return finish(append(begin(dst, kind, sl.client), body...), from)
	})
	return s.fault
}

func (s *session) handleReply(sl *slot, f *fields) error {
	name := f.str()
	if sl.kind != slotOpen || !f.end() || len(name) > 256 {
		s.done(sl, "failed", errTarget)
		return errTarget
	}
	sl.h.target = append([]byte(nil), name...)
	given := s.opened(sl.h)
	s.client.put(func(dst []byte) []byte {
		from := len(dst)
		return finish(appendString(begin(dst, typeHandle, sl.client), given), from)
	})
	return nil
}

// names makes the entries of a NAME packet anew.
func (s *session) names(h *handle, f *fields) []byte {
	n := f.uint32()
	if n > maxNames {
		f.bad = true
		return nil
	}
	out := binary.BigEndian.AppendUint32(nil, n)
	for ; n > 0 && !f.bad && s.fault == nil; n-- {
		out = appendString(out, s.text(f.path()))
		out = appendString(out, s.text(f.path()))
		out = f.attrs(out)
		if h != nil {
			h.entries++
		}
	}
	return out
}

// extendedReply passes numbers on and masks strings.
func (s *session) extendedReply(ext string, f *fields) []byte {
	switch ext {
	case extStatvfs, extFstatvfs:
		return append([]byte(nil), f.take(11*8)...)
	case extLimits:
		var out []byte
		for _, most := range [...]uint64{256 << 10, maxData, maxData, maxHandles} {
			v := f.uint64()
			if v == 0 || v > most { // zero says that there is no limit
				v = most
			}
			out = binary.BigEndian.AppendUint64(out, v)
		}
		return out
	case extUsersGroups: // two strings that hold strings
		var out []byte
		for range 2 {
			list := &fields{b: f.str()}
			var masked []byte
			for len(list.b) > 0 && !list.bad && s.fault == nil {
				masked = appendString(masked, s.text(list.path()))
			}
			f.bad = f.bad || list.bad
			out = appendString(out, masked)
		}
		return out
	}
	f.bad = true
	return nil
}
