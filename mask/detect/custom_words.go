package detect

import (
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// derive returns words one of which stands in every match of a regular expression, or nil when it finds none of minKeyword bytes or more.
func derive(expr string) []keyword {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil
	}
	words := mandatory(re)
	if len(words) > maxKeywords || slices.ContainsFunc(words, func(w keyword) bool { return len(w.text) < minKeyword }) {
		return nil
	}
	return words
}

// steps is the number of instructions of a regular expression: what one byte of input may cost.
func steps(expr string) int {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return 0
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return 0
	}
	return len(prog.Inst)
}

// mandatory returns words one of which stands in every match of re, with their offsets from its start; nil is none.
func mandatory(re *syntax.Regexp) []keyword {
	switch re.Op {
	case syntax.OpLiteral:
		text := string(re.Rune)
		for len(text) > maxKeyword {
			_, n := utf8.DecodeLastRuneInString(text)
			text = text[:len(text)-n]
		}
		if re.Flags&syntax.FoldCase != 0 && utf8.RuneCountInString(text) != len(text) {
			return nil // keywords are folded as ASCII is
		}
		return []keyword{{lowerText(text), 0}}
	case syntax.OpCapture, syntax.OpPlus:
		return mandatory(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return mandatory(re.Sub[0])
		}
	case syntax.OpConcat:
		return ofConcat(re)
	case syntax.OpAlternate:
		var all []keyword
		for _, sub := range re.Sub {
			words := mandatory(sub)
			if words == nil {
				return nil
			}
			all = append(all, words...)
		}
		return merged(all)
	default:
	}
	return nil
}

// ofConcat takes the best words of the parts: those whose shortest is longest, and the first of these.
func ofConcat(re *syntax.Regexp) (best []keyword) {
	shortest, before := 0, 0
	for _, sub := range re.Sub {
		words := mandatory(sub)
		if n := least(words); n > shortest && len(words) <= maxKeywords {
			best, shortest = slices.Clone(words), n
			for i := range best {
				if before < 0 || best[i].offset < 0 {
					best[i].offset = -1
				} else {
					best[i].offset += before
				}
			}
		}
		if n := width(sub); before >= 0 && n >= 0 {
			before += n
		} else {
			before = -1
		}
	}
	return best
}

func least(words []keyword) int {
	n := 0
	for i, w := range words {
		if i == 0 || len(w.text) < n {
			n = len(w.text)
		}
	}
	return n
}

// merged drops what stands twice; a word with two offsets has none that is sure.
func merged(words []keyword) []keyword {
	var out []keyword
	for _, w := range words {
		i := slices.IndexFunc(out, func(o keyword) bool { return o.text == w.text })
		switch {
		case i < 0:
			out = append(out, w)
		case out[i].offset != w.offset:
			out[i].offset = -1
		}
	}
	return out
}

// width is how many bytes every match of re has, or -1.
func width(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return 0
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			for _, c := range re.Rune {
				if c|0x20 == 'k' || c|0x20 == 's' || c >= utf8.RuneSelf { // other cases of these have more bytes
					return -1
				}
			}
		}
		return len(string(re.Rune))
	case syntax.OpCharClass:
		if n := len(re.Rune); n > 0 && re.Rune[n-1] < utf8.RuneSelf {
			return 1
		}
	case syntax.OpCapture:
		return width(re.Sub[0])
	case syntax.OpRepeat:
		if n := width(re.Sub[0]); n >= 0 && re.Min == re.Max {
			return n * re.Min
		}
	case syntax.OpConcat:
		sum := 0
		for _, sub := range re.Sub {
			n := width(sub)
			if n < 0 {
				return -1
			}
			sum += n
		}
		return sum
	case syntax.OpAlternate:
		n := width(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			if width(sub) != n {
				return -1
			}
		}
		return n
	default:
	}
	return -1
}
