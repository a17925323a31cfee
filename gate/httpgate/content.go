package httpgate

import (
	"bytes"
	"errors"
	"mime"
	"net/textproto"
	"strings"
	"unicode/utf8"

	"weir"
)

// content is what is known of a body before it is passed on.
type content struct {
	media   string // lower case, without parameters; "" when none was named
	charset string // as named; ""
	shape   weir.Shape
	opaque  bool // cannot be looked into, and nothing allows it
}

var errPart = errors.New("a part of the multipart body cannot be looked into")

// textTypesTable lists the application types that are text.
var textTypesTable = map[string]weir.Format{
	"application/javascript": weir.FormatText, "application/x-javascript": weir.FormatText, "application/ecmascript": weir.FormatText,
	"application/typescript": weir.FormatText, "application/node": weir.FormatText,
	"application/yaml": weir.FormatText, "application/x-yaml": weir.FormatText, "application/toml": weir.FormatText,
	"application/x-toml": weir.FormatText, "application/x-sh": weir.FormatText, "application/x-shellscript": weir.FormatText,
	"application/x-csh": weir.FormatText, "application/x-perl": weir.FormatText, "application/x-python": weir.FormatText,
	"application/x-ruby": weir.FormatText, "application/x-httpd-php": weir.FormatText, "application/x-tcl": weir.FormatText,
	"application/sql": weir.FormatText, "application/x-sql": weir.FormatText, "application/graphql": weir.FormatText,
	"application/openmetrics-text": weir.FormatText, "application/pem-certificate-chain": weir.FormatText,
	"application/x-pem-file": weir.FormatText, "application/jwt": weir.FormatText, "application/sdp": weir.FormatText,
	"application/x-subrip": weir.FormatText, "application/vnd.apple.mpegurl": weir.FormatText, "application/x-mpegurl": weir.FormatText,
	"application/csv": weir.FormatText, "application/x-properties": weir.FormatText, "application/x-env": weir.FormatText,
	"application/hcl": weir.FormatText, "application/x-ns-proxy-autoconfig": weir.FormatText,
	"application/json": weir.FormatJSON, "text/json": weir.FormatJSON, "application/x-ndjson": weir.FormatJSON,
	"application/ndjson": weir.FormatJSON, "application/jsonl": weir.FormatJSON, "application/x-jsonlines": weir.FormatJSON,
	"application/json-lines": weir.FormatJSON, "application/jsonlines": weir.FormatJSON, "application/json-seq": weir.FormatJSON,
	"application/stream+json": weir.FormatJSON, "application/json5": weir.FormatText, "application/x-json": weir.FormatJSON,
	"application/csp-report": weir.FormatJSON, "application/importmap+json": weir.FormatJSON,
	"application/x-www-form-urlencoded": weir.FormatForm,
	"application/xml":                   weir.FormatXML, "text/xml": weir.FormatXML, "application/xml-dtd": weir.FormatXML,
	"application/xml-external-parsed-entity": weir.FormatXML, "application/wsdl+xml": weir.FormatXML,
	"text/html": weir.FormatHTML, "application/xhtml+xml": weir.FormatHTML,
	"text/event-stream": weir.FormatSSE,
}

// suffixTable lists structured syntax suffixes (RFC 6839) that can be looked into.
var suffixTable = []struct {
	suffix string
	format weir.Format
}{
	{"+json", weir.FormatJSON}, {"+json-seq", weir.FormatJSON}, {"+xml", weir.FormatXML}, {"+yaml", weir.FormatText},
}

// formatOf maps a media type to its format; FormatUnknown when it cannot be looked into.
func formatOf(media string) weir.Format {
	if f, ok := textTypesTable[media]; ok {
		return f
	}
	for _, s := range suffixTable {
		if strings.HasSuffix(media, s.suffix) {
			return s.format
		}
	}
	switch {
	case strings.HasPrefix(media, "text/"):
		return weir.FormatText
	case strings.HasPrefix(media, "multipart/") && media != "multipart/byteranges":
		return weir.FormatMultipart
	}
	return weir.FormatUnknown
}

// classify decides how a body is looked into, by its declared type and its first bytes.
// allowed are the media types that the target lets through unseen.
func classify(declared string, head []byte, allowed []string) content {
	c := content{}
	var params map[string]string
	if declared != "" {
		var err error
		c.media, params, err = parseMedia(declared)
		if err != nil {
			c.media = ""
			return c.refuseUnless(allowed)
		}
	}
	c.charset = params["charset"]
	if c.media == "" {
		return c.sniff(head, allowed)
	}
	switch c.shape.Format = formatOf(c.media); c.shape.Format {
	case weir.FormatUnknown:
		if pictureLike(c.media) && bytesAgree(c.media, head) {
			c.shape.Format = weir.FormatOpaque
			return c
		}
		return c.refuseUnless(allowed)
	case weir.FormatMultipart:
		c.shape.Boundary = params["boundary"]
		if c.shape.Boundary == "" || len(c.shape.Boundary) > 70 {
			return c.refuseUnless(allowed)
		}
		c.shape.Part = answerPart
	case weir.FormatText, weir.FormatHTML:
		if looksJSON(head) {
			c.shape.Format = weir.FormatJSON
		}
	default:
	}
	if bom := sniffBOM(head); bom != "" || isUTF8Name(c.charset) {
		c.charset = bom // a mark outdoes a name
	}
	if !isWide(c.charset) && looksBinary(head) {
		return c.refuseUnless(allowed)
	}
	if c.charset != "" && encodingFor(c.charset) == nil {
		return c.refuseUnless(allowed)
	}
	return c
}

// parseMedia reads a Content-Type. The common ones are read without allocating.
func parseMedia(declared string) (string, map[string]string, error) {
	if _, ok := textTypesTable[declared]; ok {
		return declared, nil, nil
	}
	if declared == "application/json; charset=utf-8" {
		return "application/json", nil, nil
	}
	media, params, err := mime.ParseMediaType(declared)
	if errors.Is(err, mime.ErrInvalidMediaParameter) && !strings.HasPrefix(media, "multipart/") {
		err = nil
	}
	return media, params, err
}

// sniff decides on a body without a declared type.
func (c content) sniff(head []byte, allowed []string) content {
	if c.charset = sniffBOM(head); c.charset != "" {
		c.shape.Format = weir.FormatText
		return c
	}
	if looksBinary(head) || !validPrefix(head) {
		return c.refuseUnless(allowed)
	}
	c.shape.Format = weir.FormatText
	if looksJSON(head) {
		c.shape.Format = weir.FormatJSON
	}
	return c
}

// refuseUnless makes c opaque, and refused unless the target allows its media type by name.
func (c content) refuseUnless(allowed []string) content {
	c.shape = weir.Shape{Format: weir.FormatOpaque}
	c.charset = ""
	c.opaque = true
	for _, a := range allowed {
		if c.media != "" && strings.EqualFold(a, c.media) {
			c.opaque = false
		}
	}
	return c
}

// answerPart is the shape of one part of a multipart answer.
func answerPart(header map[string][]string) (weir.Shape, error) {
	h := textproto.MIMEHeader(header)
	if h.Get("Content-Encoding") != "" {
		return weir.Shape{}, errPart
	}
	switch strings.ToLower(h.Get("Content-Transfer-Encoding")) {
	case "", "7bit", "8bit", "binary":
	default:
		return weir.Shape{}, errPart
	}
	declared := h.Get("Content-Type")
	if declared == "" {
		return weir.Shape{Format: weir.FormatText}, nil
	}
	c := classify(declared, nil, nil)
	if c.opaque || c.charset != "" || c.shape.Format == weir.FormatOpaque {
		return weir.Shape{}, errPart
	}
	return c.shape, nil
}

// commandShape is the shape in which a request's body is recorded. What cannot be looked
// into is recorded as opaque bytes: it goes to the target, not to the client.
func commandShape(declared string) weir.Shape {
	c := classify(declared, nil, nil)
	if c.opaque || c.charset != "" {
		return weir.Shape{Format: weir.FormatOpaque}
	}
	if c.shape.Format == weir.FormatMultipart {
		c.shape.Part = func(header map[string][]string) (weir.Shape, error) {
			return commandShape(textproto.MIMEHeader(header).Get("Content-Type")), nil
		}
	}
	return c.shape
}

// messageShape is the shape of one text message of a WebSocket.
func messageShape(msg []byte) weir.Shape {
	if looksJSON(msg) {
		return weir.Shape{Format: weir.FormatJSON}
	}
	return weir.Shape{Format: weir.FormatText}
}

// looksJSON reports whether the first bytes can hardly be anything but JSON. A wrong yes does
// no harm: what breaks the format is masked as text.
func looksJSON(head []byte) bool {
	b := bytes.TrimLeft(head, " \t\r\n")
	if len(b) == 0 || b[0] != '{' && b[0] != '[' {
		return false
	}
	rest := bytes.TrimLeft(b[1:], " \t\r\n")
	if len(rest) == 0 {
		return len(head) < sniffLen
	}
	if b[0] == '{' {
		return rest[0] == '"' || rest[0] == '}'
	}
	return rest[0] == '"' || rest[0] == '{' || rest[0] == '['
}

// sniffLen is how many bytes a decision about content looks at.
const sniffLen = 512

// magicTable lists how formats begin that no text begins with.
var magicTable = []string{
	"\x1f\x8b",                 // gzip
	"\x28\xb5\x2f\xfd",         // zstd
	"PK\x03\x04", "PK\x05\x06", // zip, jar, office documents
	"\x89PNG", "\xff\xd8\xff", "GIF87a", "GIF89a",
	"BZh", "\xfd7zXZ", "7z\xbc\xaf", "Rar!\x1a", "\x04\x22\x4d\x18",
	"%PDF-", "\x7fELF", "\x00asm", "JAVA PROFILE ", "\xca\xfe\xba\xbe", "SQLite format 3\x00",
	"wOFF", "wOF2", "OTTO", "OggS", "fLaC", "\x1a\x45\xdf\xa3", "Obj\x01", "PAR1",
}

// looksBinary reports whether the first bytes show that this is no text.
func looksBinary(head []byte) bool {
	if len(head) > sniffLen {
		head = head[:sniffLen]
	}
	if bytes.IndexByte(head, 0) >= 0 && !nulList(head) {
		return true
	}
	for _, m := range magicTable {
		if len(head) >= len(m) && string(head[:len(m)]) == m {
			return true
		}
	}
	return false
}

// nulList reports whether head is a list of words with a NUL behind each, as /debug/pprof/cmdline and /proc/self/environ are. It
// is text then; each word must be one that nothing binary and no wide encoding would have.
func nulList(head []byte) bool {
	words := bytes.Split(head, []byte{0})
	for i, w := range words {
		if i == len(words)-1 && len(head) == sniffLen || i > 0 && i == len(words)-1 && len(w) == 0 {
			continue // cut off, or the end
		}
		if len(w) < 2 || !utf8.Valid(w) || bytes.ContainsFunc(w, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f }) {
			return false
		}
	}
	return true
}

// undecided reports whether head is so short that it may still become one of the magic
// numbers, or a byte order mark. More bytes are needed then.
func undecided(head []byte) bool {
	if len(head) == 0 {
		return true
	}
	for _, m := range magicTable {
		if len(head) < len(m) && m[:len(head)] == string(head) {
			return true
		}
	}
	for _, m := range bomTable {
		if len(head) < len(m.bytes) && m.bytes[:len(head)] == string(head) {
			return true
		}
	}
	return false
}

// validPrefix reports whether head may be the beginning of UTF-8 text.
func validPrefix(head []byte) bool {
	if len(head) > sniffLen {
		head = head[:sniffLen]
	}
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n == 1 {
			return !utf8.FullRune(head)
		}
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' && r != '\f' && r != '\b' && r != 0x1b && r != 0x1e {
			return false
		}
		head = head[n:]
	}
	return true
}

// pictureLike reports the types that may pass when their bytes are what the type says.
func pictureLike(media string) bool {
	top, _, _ := strings.Cut(media, "/")
	switch top {
	case "image", "font", "audio", "video":
		return true
	}
	return media == "application/font-woff" || media == "application/font-woff2"
}

// signature is how the content of a media type begins: magic at offset, and magic2 at offset2.
type signature struct {
	media   string
	offset  int
	magic   string
	offset2 int
	magic2  string
}

// signatureTable says what the bytes of pictures, fonts, sound and film look like.
var signatureTable = []signature{
	{media: "image/png", magic: "\x89PNG\r\n\x1a\n"}, {media: "image/apng", magic: "\x89PNG\r\n\x1a\n"},
	{media: "image/jpeg", magic: "\xff\xd8\xff"}, {media: "image/jpg", magic: "\xff\xd8\xff"}, {media: "image/pjpeg", magic: "\xff\xd8\xff"},
	{media: "image/gif", magic: "GIF87a"}, {media: "image/gif", magic: "GIF89a"},
	{media: "image/webp", magic: "RIFF", offset2: 8, magic2: "WEBP"},
	{media: "image/bmp", magic: "BM", offset2: 6, magic2: "\x00\x00\x00\x00"}, {media: "image/x-ms-bmp", magic: "BM", offset2: 6, magic2: "\x00\x00\x00\x00"},
	{media: "image/x-icon", magic: "\x00\x00\x01\x00"}, {media: "image/vnd.microsoft.icon", magic: "\x00\x00\x01\x00"},
	{media: "image/x-icon", magic: "\x89PNG\r\n\x1a\n"}, {media: "image/vnd.microsoft.icon", magic: "\x89PNG\r\n\x1a\n"},
	{media: "image/tiff", magic: "II*\x00"}, {media: "image/tiff", magic: "MM\x00*"},
	{media: "image/avif", offset: 4, magic: "ftypavi"}, {media: "image/heic", offset: 4, magic: "ftyp"}, {media: "image/heif", offset: 4, magic: "ftyp"},
	{media: "image/jxl", magic: "\xff\x0a"}, {media: "image/jxl", magic: "\x00\x00\x00\x0cJXL "}, {media: "image/jp2", magic: "\x00\x00\x00\x0cjP  "},
	{media: "font/woff", magic: "wOFF"}, {media: "font/woff2", magic: "wOF2"}, {media: "font/otf", magic: "OTTO"},
	{media: "application/font-woff", magic: "wOFF"}, {media: "application/font-woff2", magic: "wOF2"},
	{media: "font/ttf", magic: "\x00\x01\x00\x00"}, {media: "font/ttf", magic: "true"}, {media: "font/sfnt", magic: "\x00\x01\x00\x00"},
	{media: "font/otf", magic: "\x00\x01\x00\x00"}, {media: "font/collection", magic: "ttcf"},
	{media: "audio/mpeg", magic: "ID3"}, {media: "audio/mpeg", magic: "\xff\xfb"}, {media: "audio/mpeg", magic: "\xff\xf3"}, {media: "audio/mpeg", magic: "\xff\xf2"},
	{media: "audio/mp3", magic: "ID3"}, {media: "audio/mp3", magic: "\xff\xfb"},
	{media: "audio/ogg", magic: "OggS"}, {media: "audio/opus", magic: "OggS"}, {media: "video/ogg", magic: "OggS"},
	{media: "audio/wav", magic: "RIFF", offset2: 8, magic2: "WAVE"}, {media: "audio/x-wav", magic: "RIFF", offset2: 8, magic2: "WAVE"},
	{media: "audio/wave", magic: "RIFF", offset2: 8, magic2: "WAVE"},
	{media: "audio/flac", magic: "fLaC"}, {media: "audio/x-flac", magic: "fLaC"}, {media: "audio/midi", magic: "MThd"},
	{media: "audio/aac", magic: "\xff\xf1"}, {media: "audio/aac", magic: "\xff\xf9"},
	{media: "audio/mp4", offset: 4, magic: "ftyp"}, {media: "audio/x-m4a", offset: 4, magic: "ftyp"}, {media: "video/mp4", offset: 4, magic: "ftyp"},
	{media: "video/quicktime", offset: 4, magic: "ftyp"}, {media: "video/quicktime", offset: 4, magic: "moov"}, {media: "video/3gpp", offset: 4, magic: "ftyp"},
	{media: "video/x-m4v", offset: 4, magic: "ftyp"},
	{media: "audio/webm", magic: "\x1a\x45\xdf\xa3"}, {media: "video/webm", magic: "\x1a\x45\xdf\xa3"}, {media: "video/x-matroska", magic: "\x1a\x45\xdf\xa3"},
	{media: "video/x-msvideo", magic: "RIFF", offset2: 8, magic2: "AVI "}, {media: "video/avi", magic: "RIFF", offset2: 8, magic2: "AVI "},
	{media: "video/mpeg", magic: "\x00\x00\x01\xba"}, {media: "video/mpeg", magic: "\x00\x00\x01\xb3"}, {media: "video/mp2t", magic: "G", offset2: 188, magic2: "G"},
}

// bytesAgree reports whether the body begins as its type says.
func bytesAgree(media string, head []byte) bool {
	at := func(off int, magic string) bool {
		return len(head) >= off+len(magic) && string(head[off:off+len(magic)]) == magic
	}
	for i := range signatureTable {
		s := &signatureTable[i]
		if s.media == media && at(s.offset, s.magic) && at(s.offset2, s.magic2) {
			return true
		}
	}
	return false
}
