package config

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"weir/mask/personal"
)

// Problem is one thing wrong with a file.
type Problem struct {
	Line int    // 0: of the whole file
	Path string // "resources[2].credential"
	Text string // what is wrong and how to right it
}

// Error is everything wrong with a file.
type Error struct {
	File     string
	Problems []Problem
}

// Error lists the problems, one a line.
func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
		if p.Path != "" {
			b.WriteString(p.Path + ": ")
		}
		b.WriteString(p.Text)
	}
	return b.String()
}

// decoder fills structs from YAML nodes and keeps all problems.
type decoder struct {
	problems []Problem
	lines    map[string]int // of each key, by path
}

func (d *decoder) problem(line int, path, format string, args ...any) {
	d.problems = append(d.problems, Problem{Line: line, Path: path, Text: fmt.Sprintf(format, args...)})
}

// line finds where a path, or the nearest thing around it, stands.
func (d *decoder) line(path string) int {
	for {
		if n, ok := d.lines[path]; ok {
			return n
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return 0
		}
		path = path[:i]
	}
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	d.lines[path] = n.Line
	if n.Kind == yaml.AliasNode {
		d.problem(n.Line, path, "aliases are not supported; write the value out")
		return
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return
	}
	if v.Type() == typeOf[Ref]() && n.Kind != yaml.MappingNode {
		d.problem(n.Line, path, "a credential is never written into this file; write {env: NAME} or {file: PATH}")
		return
	}
	if t, ok := v.Addr().Interface().(*ResourceTLS); ok && n.Kind == yaml.ScalarNode {
		t.Mode = n.Value
		return
	}
	if v.Type() == typeOf[Personal]() {
		d.personal(n, v, path)
		return
	}
	switch v.Type() {
	case typeOf[Duration](), typeOf[Size](), typeOf[time.Time]():
		d.special(n, v, path)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path)
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.Map:
		d.table(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.problem(n.Line, path, "here stands a mapping, such as {%s: …}", strings.Join(keys(v.Type()), ": …, "))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, child := n.Content[i], n.Content[i+1]
		at := join(path, k.Value)
		if line, dup := seen[k.Value]; dup {
			d.problem(k.Line, path, "%q is said twice, first on line %d", k.Value, line)
			continue
		}
		seen[k.Value] = k.Line
		f := field(v, k.Value)
		if !f.IsValid() {
			d.unknown(k, path, v.Type())
			continue
		}
		d.value(child, f, at)
		d.lines[at] = k.Line
	}
	if f := v.FieldByName("line"); f.IsValid() {
		d.lines[path] = n.Line
	}
}

func (d *decoder) unknown(k *yaml.Node, path string, t reflect.Type) {
	best, distance := "", 1000
	for _, key := range keys(t) {
		if x := edits(key, k.Value); x < distance {
			best, distance = key, x
		}
	}
	hint := "known keys: " + strings.Join(keys(t), ", ")
	if distance <= 2+len(k.Value)/4 {
		hint = fmt.Sprintf("did you mean %q?", best)
	}
	if path == "" {
		path = "top level"
	}
	d.problem(k.Line, path, "unknown key %q; %s", short(k.Value), hint)
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.problem(n.Line, path, "here stands a list, such as [a, b]")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, child := range n.Content {
		d.value(child, out.Index(i), path+"["+strconv.Itoa(i)+"]")
	}
	v.Set(out)
}

func (d *decoder) table(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.problem(n.Line, path, "here stands a mapping of names to values")
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for i := 0; i+1 < len(n.Content); i += 2 {
		at := join(path, n.Content[i].Value)
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(n.Content[i+1], item, at)
		v.SetMapIndex(reflect.ValueOf(n.Content[i].Value), item)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.problem(n.Line, path, "here stands a single value")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		switch n.Value {
		case "true", "false":
			v.SetBool(n.Value == "true")
		default:
			d.problem(n.Line, path, "here stands true or false")
		}
	case reflect.Int:
		i, err := strconv.Atoi(n.Value)
		if err != nil {
			d.problem(n.Line, path, "here stands a whole number")
			return
		}
		v.SetInt(int64(i))
	default:
		d.problem(n.Line, path, "cannot be configured")
	}
}

// personal takes true, false or a list of kinds.
func (d *decoder) personal(n *yaml.Node, v reflect.Value, path string) {
	switch {
	case n.Kind == yaml.SequenceNode && len(n.Content) > 0:
		d.list(n, v, path)
	case n.Kind == yaml.ScalarNode && n.Value == "true":
		v.Set(reflect.ValueOf(Personal(personal.Kinds())))
	case n.Kind == yaml.ScalarNode && n.Value == "false":
	default:
		d.problem(n.Line, path, "here stands true, false or a list of kinds of personal data, such as [payment-card, iban]")
	}
}

func (d *decoder) special(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.problem(n.Line, path, "here stands a single value")
		return
	}
	switch v.Type() {
	case typeOf[Duration]():
		x, err := time.ParseDuration(n.Value)
		if days, ok := strings.CutSuffix(n.Value, "d"); err != nil && ok {
			var count int
			if count, err = strconv.Atoi(days); count > 36500 {
				err = strconv.ErrRange
			}
			x = time.Duration(count) * 24 * time.Hour
		}
		if err != nil || x <= 0 {
			d.problem(n.Line, path, "a duration is written like 90s, 15m, 8h or 30d")
			return
		}
		v.SetInt(int64(x))
	case typeOf[Size]():
		x, ok := size(n.Value)
		if !ok {
			d.problem(n.Line, path, "a size is written like 4096, 64KiB or 1MiB")
			return
		}
		v.SetInt(x)
	default:
		x, err := time.Parse(time.RFC3339, n.Value)
		if err != nil {
			d.problem(n.Line, path, "a time is written like 2030-01-31T18:00:00Z")
			return
		}
		v.Set(reflect.ValueOf(x))
	}
}

func size(s string) (int64, bool) {
	unit := int64(1)
	for suffix, n := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = strings.TrimSpace(rest), n
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, false
	}
	return n * unit, true
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// keys are the keys of a struct, in its order.
func keys(t reflect.Type) []string {
	var out []string
	for f := range t.NumField() {
		if k := t.Field(f).Tag.Get("yaml"); k != "" {
			out = append(out, k)
		}
	}
	return out
}

func field(v reflect.Value, key string) reflect.Value {
	for f := range v.NumField() {
		if key != "" && v.Type().Field(f).Tag.Get("yaml") == key {
			return v.Field(f)
		}
	}
	return reflect.Value{}
}

// short cuts what is repeated from the file: it may be a credential in the wrong place.
func short(s string) string {
	if len(s) > 24 {
		return s[:8] + "…"
	}
	return s
}

// edits is the Levenshtein distance of two short words.
func edits(a, b string) int {
	if len(b) > 64 {
		return 1000
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diag+cost)
		}
	}
	return row[len(b)]
}
