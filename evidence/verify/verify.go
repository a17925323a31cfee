// Package verify checks a journal's files offline, with its public key alone: it finds any entry that was edited, dropped,
// reordered or cut off since it was signed. It reads the format that package journal describes with code of its own, so that
// one mistake cannot be in both.
//
// It must never change a file, and never call a journal good that it has not read to its end.
package verify

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Options of Dir.
type Options struct {
	// Checkpoint is a checkpoint line that was kept elsewhere: the journal must reach as far as it says. Empty: only the journal's own.
	Checkpoint string
}

// Problem is one thing that is not as it was written.
type Problem struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	Text   string `json:"text"`
}

// Report is what Dir found. The evidence is whole when there are no Problems.
type Report struct {
	Dir        string    `json:"dir"`
	Journal    string    `json:"journal" doc:"its identity"`
	Segments   int       `json:"segments"`
	Entries    uint64    `json:"entries"`
	Statements int       `json:"statements" doc:"signed statements that were checked"`
	Signed     uint64    `json:"signed" doc:"sequence number of the newest entry that a signature covers"`
	Unsigned   uint64    `json:"unsigned" doc:"entries after it"`
	Last       time.Time `json:"last" doc:"time of the last entry"`
	Sealed     bool      `json:"sealed" doc:"the journal was closed"`
	Notes      []string  `json:"notes,omitempty"`
	Problems   []Problem `json:"problems,omitempty"`
}

// OK reports whether nothing is wrong.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

const (
	headLen   = 256
	entryHead = 28
	stateLen  = 8 + sha256.Size + ed25519.SignatureSize

	kindCheckpoint = 240
	kindSeal       = 241
	kindRecovery   = 242

	// maxProblems bounds a report: what is broken that badly is broken.
	maxProblems = 100
	maxFile     = 1 << 30
)

var crcTable = crc32.MakeTable(crc32.Castagnoli)

type sum = [sha256.Size]byte

// verifier walks the segments.
type verifier struct {
	report  *Report
	key     ed25519.PublicKey
	id      []byte
	chain   sum
	seq     uint64
	marks   []*mark // checkpoint lines, to be met on the way
	unknown bool    // a segment could not be read to its end, so what follows cannot be chained
}

// mark is a checkpoint line: what stood where.
type mark struct {
	source  string
	segment uint64
	offset  int64
	seq     uint64
	chain   sum
	met     bool
}

// Dir checks the journal in a directory. The error says that it could not be looked at; what is wrong with the
// evidence is in the report.
func Dir(dir string, key ed25519.PublicKey, opt Options) (*Report, error) {
	r := &Report{Dir: dir}
	v := &verifier{report: r, key: key}
	files, err := v.files(dir)
	if err != nil {
		return nil, err
	}
	if text, err := os.ReadFile(filepath.Join(dir, "checkpoint")); err == nil && len(text) > 0 {
		v.mark(string(text), "checkpoint")
	} else if len(files) > 0 && (err != nil || len(text) == 0) {
		v.problem("checkpoint", 0, "the file that says how far the journal reached is missing or empty")
	}
	if opt.Checkpoint != "" {
		v.mark(strings.TrimRight(opt.Checkpoint, "\r\n")+"\n", "the checkpoint that was given")
	}
	for i, name := range files {
		if err := v.file(dir, name, i == len(files)-1); err != nil {
			return nil, err
		}
	}
	for _, m := range v.marks {
		if !m.met {
			v.problem(m.source, 0, fmt.Sprintf("it says that entry %d stood in segment %d at offset %d, and that is not there: entries were cut off", m.seq, m.segment, m.offset))
		}
	}
	r.Entries = v.seq
	r.Unsigned = r.Entries - min(r.Signed, r.Entries)
	return r, nil
}

// files lists the segments and reports gaps in their numbers.
func (v *verifier) files(dir string) ([]string, error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look into the journal: %w", err)
	}
	var names []string
	for _, e := range all {
		name := e.Name()
		if strings.HasSuffix(name, ".lost") {
			v.report.Notes = append(v.report.Notes, name+" was put aside after a power loss")
		}
		if n, ok := strings.CutSuffix(name, ".seg"); ok && len(n) == 8 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for i, name := range names {
		n, err := strconv.Atoi(strings.TrimSuffix(name, ".seg"))
		if err != nil {
			v.problem(name, 0, "the name is not a segment's number")
		} else if n != i+1 && len(v.report.Problems) == 0 {
			v.problem(name, 0, fmt.Sprintf("segment %d is missing", i+1))
		}
	}
	return names, nil
}

func (v *verifier) problem(file string, offset int64, text string) {
	if len(v.report.Problems) < maxProblems {
		v.report.Problems = append(v.report.Problems, Problem{File: file, Offset: offset, Text: text})
	}
}

// mark reads a checkpoint line and checks its signature.
func (v *verifier) mark(line, source string) {
	f := strings.Fields(line)
	if len(f) != 10 || f[0] != "weir-checkpoint-1" || !strings.HasSuffix(line, "\n") {
		v.problem(source, 0, "this is no checkpoint line")
		return
	}
	var n [6]uint64 // kind segment offset seq time count
	for i, at := range [...]int{1, 3, 4, 5, 6, 7} {
		x, err := strconv.ParseUint(f[at], 10, 63)
		if err != nil {
			v.problem(source, 0, "a number in the checkpoint line is damaged")
			return
		}
		n[i] = x
	}
	id, err1 := hex.DecodeString(f[2])
	chain, err2 := hex.DecodeString(f[8])
	sig, err3 := hex.DecodeString(f[9])
	if err1 != nil || err2 != nil || err3 != nil || len(id) != 16 || len(chain) != sha256.Size || n[0] > 255 {
		v.problem(source, 0, "the checkpoint line is damaged")
		return
	}
	if !v.signed(byte(n[0]), id, n[1], n[2], n[3], n[4], n[5], chain, sig) {
		v.problem(source, 0, "the signature of the checkpoint line is wrong")
		return
	}
	if v.id == nil {
		v.id = id
	} else if !bytes.Equal(v.id, id) {
		v.problem(source, 0, "the checkpoint line belongs to another journal")
		return
	}
	v.marks = append(v.marks, &mark{source: source, segment: n[1], offset: int64(n[2]), seq: n[3], chain: sum(chain)})
}

// signed checks a statement's signature.
func (v *verifier) signed(kind byte, id []byte, segment, offset, seq, at, count uint64, chain, sig []byte) bool {
	msg := append([]byte("weir journal v1\n"), kind)
	msg = append(msg, id...)
	for _, n := range [...]uint64{segment, offset, seq, at, count} {
		msg = binary.LittleEndian.AppendUint64(msg, n)
	}
	msg = append(msg, chain...)
	return len(sig) == ed25519.SignatureSize && ed25519.Verify(v.key, msg, sig)
}

// file checks one segment. The last one may be in use: it is looked at again when its end seems damaged.
func (v *verifier) file(dir, name string, last bool) error {
	path := filepath.Join(dir, name)
	for try := 0; ; try++ {
		saved, problems := *v, len(v.report.Problems)
		savedReport := *v.report
		mem, unmap, err := load(path)
		if err != nil {
			return fmt.Errorf("look into the journal: %w", err)
		}
		v.segment(name, mem, last)
		if err := unmap(); err != nil {
			return fmt.Errorf("look into the journal: %w", err)
		}
		if !last || len(v.report.Problems) == problems || try == 3 {
			return nil
		}
		report := v.report
		*v, *report = saved, savedReport
		v.report = report
		time.Sleep(20 * time.Millisecond)
	}
}

func load(path string) (mem []byte, unmap func() error, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.Size() == 0 {
		return nil, func() error { return nil }, nil
	}
	if info.Size() > maxFile {
		return nil, nil, fmt.Errorf("%s is longer than a segment can be", path)
	}
	mem, err = unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	return mem, func() error { return unix.Munmap(mem) }, err
}

// segment checks the header and then all entries.
func (v *verifier) segment(name string, b []byte, last bool) {
	if last && v.report.Segments > 0 && zero(b) {
		v.report.Notes = append(v.report.Notes, name+" was begun and never used")
		return
	}
	v.report.Segments++
	number := uint64(v.report.Segments)
	if len(b) < headLen || string(b[:8]) != "WEIRJNL1" || binary.LittleEndian.Uint32(b[120:]) != crc32.Checksum(b[:120], crcTable) {
		v.problem(name, 0, "the header is damaged")
		v.unknown = true
		return
	}
	u64 := func(at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	if u32(8) != 1 || u32(12) != headLen || u32(124) != 0 || !zero(b[136:headLen]) {
		v.problem(name, 8, "the header is not of format version 1")
	}
	if v.id == nil {
		v.id = bytes.Clone(b[16:32])
	}
	v.report.Journal = hex.EncodeToString(v.id)
	if !bytes.Equal(b[16:32], v.id) {
		v.problem(name, 16, "the segment belongs to another journal")
	}
	if u64(32) != number {
		v.problem(name, 32, fmt.Sprintf("the segment says that it is number %d, and stands in place %d", u64(32), number))
		number = u64(32)
	}
	if !bytes.Equal(b[88:120], v.key) {
		v.problem(name, 88, "the segment was signed with another key")
	}
	if !v.unknown {
		if u64(40) != v.seq+1 {
			v.problem(name, 40, fmt.Sprintf("it begins with entry %d, and the one before ended with %d: entries are missing", u64(40), v.seq))
		}
		if !bytes.Equal(b[56:88], v.chain[:]) {
			v.problem(name, 56, "it does not continue the segment before it")
		}
	}
	v.unknown = false
	v.seq = u64(40) - 1
	v.chain = sha256.Sum256(b[:128])
	v.entries(name, b, number, last)
}

// entries checks all entries of a segment.
func (v *verifier) entries(name string, b []byte, number uint64, last bool) {
	at, count, sealed := int64(headLen), uint64(0), false
	for !sealed {
		rest := b[at:]
		if len(rest) < 4 || binary.LittleEndian.Uint32(rest) == 0 {
			break
		}
		n := int64(binary.LittleEndian.Uint32(rest))
		if n < entryHead || n > int64(len(rest)) {
			v.broken(name, at, "the length of the entry is impossible")
			return
		}
		e := rest[:n]
		if crc32.Update(crc32.Checksum(e[entryHead:], crcTable), crcTable, e[:24]) != binary.LittleEndian.Uint32(e[24:]) {
			v.broken(name, at, "the entry was changed: its checksum is wrong")
			return
		}
		seq := binary.LittleEndian.Uint64(e[8:])
		if seq != v.seq+1 {
			v.broken(name, at, fmt.Sprintf("entry %d follows entry %d: entries were dropped or reordered", seq, v.seq))
			return
		}
		v.meet(number, at, seq)
		switch kind := e[4]; kind {
		case kindCheckpoint, kindSeal:
			if !v.statement(name, number, at, e, count) {
				return
			}
			sealed = kind == kindSeal
		case kindRecovery:
			if n == entryHead+16 {
				v.report.Notes = append(v.report.Notes, fmt.Sprintf("%s: the gateway had not closed the journal; %d bytes of entries that were never acknowledged or never on the disk were dropped at start",
					name, binary.LittleEndian.Uint64(e[entryHead:])))
			}
		}
		payload := sha256.Sum256(e[entryHead:])
		link := append(append(append(make([]byte, 0, 92), v.chain[:]...), e[:entryHead]...), payload[:]...)
		v.chain = sha256.Sum256(link)
		v.seq = seq
		v.report.Last = time.Unix(0, int64(binary.LittleEndian.Uint64(e[16:]))).UTC()
		if sealed {
			v.report.Signed = seq
		}
		at += n
		count++
	}
	v.report.Sealed = sealed
	tail := int64(len(bytes.TrimRight(b[at:], "\x00")))
	switch {
	case sealed && tail > 0:
		v.problem(name, at, "there is something after the end of the segment")
	case !sealed && !last:
		v.problem(name, at, "the segment has no end, though later ones follow: entries were cut off")
	case tail > 0:
		v.report.Notes = append(v.report.Notes, fmt.Sprintf("%s: %d bytes after offset %d belong to an entry that was not finished", name, tail, at))
	}
}

func (v *verifier) broken(name string, at int64, text string) {
	v.problem(name, at, text)
	v.unknown = true
}

// statement checks what a signature says about all entries before it.
func (v *verifier) statement(name string, number uint64, at int64, e []byte, count uint64) bool {
	p := e[entryHead:]
	if len(p) != stateLen {
		v.broken(name, at, "a signed statement has the wrong length")
		return false
	}
	stated := binary.LittleEndian.Uint64(p)
	seq, when := binary.LittleEndian.Uint64(e[8:]), binary.LittleEndian.Uint64(e[16:])
	if !v.signed(e[4], v.id, number, uint64(at), seq, when, stated, p[8:8+sha256.Size], p[8+sha256.Size:]) {
		v.broken(name, at, "a signature is wrong")
		return false
	}
	if stated != count || !bytes.Equal(p[8:8+sha256.Size], v.chain[:]) {
		v.broken(name, at, "the entries before this signature are not those that were signed")
		return false
	}
	v.report.Statements++
	v.report.Signed = seq
	return true
}

// meet ticks off the checkpoint lines that speak of this place.
func (v *verifier) meet(segment uint64, offset int64, seq uint64) {
	for _, m := range v.marks {
		if m.segment == segment && m.offset == offset && m.seq == seq && m.chain == v.chain {
			m.met = true
		}
	}
}

func zero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }
