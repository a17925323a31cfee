package known

import "strings"

// wordNames are words that are used as secrets and stand in ordinary text.
var wordNames = strings.Fields(`
	access account admin administrator apikey authorization backup bearer changeit changeme configuration credential credentials customer database
	default demo development docker elastic example foobar grafana guest hello jenkins kibana kubernetes letmein localhost manager
	master minio monitor mysql nobody nothing operator oracle passphrase passw0rd password postgres postgresql private production public qwerty
	rabbitmq readonly redis replication root sample secret secrets server service staging superuser support system test testing token undefined unknown
	username vagrant welcome`)

// ordinary reports that v is a word that text holds anyway, with or without digits behind it, or hardly varies.
func ordinary(v []byte) bool {
	var seen [256]bool
	kinds := 0
	for _, c := range v {
		if !seen[c] {
			seen[c] = true
			kinds++
		}
	}
	if kinds < 5 {
		return true
	}
	word := strings.TrimRight(strings.ToLower(string(v)), "0123456789!?.*#-_")
	for _, w := range wordNames {
		if word == w {
			return true
		}
	}
	// A short word of one case, whichever it is; a number.
	return len(v) < ShortLength && (only(v, 'a', 'z') || only(v, 'A', 'Z') || only(v, '0', '9') || only(v[:1], 'A', 'Z') && only(v[1:], 'a', 'z'))
}

func only(v []byte, from, to byte) bool {
	for _, c := range v {
		if c < from || c > to {
			return false
		}
	}
	return true
}
