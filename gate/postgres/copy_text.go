package postgres

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// sign is what a row has in it where its cells do not simply end at the next delimiter.
func (k *copying) sign() byte {
	if k.csv {
		return k.quote
	}
	return '\\'
}

// split finds the cells of a row.
func (k *copying) split(row []byte) {
	if bytes.IndexByte(row, k.sign()) < 0 {
		k.splitPlain(row)
		return
	}
	k.spans = k.spans[:0]
	start, inside := 0, false
	for i := 0; i < len(row); i++ {
		b := row[i]
		switch {
		case !k.csv && b == '\\':
			i++
		case k.csv && inside && b == k.escape && k.escape != k.quote:
			i++
		case k.csv && b == k.quote:
			inside = !inside
		case b == k.delim && !inside:
			k.spans = append(k.spans, span{start, i})
			start = i + 1
		}
	}
	k.spans = append(k.spans, span{start, len(row)})
}

// splitPlain finds the cells of a row that end at the next delimiter.
func (k *copying) splitPlain(row []byte) {
	k.spans = k.spans[:0]
	start := 0
	for {
		n := bytes.IndexByte(row[start:], k.delim)
		if n < 0 {
			k.spans = append(k.spans, span{start, len(row)})
			return
		}
		k.spans = append(k.spans, span{start, start + n})
		start += n + 1
	}
}

// decode undoes the quoting of a cell. What it returns is valid until the next call.
func (k *copying) decode(cell []byte) []byte {
	if k.csv {
		if bytes.IndexByte(cell, k.quote) < 0 {
			return cell
		}
		k.clean = k.clean[:0]
		inside := false
		for i := 0; i < len(cell); i++ {
			switch {
			case inside && cell[i] == k.escape && i+1 < len(cell) && (cell[i+1] == k.quote || cell[i+1] == k.escape):
				i++
				k.clean = append(k.clean, cell[i])
			case cell[i] == k.quote:
				inside = !inside
			default:
				k.clean = append(k.clean, cell[i])
			}
		}
		return k.clean
	}
	if bytes.IndexByte(cell, '\\') < 0 {
		return cell
	}
	k.clean = k.clean[:0]
	for i := 0; i < len(cell); i++ {
		if cell[i] != '\\' || i+1 == len(cell) {
			k.clean = append(k.clean, cell[i])
			continue
		}
		i++
		if j := strings.IndexByte("bfnrtv", cell[i]); j >= 0 {
			k.clean = append(k.clean, "\b\f\n\r\t\v"[j])
		} else {
			k.clean = append(k.clean, cell[i])
		}
	}
	return k.clean
}

// encode quotes a cell.
func (k *copying) encode(dst, value []byte) []byte {
	if k.csv {
		dst = append(dst, k.quote)
		for _, b := range value {
			if b == k.quote || b == k.escape {
				dst = append(dst, k.escape)
			}
			dst = append(dst, b)
		}
		return append(dst, k.quote)
	}
	done := 0
	for i := k.special(value, 0); i < len(value); i = k.special(value, i+1) {
		dst = append(dst, value[done:i]...)
		done = i + 1
		b := value[i]
		switch n := strings.IndexByte("\b\f\n\r\t\v", b); {
		case n >= 0:
			dst = append(dst, '\\', "bfnrtv"[n])
		case b == '\\' || b == k.delim:
			dst = append(dst, '\\', b)
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, value[done:]...)
}

// special returns where the first byte of value from i on stands that encode looks at, or the length of value.
func (k *copying) special(value []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	delims := ones * uint64(k.delim)
	for ; i <= len(value)-8; i += 8 {
		// A byte up to \r sets its high bit when it is borrowed from; so does a backslash or a delimiter, which becomes zero.
		w := binary.LittleEndian.Uint64(value[i : i+8 : i+8])
		x, y := w^ones*'\\', w^delims
		if ((w-ones*('\r'+1))&^w|(x-ones)&^x|(y-ones)&^y)&highs != 0 {
			break
		}
	}
	for ; i < len(value); i++ {
		if b := value[i]; b <= '\r' || b == '\\' || b == k.delim {
			return i
		}
	}
	return len(value)
}
