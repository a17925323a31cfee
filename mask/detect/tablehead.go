package detect

import (
	"bytes"

	"weir/mask/field"
)

// prove judges the name of a column.
func (s *Set) prove(name []byte) colKind {
	name = bytes.Trim(name, " \t\r\"'`[]*")
	switch s.names.Match(name) {
	case field.Strong:
		if passwordName(name) || s.names.Extra(name) {
			return columnPassword
		}
		if secretName(name) {
			return columnSecret
		}
		return columnToken
	case field.Weak:
		return columnWeak
	case field.None:
	}
	return columnClear
}

// holds reports whether a cell in a column holds a secret.
func (c colKind) holds(cell []byte) bool {
	if len(cell) == 0 || c == columnClear || field.Placeholder(cell) || string(cell) == `\N` {
		return false
	}
	switch c {
	case columnPassword:
		return alnum(cell)
	case columnToken, columnSecret:
		if c == columnToken && (lettersOnly(cell) && !field.Gibberish(cell) && len(cell) < 20 || sentence(cell)) {
			return false // | Authorization |
		}
		return len(cell) >= 6 && (!number(cell) || len(cell) >= 16) && (!letters(cell) || !commonWord(cell))
	case columnWeak:
		return field.Opaque(cell)
	case columnClear:
	}
	return false
}

// head reads the names of a table's columns.
func (s *Set) head(st *State, line []byte, delim byte) bool {
	st.kind, st.delim = tableRows, delim
	if delim == '|' {
		line = bytes.TrimSpace(line)
		st.leading = len(line) > 0 && line[0] == '|'
	}
	secret, spaced := false, delim == ',' && bytes.Contains(line, []byte(", "))
	if spaced && (len(line) == 0 || line[0] <= ' ') {
		return false // variables of a program
	}
	var second []byte
	for cell := range cells(line, delim, st.leading) {
		name := bytes.TrimSpace(cell)
		if plain := bytes.Trim(name, "\"'`"); !columnName(name, delim) || spaced && bytes.IndexByte(plain, ' ') >= 0 || bytes.Contains(plain, []byte("..")) || tokenLike(plain) && !field.Wordy(plain) {
			return false
		}
		if st.columns < maxColumns {
			st.proof[st.columns] = s.prove(name)
			secret = secret || st.proof[st.columns] > columnWeak
		}
		if st.columns++; st.columns == 2 {
			second = name
		}
	}
	return st.columns > 1 && secret && (st.columns > 2 || st.proof[0] <= columnWeak || st.proof[1] > columnWeak || usualColumn(second))
}

// recordLine is how psql begins the columns of one row that it shows one below the other.
const recordLine = "-[ RECORD "

// inRecord reports that the line above the one at begin begins a record.
func (f *finder) inRecord(begin int) bool {
	if begin < len(recordLine) {
		return false
	}
	above := f.b[max(0, begin-Context) : begin-1]
	return bytes.HasPrefix(above[bytes.LastIndexByte(above, '\n')+1:], []byte(recordLine))
}

// valueRow reports a row of a record that holds the value of what the record names.
func valueRow(line []byte) bool {
	name, _, _ := bytes.Cut(line, []byte("|"))
	name = bytes.TrimSpace(name)
	for _, end := range [...]string{"setting", "value", "val", "content", "data"} {
		if foldSuffix(name, end) {
			return true
		}
	}
	return false
}

// usualColumn reports a name that columns often have. requirepass,hunter is a name and its value; password,email heads a table.
func usualColumn(name []byte) bool {
	var buf [16]byte
	switch string(field.Lower(buf[:], bytes.Trim(name, " \"`'"))) {
	case "id", "name", "user", "username", "user_name", "login", "email", "mail", "role", "host", "hostname", "type", "status", "state", "value", "url", "created", "created_at", "updated_at", "expires", "expires_at", "last_login", "description", "comment", "account", "service", "enabled", "active", "count", "note", "notes":
		return true
	}
	return false
}

// columnName reports what may be the name of a column.
func columnName(name []byte, delim byte) bool {
	quoted := len(name) > 2 && (name[0] == '"' || name[0] == '`' || name[0] == '\'') && name[0] == name[len(name)-1]
	if quoted {
		name = name[1 : len(name)-1]
	}
	if len(name) == 0 || len(name) > 64 {
		return delim == '|' && len(name) == 0
	}
	words := 1
	for i, c := range name {
		switch {
		case c == ' ':
			words++
		case !isName(c) && c != '?' && (i == 0 || delim != '|' || c != '(' && c != ')' && c != '/'), i == 0 && isDigit(c):
			return false
		}
	}
	return words <= 3 || quoted
}
