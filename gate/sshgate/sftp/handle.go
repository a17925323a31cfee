package sftp

import (
	"encoding/binary"
	"strconv"

	"weir"
	"weir/gate/sshgate/transfer"
)

// handle is an open file or directory.
type handle struct {
	s       *session
	op      transfer.Op
	x       transfer.Exchange
	target  []byte // the target's name for it
	dir     bool
	closing bool

	view    *view // nil: nothing was read yet
	upload  *transfer.Upload
	given   transfer.Download
	entries int64 // of a directory
	outcome string
}

// lookup finds the handle that a client names, unless it is being closed.
func (s *session) lookup(name []byte) *handle {
	if len(name) != 4 {
		return nil
	}
	h := s.handles[binary.BigEndian.Uint32(name)]
	if h == nil || h.closing {
		return nil
	}
	return h
}

// opened gives the client a name for a handle.
func (s *session) opened(h *handle) []byte {
	for {
		s.last++
		if _, taken := s.handles[s.last]; !taken {
			break
		}
	}
	s.handles[s.last] = h
	return binary.BigEndian.AppendUint32(nil, s.last)
}

// end notes what became of the file. The outcome of a failure that was seen before goes first.
func (h *handle) end(outcome string, cause error) {
	if h.x == nil {
		return
	}
	if h.view != nil {
		h.view.stop()
	}
	if h.outcome != "" {
		outcome = h.outcome
	}
	attrs := []weir.Attr{{Name: "outcome", Value: outcome}}
	if h.op.Flags != "" {
		attrs = append(attrs, weir.Attr{Name: "flags", Value: h.op.Flags})
	}
	attrs = append(attrs, h.given.Attrs()...)
	if h.dir {
		attrs = append(attrs, weir.Attr{Name: "entries", Value: strconv.FormatInt(h.entries, 10)})
	}
	if h.upload != nil {
		more, err := h.upload.Close()
		attrs = append(attrs, more...)
		if err != nil && cause == nil {
			cause = err
		}
	}
	if err := h.x.Note(h.op.String(), attrs...); err != nil && cause == nil {
		cause = err
	}
	h.x.End(cause)
	h.x = nil
}

// failed keeps the first failure for the record.
func (h *handle) failed(outcome string) {
	if h.outcome == "" {
		h.outcome = outcome
	}
}

// changed makes all views begin anew: a file was changed, and nobody can tell which handles are open on it.
func (s *session) changed() {
	for _, h := range s.handles {
		if h.view != nil {
			h.view.forget()
		}
	}
}
