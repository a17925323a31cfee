package sftp

import (
	"context"
	"encoding/binary"

	"weir/gate/sshgate/transfer"
)

// Extensions of OpenSSH (its PROTOCOL file, section 4) that are passed on.
const (
	extPosixRename = "posix-rename@openssh.com"
	extStatvfs     = "statvfs@openssh.com"
	extFstatvfs    = "fstatvfs@openssh.com"
	extHardlink    = "hardlink@openssh.com"
	extFsync       = "fsync@openssh.com"
	extLsetstat    = "lsetstat@openssh.com"
	extLimits      = "limits@openssh.com"
	extExpandPath  = "expand-path@openssh.com"
	extCopyData    = "copy-data"
	extHome        = "home-directory"
	extUsersGroups = "users-groups-by-id@openssh.com"
)

// extensionTable says which extensions of a target the client hears of.
var extensionTable = map[string]bool{
	extPosixRename: true, extStatvfs: true, extFstatvfs: true, extHardlink: true, extFsync: true, extLsetstat: true, extLimits: true, extExpandPath: true, extCopyData: true,
	extHome: true, extUsersGroups: true,
}

// extended handles one extended request.
func (s *session) extended(ctx context.Context, id uint32, f *fields) {
	name := string(f.str())
	if !extensionTable[name] {
		s.status(id, statusUnsupported, "refused: the gateway does not know this extension")
		return
	}
	switch name {
	case extFstatvfs, extFsync, extLimits, extUsersGroups, extCopyData:
		s.extendedOfHandle(id, name, f)
		return
	}
	r := pathRequest{id: id, kind: typeExtended, ext: name, payload: appendString(nil, name)}
	path := f.path()
	r.op.Paths = []string{s.absolute(path)}
	if name == extExpandPath || name == extHome {
		r.payload = appendString(r.payload, path)
	} else {
		r.payload = appendString(r.payload, s.plain(path))
	}
	switch name {
	case extPosixRename, extHardlink:
		other := f.path()
		r.op.Reads = r.op.Paths
		r.op.Paths = []string{r.op.Paths[0], s.absolute(other)}
		r.payload = appendString(r.payload, s.plain(other))
		r.op.Name, r.op.Write = "rename", true
		if name == extHardlink {
			r.op.Name = "link"
		}
	case extLsetstat:
		r.op.Name, r.op.Write = "setstat", true
		r.payload = f.attrs(r.payload)
	case extStatvfs:
		r.op.Name, r.want = "statvfs", typeExtendedReply
	case extExpandPath:
		r.op = transfer.Op{Name: "realpath", Paths: []string{path}} // it may begin with ~
		r.want = typeName
	case extHome: // of a user, whom the path names
		r.op, r.want = transfer.Op{Name: "realpath", Paths: []string{"~" + path}}, typeName
	}
	if !f.end() {
		s.status(id, statusBadMessage, "refused: the request is malformed")
		return
	}
	s.decide(ctx, r)
}

// extendedOfHandle forwards the extended requests that name open files or none.
func (s *session) extendedOfHandle(id uint32, name string, f *fields) {
	sl := slot{kind: slotPass, client: id, want: typeExtendedReply, ext: name}
	payload := appendString(nil, name)
	valid := true
	handle := func() *handle {
		h := s.lookup(f.str())
		if h == nil {
			valid = false
			return nil
		}
		payload = appendString(payload, h.target)
		return h
	}
	switch name {
	case extFstatvfs:
		handle()
	case extFsync:
		handle()
		sl.want = 0
	case extUsersGroups:
		payload = appendString(appendString(payload, f.str()), f.str())
	case extCopyData:
		from := handle()
		payload = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(payload, f.uint64()), f.uint64())
		to := handle()
		payload = binary.BigEndian.AppendUint64(payload, f.uint64())
		if sl.want = 0; valid && (from.dir || to.dir || !to.op.Write || from.op.Write && len(from.op.Reads) == 0) {
			valid = false
		}
		if valid {
			to.failed("copied within the target")
			s.changed()
		}
	}
	switch {
	case !f.end():
		s.status(id, statusBadMessage, "refused: the request is malformed")
	case !valid:
		s.noHandle(id)
	default:
		s.send(sl, typeExtended, payload)
	}
}
