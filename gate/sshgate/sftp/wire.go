package sftp

import (
	"encoding/binary"
	"errors"
	"io"
)

// Packet types of version 3.
const (
	typeInit          = 1
	typeVersion       = 2
	typeOpen          = 3
	typeClose         = 4
	typeRead          = 5
	typeWrite         = 6
	typeLstat         = 7
	typeFstat         = 8
	typeSetstat       = 9
	typeFsetstat      = 10
	typeOpendir       = 11
	typeReaddir       = 12
	typeRemove        = 13
	typeMkdir         = 14
	typeRmdir         = 15
	typeRealpath      = 16
	typeStat          = 17
	typeRename        = 18
	typeReadlink      = 19
	typeSymlink       = 20
	typeStatus        = 101
	typeHandle        = 102
	typeData          = 103
	typeName          = 104
	typeAttrs         = 105
	typeExtended      = 200
	typeExtendedReply = 201
)

// Status codes.
const (
	statusOK          = 0
	statusEOF         = 1
	statusDenied      = 3
	statusFailure     = 4
	statusBadMessage  = 5
	statusUnsupported = 8
)

const (
	version   = 3
	maxData   = 255 << 10       // bytes of one READ or WRITE, at most: what OpenSSH takes
	maxPacket = 256<<10 + 1<<10 // bytes of a packet, at most
	minBuffer = 32<<10 + 1<<10  // for the first packets
	bigBuffer = 2 * maxPacket   // while contents pass
	maxNames  = maxPacket / 12  // entries that a NAME packet has room for
	maxString = 64 << 10        // bytes of a path or a message, at most
	flagsAll  = 0x8000000f      // attributes that version 3 knows
	maxExtend = 64              // extended attributes of one file, at most
	attrSize  = 1
	attrOwner = 2
	attrMode  = 4
	attrTime  = 8
	attrMore  = 1 << 31
)

var (
	errTooLong = errors.New("sftp: a packet is longer than allowed")
	errBroken  = errors.New("sftp: a packet breaks the protocol")
)

// fields reads a packet's fields one after the other. What it returns are parts of the packet. After a field that is not there, bad is set
// and all that follow are empty.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) take(n int) []byte {
	if f.bad || n < 0 || n > len(f.b) {
		f.bad, f.b = true, nil
		return nil
	}
	p := f.b[:n:n]
	f.b = f.b[n:]
	return p
}

func (f *fields) uint8() byte {
	if p := f.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (f *fields) uint32() uint32 {
	if p := f.take(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

func (f *fields) uint64() uint64 {
	if p := f.take(8); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

// str reads a string.
func (f *fields) str() []byte {
	n := f.uint32()
	if n > maxPacket {
		f.bad = true
	}
	return f.take(int(n))
}

// path reads a string of moderate length.
func (f *fields) path() string {
	p := f.str()
	if len(p) > maxString {
		f.bad = true
	}
	return string(p)
}

// attrs reads the attributes of a file and appends them to dst without the extended ones: nobody can tell what these say.
func (f *fields) attrs(dst []byte) []byte {
	from := len(dst)
	flags := f.uint32()
	if flags&^flagsAll != 0 {
		f.bad = true
	}
	dst = binary.BigEndian.AppendUint32(dst, flags&^attrMore)
	size := 0
	for _, part := range [...]struct {
		flag uint32
		n    int
	}{{attrSize, 8}, {attrOwner, 8}, {attrMode, 4}, {attrTime, 8}} {
		if flags&part.flag != 0 {
			size += part.n
		}
	}
	dst = append(dst, f.take(size)...)
	if flags&attrMore != 0 {
		n := f.uint32()
		if n > maxExtend {
			f.bad = true
		}
		for ; n > 0 && !f.bad; n-- {
			f.str()
			f.str()
		}
	}
	if f.bad {
		return dst[:from]
	}
	return dst
}

// end reports that the whole packet was read and nothing was missing.
func (f *fields) end() bool { return !f.bad && len(f.b) == 0 }

// begin appends a packet's head; finish fills its length in.
func begin(dst []byte, kind byte, id uint32) []byte {
	dst = append(dst, 0, 0, 0, 0, kind)
	return binary.BigEndian.AppendUint32(dst, id)
}

// finish sets the length of the packet that begins at from.
func finish(dst []byte, from int) []byte {
	binary.BigEndian.PutUint32(dst[from:], uint32(len(dst)-from-4)) //nolint:gosec // G115: no packet is that long
	return dst
}

func appendString[T string | []byte](dst []byte, s T) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s))) //nolint:gosec // G115: no string is that long
	return append(dst, s...)
}

// appendStatus appends a STATUS packet. Servers of all ages send the language tag.
func appendStatus(dst []byte, id, code uint32, text string) []byte {
	from := len(dst)
	dst = binary.BigEndian.AppendUint32(begin(dst, typeStatus, id), code)
	return finish(appendString(appendString(dst, text), ""), from)
}

// appendRead appends a READ packet.
func appendRead(dst []byte, id uint32, handle []byte, offset int64, n int) []byte {
	from := len(dst)
	dst = appendString(begin(dst, typeRead, id), handle)
	dst = binary.BigEndian.AppendUint64(dst, uint64(offset))
	return finish(binary.BigEndian.AppendUint32(dst, uint32(n)), from) //nolint:gosec // G115: at most maxData
}

// reader cuts a stream into packets.
type reader struct {
	r        io.Reader
	buf      []byte
	from, to int // what was read and not yet returned
}

// next returns the next packet without its length. It is valid until the next call. io.EOF means that the stream ended between two
// packets.
func (r *reader) next() ([]byte, error) {
	if err := r.fill(4); err != nil {
		return nil, err
	}
	n := int64(binary.BigEndian.Uint32(r.buf[r.from:]))
	if n < 1 {
		return nil, errBroken
	}
	if n > maxPacket {
		return nil, errTooLong
	}
	if err := r.fill(4 + int(n)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	p := r.buf[r.from+4 : r.from+4+int(n) : r.from+4+int(n)]
	r.from += 4 + int(n)
	return p, nil
}

// fill reads until n bytes are there.
func (r *reader) fill(n int) error {
	if r.to-r.from >= n {
		return nil
	}
	if r.from+n > len(r.buf) {
		if n > len(r.buf) || n > minBuffer/2 && len(r.buf) < bigBuffer { // contents pass: larger reads, fewer moves
			size := minBuffer
			if n > minBuffer/2 {
				size = bigBuffer
			}
			grown := make([]byte, size)
			r.to = copy(grown, r.buf[r.from:r.to])
			r.buf = grown
		} else {
			r.to = copy(r.buf, r.buf[r.from:r.to])
		}
		r.from = 0
	}
	for r.to-r.from < n {
		m, err := r.r.Read(r.buf[r.to:])
		r.to += m
		if err != nil && r.to-r.from < n {
			if errors.Is(err, io.EOF) && r.to > r.from {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}
