package httpgate

import "strings"

// ownCookie reports names of cookies that belong to the gateway. The target neither sees nor sets them.
func ownCookie(name string) bool {
	for _, prefix := range [...]string{"__Host-", "__Secure-"} {
		if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			name = name[len(prefix):]
			break
		}
	}
	return len(name) >= 4 && strings.EqualFold(name[:4], "weir") && (len(name) == 4 || name[4] == '-' || name[4] == '_')
}

// filterCookies returns a Cookie header without the gateway's own cookies, without the one called drop, and without
// those whose value is a placeholder: a client's jar sends back what was masked, which is nobody's intent.
func filterCookies(values []string, drop string) string {
	var b strings.Builder
	for _, v := range values {
		for pair := range strings.SplitSeq(v, ";") {
			pair = strings.TrimSpace(pair)
			name, value, _ := strings.Cut(pair, "=")
			name = strings.TrimSpace(name)
			if pair == "" || ownCookie(name) || drop != "" && name == drop || placeholderIn(value) {
				continue
			}
			if b.Len() > 0 {
				b.WriteString("; ")
			}
			b.WriteString(pair)
		}
	}
	return b.String()
}

// findCookie returns the value of the named cookie.
func findCookie(values []string, name string) (string, bool) {
	for _, v := range values {
		for pair := range strings.SplitSeq(v, ";") {
			n, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
			if ok && strings.TrimSpace(n) == name {
				return strings.Trim(strings.TrimSpace(value), `"`), true
			}
		}
	}
	return "", false
}

// setCookie puts a Set-Cookie of the target into the client's terms: no Domain, so that it stays with the resource, and
// in path mode the path of the resource. ok is false for cookies that only the gateway may set.
func (p *place) setCookie(v string) (out string, ok bool) {
	parts := strings.Split(v, ";")
	name, _, _ := strings.Cut(parts[0], "=")
	if ownCookie(strings.TrimSpace(name)) {
		return "", false
	}
	var b strings.Builder
	b.Grow(len(v) + len(p.prefix))
	b.WriteString(strings.TrimSpace(parts[0]))
	for _, part := range parts[1:] {
		part = strings.TrimSpace(part)
		key, value, _ := strings.Cut(part, "=")
		key = strings.TrimSpace(key)
		switch {
		case strings.EqualFold(key, "Domain"):
			continue
		case strings.EqualFold(key, "Path"):
			value = strings.TrimSpace(value)
			if strings.HasPrefix(value, "/") {
				part = "Path=" + p.prefix + p.local(value)
			}
		}
		b.WriteString("; ")
		b.WriteString(part)
	}
	return b.String(), true
}
