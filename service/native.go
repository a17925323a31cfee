package service

import (
	"net/url"
	"strconv"
	"strings"

	"weir"
)

// address is where clients reach the resource, as a URL. login may be empty.
func (r *Resource) address(login string) string {
	if r.URL != nil {
		return r.URL.String()
	}
	u := url.URL{Scheme: string(r.Protocol), Host: address(r.Host, r.Port)}
	if login != "" {
		u.User = url.User(login)
	}
	switch r.Protocol {
	case weir.Postgres:
		u.Path, u.RawQuery = "/"+r.Database, "sslmode=verify-full"
	case weir.SSH:
		if login == "" {
			u.User = url.User(r.Name)
		}
	default:
	}
	return u.String()
}

// command is what a user pastes into a shell. curl hides what stands after -u from the process list; psql and ssh ask for
// the secret.
func command(a *Access) string {
	var b strings.Builder
	switch a.Protocol {
	case weir.Postgres:
		info := "host=" + connQuote(a.Host) + " port=" + strconv.Itoa(a.Port) + " user=" + connQuote(a.Login) + " dbname=" + connQuote(a.Database) +
			" sslmode=verify-full sslrootcert="
		if a.CAFile == "" {
			info += "system" // as public authorities sign for everybody
		} else {
			info += connQuote(a.CAFile)
		}
		b.WriteString("psql " + doubleQuote(info))
	case weir.SSH:
		b.WriteString("ssh -p " + strconv.Itoa(a.Port) + " " + shellQuote(a.Login+"@"+a.Host))
	default:
		b.WriteString("curl")
		if a.CAFile != "" && strings.HasPrefix(a.URL, "https:") {
			b.WriteString(" --cacert " + shellQuote(a.CAFile))
		}
		b.WriteString(" -u " + shellQuote(a.Login+":"+a.Secret) + " " + shellQuote(a.URL))
	}
	return b.String()
}

// connQuote quotes a value of a libpq connection string (PostgreSQL documentation, section 34.1.1.1).
func connQuote(s string) string {
	if s != "" && !strings.ContainsAny(s, " '\\\t\n") {
		return s
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// doubleQuote quotes for a shell, so that the single quotes in it can be read.
func doubleQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(s) + `"`
}

func portOf(u *url.URL) int {
	if p, err := strconv.Atoi(u.Port()); err == nil {
		return p
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}

func shellQuote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+=,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
