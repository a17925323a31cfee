package postgres

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"weir"
)

// Limits and codes of the startup phase (PostgreSQL documentation, section 55.7).
const (
	maxStartup  = 10_000 // bytes; the server's own limit
	protocol30  = 3 << 16
	newestMinor = 2
	codeCancel  = 1234<<16 | 5678
	codeTLS     = 1234<<16 | 5679
	codeGSS     = 1234<<16 | 5680

	firstOfTLS = 0x16 // a TLS handshake record: direct TLS
)

var (
	errGarbage = errors.New("not a startup message")
	errOldMark = errors.New("protocol version 2")
)

// startup is a client's StartupMessage.
type startup struct {
	minor   uint32   // that is spoken from here on: 0 … newestMinor
	refused []string // protocol options that are not known
	newer   bool     // the client asked for a newer minor version
	user    string
	params  map[string]string // all but user, database, replication and _pq_.*, by name as sent
	named   string            // database
	replica string            // replication
}

// cancelRequest is a client's CancelRequest.
type cancelRequest struct {
	pid uint32
	key []byte
}

// readStartup reads one message of the startup phase, of which first has been read already. It never reads beyond the message.
func readStartup(r io.Reader, first []byte) (code uint32, body []byte, err error) {
	var head [8]byte
	n := copy(head[:], first)
	if _, err := io.ReadFull(r, head[n:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[:4])
	code = binary.BigEndian.Uint32(head[4:])
	if length < 8 || length > maxStartup {
		return 0, nil, errGarbage
	}
	body = make([]byte, length-8)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, err
	}
	return code, body, nil
}

// parseCancel reads the body of a CancelRequest. Keys are 4 bytes, or up to 256 from version 3.2 on.
func parseCancel(body []byte) (cancelRequest, error) {
	if len(body) < 8 || len(body) > 4+256 {
		return cancelRequest{}, errGarbage
	}
	return cancelRequest{pid: binary.BigEndian.Uint32(body), key: body[4:]}, nil
}

// parseStartup reads the body of a StartupMessage of the version.
func parseStartup(version uint32, body []byte) (*startup, error) {
	switch version >> 16 {
	case 3:
	case 1, 2:
		return nil, errOldMark
	default:
		return nil, errGarbage
	}
	s := &startup{minor: min(version&0xffff, newestMinor), newer: version&0xffff > newestMinor, params: make(map[string]string)}
	for {
		name, rest, ok := bytes.Cut(body, []byte{0})
		if !ok {
			return nil, errGarbage
		}
		if len(name) == 0 {
			if len(rest) != 0 {
				return nil, errGarbage
			}
			break
		}
		value, rest, ok := bytes.Cut(rest, []byte{0})
		if !ok {
			return nil, errGarbage
		}
		body = rest
		if err := s.set(string(name), string(value)); err != nil {
			return nil, err
		}
	}
	if s.user == "" {
		return nil, errors.New("no user name")
	}
	return s, nil
}

// set takes one parameter. A name that comes twice could be read in two ways and is refused.
func (s *startup) set(name, value string) error {
	var field *string
	switch {
	case name == "user":
		field = &s.user
	case name == "database":
		field = &s.named
	case name == "replication":
		field = &s.replica
	case strings.HasPrefix(name, "_pq_."):
		s.refused = append(s.refused, name)
		return nil
	}
	if field != nil {
		if *field != "" {
			return fmt.Errorf("%w: a parameter comes twice", errGarbage)
		}
		*field = value
		return nil
	}
	if _, ok := s.params[name]; ok {
		return fmt.Errorf("%w: a parameter comes twice", errGarbage)
	}
	s.params[name] = value
	return nil
}

// negotiate is the NegotiateProtocolVersion that the client must be sent, or nil.
func (s *startup) negotiate() []byte {
	if !s.newer && len(s.refused) == 0 {
		return nil
	}
	b, at := begin(nil, 'v')
	b = binary.BigEndian.AppendUint32(b, protocol30|s.minor)
	b = binary.BigEndian.AppendUint32(b, uint32(len(s.refused))) //nolint:gosec // bounded by maxStartup
	for _, name := range s.refused {
		b = append(append(b, name...), 0)
	}
	return finish(b, at)
}

// replicates reports whether the client wants a replication connection. What is neither yes nor no counts as yes.
func (s *startup) replicates() bool {
	switch strings.ToLower(s.replica) {
	case "", "false", "off", "no", "0", "f", "n":
		return false
	}
	return true
}

// settingTable holds the settings that a client may not choose at the start, and why.
var settingTable = map[string]string{
	"backslash_quote":           "it changes how statements are read",
	"role":                      "it changes who acts",
	"session_authorization":     "it changes who acts",
	"is_superuser":              "it changes who acts",
	"session_replication_role":  "it turns triggers and rules off",
	"session_preload_libraries": "it loads code",
	"local_preload_libraries":   "it loads code",
	"shared_preload_libraries":  "it loads code",
	"dynamic_library_path":      "it loads code",
	"allow_system_table_mods":   "it unlocks the catalogue",
	"ignore_system_indexes":     "it unlocks the catalogue",
	"zero_damaged_pages":        "it destroys data",
	"lo_compat_privileges":      "it turns checks off",
	"server_encoding":           "it cannot be chosen",
	"replication":               "replication is not let through",
	"user":                      "it stands in the message already",
	"database":                  "it stands in the message already",
}

// readOnlyTable holds those that an access which may only read must not set.
var readOnlyTable = map[string]bool{"default_transaction_read_only": true, "transaction_read_only": true}

// encodingTable holds the encodings that statements and values can be read in, as written without punctuation.
var encodingTable = map[string]string{"utf8": "UTF8", "unicode": "UTF8", "sqlascii": "SQL_ASCII"}

// settings makes what the target is told at its start from what the client asked for: names are in lower case, options are taken
// apart. Nothing is passed on that has not been looked at.
func (s *startup) settings(readOnly bool) (map[string]string, *weir.Denied) {
	out := make(map[string]string, len(s.params)+2)
	if options, ok := s.params["options"]; ok {
		pairs, err := parseOptions(options)
		if err != nil {
			return nil, refuseSetting("options", err.Error())
		}
		for _, p := range pairs {
			if d := admitSetting(out, p.Name, p.Value, readOnly); d != nil {
				return nil, d
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.params)) {
		if name == "options" {
			continue
		}
		if d := admitSetting(out, name, s.params[name], readOnly); d != nil {
			return nil, d
		}
	}
	if out["client_encoding"] == "" {
		out["client_encoding"] = "UTF8"
	}
	if readOnly {
		out["default_transaction_read_only"] = "on"
	}
	return out, nil
}

// admitSetting checks one setting and puts it into out.
func admitSetting(out map[string]string, name, value string, readOnly bool) *weir.Denied {
	name = strings.ToLower(name)
	if !settingName(name) {
		return refuseSetting("", "its name cannot be read")
	}
	if why := settingTable[name]; why != "" {
		return refuseSetting(name, why)
	}
	switch {
	case name == "standard_conforming_strings":
		if !isOn(value) {
			return refuseSetting(name, "it changes how statements are read; leave it on")
		}
	case name == "client_encoding":
		enc, ok := safeEncoding(value)
		if !ok {
			return refuseSetting(name, "statements are read in UTF8 only; set client_encoding (PGCLIENTENCODING) to UTF8")
		}
		value = enc
	case readOnly && readOnlyTable[name]:
		return refuseSetting(name, "this access may only read")
	}
	out[name] = value
	return nil
}

func refuseSetting(name, why string) *weir.Denied {
	reason := "this connection parameter is not let through: " + why
	if name != "" {
		reason = fmt.Sprintf("the connection parameter %q is not let through: %s", name, why)
	}
	return &weir.Denied{Kind: weir.DeniedRequest, Reason: reason, Hint: "leave it out of the connection string, PGOPTIONS and the driver's settings"}
}

// safeEncoding returns the encoding's proper name if statements can be read in it. Punctuation and case do not count, as in the server.
func safeEncoding(value string) (string, bool) {
	key := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r > 0x7f:
			return '?'
		}
		return -1
	}, value)
	enc, ok := encodingTable[key]
	return enc, ok
}

func isOn(v string) bool {
	switch strings.ToLower(v) {
	case "on", "true", "yes", "1":
		return true
	}
	return false
}

// settingName reports whether name can be the name of a setting: identifiers with dots between them.
func settingName(name string) bool {
	if name == "" || len(name) > 200 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c == '_', i > 0 && (c >= '0' && c <= '9' || c == '.' || c == '$'):
		default:
			return false
		}
	}
	return true
}

// parseOptions takes the options parameter apart: "-c name=value", "-cname=value" and "--name=value", split at white space, which a
// backslash makes part of a word. Everything else a server would take on its command line is refused.
func parseOptions(options string) ([]weir.Attr, error) {
	var out []weir.Attr
	words := optionWords(options)
	for i := 0; i < len(words); i++ {
		w := words[i]
		var pair string
		switch {
		case w == "-c":
			if i++; i == len(words) {
				return nil, errors.New("-c needs name=value behind it")
			}
			pair = words[i]
		case strings.HasPrefix(w, "-c"):
			pair = w[2:]
		case strings.HasPrefix(w, "--"):
			pair = w[2:]
		default:
			return nil, errors.New("only -c name=value and --name=value are let through")
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, errors.New("a setting needs name=value")
		}
		// The server reads dashes in names as underscores, in both forms.
		name = strings.ReplaceAll(name, "-", "_")
		out = append(out, weir.Attr{Name: name, Value: value})
	}
	return out, nil
}

// optionWords splits at white space as the server does.
func optionWords(s string) []string {
	var words []string
	var w []byte
	in := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ' ' || c >= '\t' && c <= '\r':
			if in {
				words = append(words, string(w))
			}
			w, in = w[:0], false
		case c == '\\' && i+1 < len(s):
			i++
			w, in = append(w, s[i]), true
		case c == '\\': // at the end: nothing to make part of a word
		default:
			w, in = append(w, c), true
		}
	}
	if in {
		words = append(words, string(w))
	}
	return words
}

// fatal is an ErrorResponse that ends the connection, unless it is appended as a lesser one.
type fatal struct{ code, message, detail, hint string }

// append appends it to dst.
func (f *fatal) append(dst []byte) []byte { return f.appendAs(dst, "FATAL") }

// appendAs appends it with a severity.
func (f *fatal) appendAs(dst []byte, severity string) []byte {
	dst, at := begin(dst, 'E')
	field := func(kind byte, v string) {
		if v != "" {
			dst = append(append(append(dst, kind), strings.ReplaceAll(v, "\x00", " ")...), 0)
		}
	}
	field('S', severity)
	field('V', severity)
	field('C', f.code)
	field('M', f.message)
	field('D', f.detail)
	field('H', f.hint)
	return finish(append(dst, 0), at)
}
