package config

import (
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"weir"
	"weir/rules/glob"
)

// credentials are all that the resource has.
func (r *Resource) credentials() []*Credential {
	var out []*Credential
	if r.Credential != nil {
		out = append(out, r.Credential)
	}
	for i := range r.Accounts {
		out = append(out, &r.Accounts[i])
	}
	return out
}

// foreign reports keys that are only for other protocols.
func (k *checker) foreign(r *Resource, path string, p weir.Protocol) {
	for _, f := range []struct {
		key   string
		used  bool
		owner weir.Protocol
	}{
		{"host_header", r.HostHeader != "", weir.HTTP},
		{"database", r.Database != "", weir.Postgres},
		{"databases", len(r.Databases) > 0, weir.Postgres},
		{"target_session_attrs", r.TargetSessionAttrs != "", weir.Postgres},
		{"read_only", r.ReadOnly, weir.Postgres},
		{"allow_function_call", r.AllowFunctionCall, weir.Postgres},
		{"mask.columns", len(r.Mask.Columns) > 0, weir.Postgres},
		{"accounts", len(r.Accounts) > 0, weir.SSH},
		{"host_keys", r.HostKeys != nil, weir.SSH},
		{"shell", r.Shell != nil, weir.SSH},
		{"ask_lines", r.AskLines, weir.SSH},
		{"commands", len(r.Commands) > 0, weir.SSH},
		{"env", len(r.Env) > 0, weir.SSH},
		{"forward", len(r.Forward) > 0, weir.SSH},
	} {
		if f.used && f.owner != p {
			k.problem(path+"."+f.key, "this is for %s resources only", f.owner)
		}
	}
}

var columnTable = regexp.MustCompile(`^[^.]+\.[^.]+\.[^.]+$`)

func (k *checker) postgres(r *Resource, path string) {
	k.foreign(r, path, weir.Postgres)
	if r.Address == "" {
		k.problem(path, "say where the target is: address: 10.0.0.5:5432")
	} else {
		for _, a := range r.Hosts() {
			if !filepath.IsAbs(a) && !hostPort(a) {
				k.problem(path+".address", "a postgres resource's address is host:port, such as 10.0.0.5:5432, several with commas between, or the directory of a socket, with or without :port")
				break
			}
		}
	}
	switch r.TLS.Mode {
	case "", "disable", "require", "verify-full":
	default:
		k.problem(path+".tls", "a mode is verify-full, require (encrypted, but the target is not checked) or disable")
	}
	if (r.TLS.Cert == "") != (r.TLS.Key == "") {
		k.problem(path+".tls", "cert and key belong together")
	}
	switch r.TargetSessionAttrs {
	case "", "any", "read-write", "read-only", "primary", "standby", "prefer-standby":
	default:
		k.problem(path+".target_session_attrs", "this is any, read-write, read-only, primary, standby or prefer-standby")
	}
	if len(r.AllowOpaque) > 0 {
		k.problem(path+".allow_opaque", "nothing of a database is opaque")
	}
	if r.Database == "" {
		k.problem(path, "say which database clients reach: database: NAME")
	}
	for n, c := range r.Mask.Columns {
		if _, err := glob.CompileText(c); err != nil || !columnTable.MatchString(c) {
			k.problem(path+".mask.columns["+strconv.Itoa(n)+"]", "a column is written schema.table.column; * stands for any characters")
		}
	}
	c := r.Credential
	if c == nil {
		k.problem(path, "say how the gateway logs in: credential: {user: NAME, password: {env: NAME}}")
		return
	}
	at := path + ".credential"
	if c.User == "" || c.Header != "" || c.Query != "" || c.Cookie != "" || c.Value != nil || c.Bearer != nil || c.Key != nil || c.Passphrase != nil || c.Certificate {
		k.problem(at, "a postgres credential is {user: NAME, password: {env: NAME}}; without password where the target asks for none")
	}
	k.ref(at+".password", c.Password)
}

func hostPort(a string) bool {
	host, port, err := net.SplitHostPort(a)
	n, err2 := strconv.Atoi(port)
	return err == nil && err2 == nil && n > 0 && n < 65536 && host != "" && !strings.ContainsAny(host, "/@ ")
}

func (k *checker) ref(path string, r *Ref) {
	if r != nil && (r.Env == "") == (r.File == "") {
		k.problem(path, "write {env: NAME} or {file: PATH}")
	}
}

var accountTable = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}$`)

func (k *checker) ssh(r *Resource, path string) {
	k.foreign(r, path, weir.SSH)
	if r.Address == "" {
		k.problem(path, "say where the target is: address: 10.0.0.7:22")
	} else if !hostPort(r.Address) {
		k.problem(path+".address", "an ssh resource's address is host:port, such as 10.0.0.7:22")
	}
	if r.TLS != (ResourceTLS{}) {
		k.problem(path+".tls", "ssh has no TLS; host_keys say how the target is known")
	}
	k.hostKeys(r, path)
	for n, m := range r.AllowOpaque {
		if !slices.Contains([]string{"rsync", "git", "files", "pipes"}, m) {
			k.problem(path+".allow_opaque["+strconv.Itoa(n)+"]", "what may pass unseen is rsync, git, files (binary ones by sftp and scp) or pipes (binary output of commands)")
		}
	}
	for n, f := range r.Forward {
		if f != "local" && f != "remote" {
			k.problem(path+".forward["+strconv.Itoa(n)+"]", "what may be forwarded is local (ssh -L, -D) and remote (ssh -R)")
		}
	}
	if len(r.credentials()) == 0 {
		k.problem(path, "say how the gateway logs in: credential: {user: NAME, key: {file: PATH}}")
	}
	seen := map[string]bool{}
	for n, c := range r.credentials() {
		at := path + ".credential"
		if r.Credential == nil {
			n++
		}
		if n > 0 {
			at = path + ".accounts[" + strconv.Itoa(n-1) + "]"
		}
		k.account(c, at)
		if seen[c.User] {
			k.problem(at, "the account %q is there already", short(c.User))
		}
		seen[c.User] = true
	}
}

func (k *checker) account(c *Credential, at string) {
	forms := 0
	for _, on := range []bool{c.Password != nil, c.Key != nil, c.Certificate} {
		if on {
			forms++
		}
	}
	if c.User == "" || forms != 1 || c.Header != "" || c.Query != "" || c.Cookie != "" || c.Value != nil || c.Bearer != nil || c.Passphrase != nil && c.Key == nil {
		k.problem(at, "an ssh credential is one of {user: NAME, password: …}, {user: NAME, key: …, passphrase: …}, {user: NAME, certificate: true}")
	} else if !accountTable.MatchString(c.User) {
		k.problem(at+".user", "an account's name is made of letters, digits, and . _ - @")
	}
	k.ref(at+".password", c.Password)
	k.ref(at+".key", c.Key)
	k.ref(at+".passphrase", c.Passphrase)
}

func (k *checker) hostKeys(r *Resource, path string) {
	h := r.HostKeys
	if h == nil {
		k.problem(path, "say how the target proves itself: host_keys: {known_hosts: FILE}, {pinned: [\"SHA256:…\"]}, {ca: [\"ssh-ed25519 …\"]} or {first_use: true}")
		return
	}
	forms := 0
	for _, on := range []bool{len(h.Pinned) > 0, h.KnownHosts != "", len(h.CA) > 0, h.FirstUse} {
		if on {
			forms++
		}
	}
	if forms != 1 {
		k.problem(path+".host_keys", "this is one of known_hosts, pinned, ca and first_use")
	}
}

func (k *checker) http(r *Resource, path string) {
	k.address(r, path)
	k.resourceTLS(r, path)
	if r.Credential != nil {
		k.credential(r, path+".credential")
	}
	for n, m := range r.AllowOpaque {
		if m != "websocket-binary" && !mediaName.MatchString(m) {
			k.problem(path+".allow_opaque["+strconv.Itoa(n)+"]", "name one media type, such as application/octet-stream, or websocket-binary")
		}
	}
	k.foreign(r, path, weir.HTTP)
}

func (k *checker) address(r *Resource, path string) {
	if r.Address == "" {
		k.problem(path, "say where the target is: address: http://10.0.0.9:8080")
		return
	}
	u, err := url.Parse(r.Address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		k.problem(path+".address", "an http resource's address is a URL such as http://10.0.0.9:8080")
	case u.User != nil:
		k.problem(path+".address", "the address holds a user or a password; put them into credential, as {env: NAME} or {file: PATH}")
	case u.RawQuery != "" || u.Fragment != "":
		k.problem(path+".address", "an address has no query and no fragment")
	default:
		r.url = u
	}
}

func (k *checker) resourceTLS(r *Resource, path string) {
	t := &r.TLS
	if t.Mode != "" {
		k.problem(path+".tls", "an http resource has no TLS mode: https: in the address says it")
	}
	if (t.Cert == "") != (t.Key == "") {
		k.problem(path+".tls", "cert and key belong together")
	}
	if r.url != nil && r.url.Scheme == "http" && *t != (ResourceTLS{}) {
		k.problem(path+".tls", "the address begins with http:, so there is no TLS; write https:, or leave tls out")
	}
}

func (k *checker) credential(r *Resource, path string) {
	c, forms := r.Credential, 0
	for _, f := range []struct {
		key, name string
		value     *Ref
		valueKey  string
	}{{"header", c.Header, c.Value, "value"}, {"query", c.Query, c.Value, "value"}, {"cookie", c.Cookie, c.Value, "value"}, {"user", c.User, c.Password, "password"}} {
		if f.name == "" {
			continue
		}
		forms++
		if f.value == nil {
			k.problem(path, "%s needs %s: {env: NAME} or {file: PATH}", f.key, f.valueKey)
		}
	}
	if c.Bearer != nil {
		forms++
	}
	if forms != 1 || c.Password != nil && c.User == "" || c.Value != nil && (c.User != "" || c.Bearer != nil) {
		k.problem(path, "a credential is one of {header: NAME, value: …}, {user: NAME, password: …}, {bearer: …}, {query: NAME, value: …}, {cookie: NAME, value: …}")
	}
	for key, ref := range map[string]*Ref{"value": c.Value, "bearer": c.Bearer, "password": c.Password} {
		if ref != nil && (ref.Env == "") == (ref.File == "") {
			k.problem(path+"."+key, "write {env: NAME} or {file: PATH}")
		}
	}
}
