package mask

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"weir"
	"weir/mask/field"
)

// Bounds of what a markupWriter holds. A longer value goes as a whole; a longer tag is read as text.
const (
	maxMarkupValue = 64 << 10
	maxTag         = 16 << 10
	maxLabel       = 128
	maxNesting     = 64
	maxColumns     = 64
)

// markupWriter reads HTML and XML. It masks values that are secret by where they stand: in an element or an attribute of such
// a name, beside a cell with such a name, in a column under such a head. All else goes on to a textWriter, byte for byte, which
// looks at everything once more; so what this reader gets wrong is masked no worse than text is.
type markupWriter struct {
	m     *Masker
	next  *textWriter
	tally *weir.Tally
	buf   []byte // a token that is not complete
	seen  int    // so much of it holds no end of a tag
	out   []byte
	state markupState

	tags  markupTags
	stack []element
	value field.Strength // of the text that is being read
	label bool           // value comes from a cell beside it that may as well be a heading
	// mention is set where that cell may as well mention a name of a program: <code>password</code>.
	mention bool
	held    []byte // that text, when it is to be masked
	drop    bool   // the rest of it is being dropped
	note    *note  // of that text, for a report
	cell    []byte // the beginning of text that may name its neighbour
	cut     bool   // the text is too long to be a name

	beside       field.Strength // what the name before says
	besideLoose  bool
	token        bool // that name is one of tokens
	besideDepth  int
	heads        [maxColumns]field.Strength
	rowHeads     [maxColumns]field.Strength
	column       int
	rowHas, rowD bool // the row has th, has td
}

type element struct {
	name    string
	proof   field.Strength // of what its name attribute says
	keyword bool           // of a language, as those mark it that colour sources
}

type markupState uint8

const (
	markupText markupState = iota
	markupComment
	markupCDATA
	markupRaw // script and style: text until the end tag
)

func newMarkup(m *Masker, w sink, t *weir.Tally) *markupWriter {
	x := &markupWriter{m: m, next: newText(m, w, t), tally: t, column: -1}
	x.begin()
	return x
}

// Write masks p.
func (x *markupWriter) Write(p []byte) (int, error) {
	x.buf = append(x.buf, p...)
	x.read(false)
	if err := x.send(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush passes on what cannot become a secret. Write has done so already.
func (x *markupWriter) Flush() error { return x.next.Flush() }

// Close masks the rest as it stands.
func (x *markupWriter) Close() error {
	x.read(true)
	x.text(x.buf)
	x.buf = x.buf[:0]
	x.end()
	if err := x.send(); err != nil {
		return err
	}
	return x.next.Close()
}

// mask passes on the placeholder of a value.
func (x *markupWriter) mask(value []byte) {
	at := len(x.out)
	x.out = x.m.placeholder(x.out, "field", value, len(value), x.tally)
	x.next.nested.put(at, len(x.out)-at, x.m.notes.latest())
}

func (x *markupWriter) send() error {
	if len(x.out) == 0 {
		return nil
	}
	_, err := x.next.Write(x.out)
	x.out = x.out[:0]
	return err
}

// read takes complete tokens off the buffer.
func (x *markupWriter) read(final bool) {
	b := x.buf
	for len(b) > 0 {
		n := 0
		switch x.state {
		case markupText:
			n = x.readText(b, final)
		case markupComment:
			n = x.until(b, "-->", final)
		case markupCDATA:
			n = x.until(b, "]]>", final)
		case markupRaw:
			n = x.raw(b, final)
		}
		if n == 0 {
			break
		}
		b = b[n:]
	}
	x.buf = x.buf[:copy(x.buf, b)]
}

// until passes on text up to a mark and the mark itself, and returns to markupText behind it.
func (x *markupWriter) until(b []byte, mark string, final bool) int {
	if i := bytes.Index(b, []byte(mark)); i >= 0 {
		x.text(b[:i])
		if x.state == markupCDATA {
			x.end()
		}
		x.out = append(x.out, mark...)
		x.state = markupText
		return i + len(mark)
	}
	keep := len(mark) - 1
	if final {
		keep = 0
	}
	n := max(len(b)-keep, 0)
	x.text(b[:n])
	return n
}

// raw passes on the text of a script up to its own end tag, which is read as one. Other tags in it are parts of strings.
func (x *markupWriter) raw(b []byte, final bool) int {
	name := x.top().name
	i := 0
	for ; i < len(b); i++ {
		n := bytes.IndexByte(b[i:], '<')
		if n < 0 {
			i = len(b)
			break
		}
		i += n
		ends, short := endTag(b[i:], name)
		if ends || short && !final {
			break
		}
	}
	if ends, _ := endTag(b[i:], name); ends {
		x.state = markupText
		if i == 0 {
			return x.readText(b, final)
		}
	}
	x.text(b[:i])
	return i
}

// endTag reports whether b begins with the end tag of an element, whatever prefix its name has. short means that more bytes are needed to tell.
func endTag(b []byte, name string) (ends, short bool) {
	rest, ok := bytes.CutPrefix(b, []byte("</"))
	if !ok {
		return false, len(b) == 1 && b[0] == '<'
	}
	i := 0
	for i < len(rest) && i < maxLabel && letter(rest[i]) {
		if i++; i < len(rest) && rest[i] == ':' {
			rest, i = rest[i+1:], 0
		}
	}
	return i == len(name) && bytes.EqualFold(rest[:i], []byte(name)), i == len(rest) && i < maxLabel
}

func (x *markupWriter) readText(b []byte, final bool) int {
	i := bytes.IndexByte(b, '<')
	if i < 0 {
		x.text(b)
		return len(b)
	}
	if i > 0 {
		x.text(b[:i])
		return i
	}
	switch {
	case len(b) < 2:
		return 0
	case bytes.HasPrefix(b, []byte("<!--")):
		x.end()
		x.out = append(x.out, "<!--"...)
		x.state = markupComment
		x.value = field.None
		return 4
	case bytes.HasPrefix(b, []byte("<![CDATA[")):
		x.out = append(x.out, "<![CDATA["...)
		x.state = markupCDATA
		return 9
	case b[1] == '!' && len(b) < 9 && !final && (bytes.HasPrefix([]byte("<![CDATA["), b) || bytes.HasPrefix([]byte("<!--"), b)):
		return 0
	case !letter(b[1]) && b[1] != '/' && b[1] != '!' && b[1] != '?':
		x.text(b[:1])
		return 1
	}
	if len(b) < maxTag && !final && bytes.IndexByte(b[min(x.seen, len(b)):], '>') < 0 {
		x.seen = len(b)
		return 0
	}
	x.seen = 0
	n := tagEnd(b)
	if n == 0 {
		if len(b) < maxTag && !final {
			return 0
		}
		n = min(len(b), maxTag) // no tag after all
		x.text(b[:n])
		return n
	}
	if name, _ := x.tags.name(b[:n]); name == "wbr" { // a place where a word may be broken, and not its end
		cell, cut := len(x.cell), x.cut
		x.text(b[:n])
		x.cell, x.cut = x.cell[:cell], cut
		return n
	}
	x.end()
	x.tag(b[:n])
	if x.state == markupText {
		x.begin()
	}
	return n
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= 0x80 }

// begin prepares for the text behind a tag: what stands around it says whether it is secret.
func (x *markupWriter) begin() {
	x.value, x.label, x.drop, x.cut = field.None, false, false, false
	x.held, x.cell = x.held[:0], x.cell[:0]
	top := x.top()
	if top.keyword || top.name == "th" && x.rowHas && !x.rowD {
		return // a word of a language, a head beside heads
	}
	if names(top.name) == nameStrict {
		if x.beside != field.None { // a second name in the row: phpinfo's columns
			x.value, x.label = x.beside, x.besideLoose
		}
	} else {
		x.value = max(x.strength(top.name), top.proof)
	}
	if x.value == field.None && x.beside != field.None {
		x.value, x.label = x.beside, x.besideLoose
	}
	if x.value == field.None && x.inCell() && x.column >= 0 && x.column < maxColumns {
		x.value = x.heads[x.column]
	}
}

func (x *markupWriter) top() element {
	if len(x.stack) == 0 {
		return element{}
	}
	return x.stack[len(x.stack)-1]
}

// inCell reports whether the text stands in a td.
func (x *markupWriter) inCell() bool {
	for i := len(x.stack) - 1; i >= 0 && i >= len(x.stack)-4; i-- {
		if x.stack[i].name == "td" {
			return true
		}
		if x.stack[i].name == "th" || x.stack[i].name == "table" {
			return false
		}
	}
	return false
}

// text takes a piece of text.
func (x *markupWriter) text(b []byte) {
	switch {
	case x.drop:
		x.tally.Replaced(len(b))
		x.m.notes.more(x.note, len(b))
	case x.value == field.None:
		x.out = append(x.out, b...)
	default:
		n := min(len(b), maxMarkupValue+1-len(x.held)) // what the fingerprint is made of doesn't depend on where input was cut
		if x.held = append(x.held, b[:n]...); len(x.held) > maxMarkupValue {
			x.mask(x.held)
			x.held, x.drop, x.note = x.held[:0], true, x.m.notes.latest()
			x.tally.Replaced(len(b) - n)
			x.m.notes.more(x.note, len(b)-n)
		}
	}
	if len(x.cell)+len(b) <= 2*maxLabel {
		x.cell = append(x.cell, b...)
	} else {
		x.cut = true
	}
}

// end is behind a text: it is masked when it is to be, and it may say what the next one is.
func (x *markupWriter) end() {
	if len(x.held) > 0 {
		v := bytes.TrimSpace(x.held)
		at := bytes.Index(x.held, v)
		inner, quoted := bare(v)
		prose := x.label && x.prose(v) || !bytes.ContainsFunc(v, isAlnum) && x.strength(x.top().name) == field.None
		prose = prose || x.token && x.beside != field.None && scheme(v) == 0 && bytes.ContainsAny(v, " \t\n")
		prose = prose || x.beside != field.None && bytes.Count(v, []byte{' '}) > 5 && bytes.ContainsAny(v, ",.;")  // a definition
		another := !quoted && names(x.top().name) != nameNone && x.m.strength(v) != field.None && !field.Opaque(v) // the next name, not a value
		if len(v) == 0 || prose || angled(v) || another || !secret(x.value, inner) {
			x.out = append(x.out, x.held...)
		} else {
			off := at + bytes.Index(v, inner)
			x.out = append(x.out, x.held[:off]...)
			n := scheme(inner)
			x.out = append(x.out, inner[:n]...)
			x.mask(inner[n:])
			x.out = append(x.out, x.held[off+len(inner):]...)
		}
		x.held = x.held[:0]
	}
	x.name()
}

// prose reports that v, behind what may be a label, is a part of a sentence or of a program instead of a value.
func (x *markupWriter) prose(v []byte) bool {
	return bytes.ContainsAny(v, " \t\n") || len(v) < 3 || v[0] == '(' || v[0] == '-' || v[0] == '#' && len(bytes.Trim(v[1:], "0123456789")) == 0 || bytes.HasPrefix(v, []byte("&#x3C;")) || bytes.HasPrefix(v, []byte("&lt;")) || bytes.HasPrefix(v, []byte("&gt;")) || bytes.HasPrefix(v, []byte("&nbsp;")) ||
		x.mention && !bytes.ContainsAny(v, "0123456789")
}

func isAlnum(r rune) bool {
	return r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z' || r >= utf8.RuneSelf && !unicode.IsPunct(r)
}

// angled reports what stands in angle brackets for a value: &lt;your token&gt;.
func angled(v []byte) bool {
	return (bytes.HasPrefix(v, []byte("&lt;")) || bytes.HasPrefix(v, []byte("&#x3C;"))) && (v[len(v)-1] == '>' || bytes.HasSuffix(v, []byte("&gt;")) || bytes.HasSuffix(v, []byte("&#x3E;")))
}

func clip(b []byte) []byte { return b[:min(len(b), maxLabel)] }

// bare takes the quotes off a value that a debug page printed with them.
func bare(v []byte) ([]byte, bool) {
	for _, q := range []string{"'", `"`, "&#x27;", "&#39;", "&quot;", "&#34;"} {
		if len(v) > 2*len(q) && bytes.HasPrefix(v, []byte(q)) && bytes.HasSuffix(v, []byte(q)) {
			return v[len(q) : len(v)-len(q)], true
		}
	}
	return v, false
}

// name looks whether the text that has ended names what stands beside it.
func (x *markupWriter) name() {
	text := bytes.TrimSpace(x.cell)
	if len(text) == 0 || x.drop {
		return
	}
	how := names(x.top().name)
	if how == nameNone || x.cut || len(text) > maxLabel {
		return
	}
	s := x.m.strength(text)
	if how == nameLoose && s != field.None && (!labels(text) || x.verb(text)) {
		s = field.None
	}
	if x.top().name == "th" && x.column >= 0 && x.column < maxColumns {
		x.rowHeads[x.column] = s
	}
	if s == field.None && x.beside != field.None && how == nameStrict && x.rowHas != x.rowD {
		return // another value of the same row
	}
	x.beside, x.besideLoose, x.besideDepth = s, how == nameLoose, len(x.stack)-1
	x.token = s != field.None && bytes.Contains(bytes.ToLower(text), []byte("token"))
	switch x.top().name {
	case "a", "code", "tt", "var", "kbd", "em", "i":
		x.mention = text[len(text)-1] != ':' && text[len(text)-1] != '='
	default:
		x.mention = false
	}
}

// verb reports the word pass where it begins a sentence: Pass <code>x</code>.
func (x *markupWriter) verb(text []byte) bool {
	e := x.top().name
	return (e == "p" || e == "li" || e == "a") && bytes.EqualFold(text, []byte("pass"))
}

// labels reports a text that may label what stands beside it, as "Your API key:" does and a part of a sentence does not: it is read in any
// element.
func labels(text []byte) bool {
	colon := text[len(text)-1] == ':' || text[len(text)-1] == '='
	text = bytes.TrimRight(text, ":= \t\r\n")
	n, last := 0, ""
	for word := range bytes.FieldsSeq(text) {
		if n++; n > 5 || bytes.ContainsAny(word, "(),;!?<>{}[]|&\"@") || bytes.HasSuffix(word, []byte(".")) {
			return false
		}
		last = strings.ToLower(string(word))
		switch last {
		case "the", "a", "an", "to", "of", "and", "or", "for", "with", "if", "that", "this", "in", "as", "by", "use", "uses", "using", "from", "about", "given", "when", "each", "any", "some", "no", "not", "its", "their", "optional", "should", "must", "will", "can", "would":
			return false
		}
	}
	return last != "pass" || n == 1 || colon // should pass
}

// nameKind says how far an element's text is believed to name what stands beside it.
type nameKind uint8

const (
	nameNone nameKind = iota
	nameLoose
	nameStrict
)

func names(element string) nameKind {
	switch element {
	case "td", "th", "dt", "name", "key", "k", "param-name", "property-name", "propertyname", "env-entry-name", "field":
		return nameStrict
	case "b", "strong", "label", "span", "code", "div", "p", "li", "a", "em", "i", "tt", "kbd", "var", "small", "font":
		return nameLoose
	}
	return nameNone
}

// strength is field's judgement of a name, without the tokens against forged requests: those are no credentials, and without
// them no form could be sent.
func (m *Masker) strength(name []byte) field.Strength {
	if len(name) == 0 || len(name) > maxLabel || field.AntiForgery(name) {
		return field.None
	}
	return m.e.names.Match(name)
}

// strength is that of a name of an element or an attribute: the same few come again and again.
func (x *markupWriter) strength(name string) field.Strength {
	if name == "" {
		return field.None
	}
	known := &x.tags.names[nameSlot(name, len(x.tags.names))]
	if known.text != name || !known.judged {
		*known = markupName{name, x.m.strength([]byte(name)), true}
	}
	return known.strength
}

// tag passes a tag on, with its secret attributes masked, and follows what it opens and closes.
func (x *markupWriter) tag(b []byte) {
	if b[1] == '!' || b[1] == '?' {
		x.out = append(x.out, b...)
		return
	}
	name, rest := x.tags.name(b)
	if b[1] == '/' {
		x.out = append(x.out, b...)
		x.close(name)
		return
	}
	attrs := x.tags.attributes(b, rest)
	proof, keyword := field.None, false
	for _, a := range attrs {
		switch a.name {
		case "class":
			keyword = keywordClass(b[a.start:a.end])
		case "name", "key", "id", "property", "field", "k":
			proof = max(proof, x.m.strength(b[a.start:a.end]))
		}
	}
	if heading(name) {
		proof = field.None // an anchor
	}
	at := 0
	for _, a := range attrs {
		s := x.strength(a.name)
		switch a.name {
		case "value", "v", "val", "content", "default", "data":
			s = max(s, proof)
		case "name", "key", "id", "type", "for", "class", "property", "field", "k", "href", "src", "action", "autocomplete":
			s = field.None
		}
		v := b[a.start:a.end]
		if a.name == "accesskey" && utf8.RuneCount(v) == 1 {
			continue // the key on the keyboard
		}
		if len(v) == 0 || !secret(s, v) {
			continue
		}
		x.out = append(x.out, b[at:a.start]...)
		x.mask(v)
		at = a.end
	}
	x.out = append(x.out, b[at:]...)
	if b[len(b)-2] != '/' {
		x.open(name, proof, keyword)
	}
}

// keywordClass tells the classes of keywords in coloured sources: kw, kw-2, hljs-keyword.
func keywordClass(class []byte) bool {
	return bytes.HasPrefix(class, []byte("kw")) && (len(class) == 2 || class[2] == '-') || bytes.HasSuffix(class, []byte("keyword"))
}

func heading(element string) bool {
	return len(element) == 2 && element[0] == 'h' && element[1] >= '1' && element[1] <= '6'
}

// open follows an opening tag.
func (x *markupWriter) open(name string, proof field.Strength, keyword bool) {
	switch name {
	case "br", "img", "hr", "input", "meta", "link", "wbr", "col", "area", "base", "embed", "source", "track":
		return // has no text and no end
	case "tr":
		x.endRow()
		x.pop("tr")
	case "td", "th":
		x.pop("td")
		x.pop("th")
		x.column++
		if name == "th" {
			x.rowHas = true
		} else {
			x.rowD = true
		}
	case "dt", "li":
		x.pop(name)
		x.beside = field.None
	case "table":
		x.heads, x.column = [maxColumns]field.Strength{}, -1
		x.beside = field.None
	case "script", "style":
		x.state = markupRaw
		x.value = field.None
	}
	if len(x.stack) == maxNesting {
		x.stack = x.stack[:copy(x.stack, x.stack[1:])]
		x.besideDepth--
	}
	x.stack = append(x.stack, element{name, proof, keyword})
}

// pop closes an element that HTML lets stay open, when it is near.
func (x *markupWriter) pop(name string) {
	for i := len(x.stack) - 1; i >= 0 && i >= len(x.stack)-3; i-- {
		switch x.stack[i].name {
		case name:
			x.stack = x.stack[:i]
			return
		case "table":
			return
		}
	}
}

func (x *markupWriter) endRow() {
	if x.rowHas && !x.rowD {
		x.heads = x.rowHeads
	}
	x.rowHeads, x.column, x.rowHas, x.rowD = [maxColumns]field.Strength{}, -1, false, false
	x.beside = field.None
}

// close follows an end tag. One that was never opened is left alone.
func (x *markupWriter) close(name string) {
	if name == "tr" || name == "table" || name == "thead" {
		x.endRow()
	}
	for i := len(x.stack) - 1; i >= 0; i-- {
		if x.stack[i].name == name {
			x.stack = x.stack[:i]
			break
		}
	}
	if len(x.stack) < x.besideDepth { // the parent of the name has ended
		x.beside = field.None
	}
}
