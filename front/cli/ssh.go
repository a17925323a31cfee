package cli

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"weir"
	"weir/service"
)

// Names in the directory of ssh's files.
const (
	sshKeyName   = "weir_ed25519"
	sshHostsName = "weir_known_hosts"
	sshConfName  = "weir_config"
)

type sshCmd struct {
	Keys  sshKeysCmd  `cmd:"" help:"Register, list and remove SSH keys."`
	Cert  sshCertCmd  `cmd:"" help:"Get a short-lived SSH certificate."`
	Setup sshSetupCmd `cmd:"" help:"Make ssh know the gateway, as in: ssh RESOURCE@weir."`
}

type sshKeysCmd struct {
	Ls  sshKeysLs  `cmd:"" help:"List SSH keys." default:"withargs"`
	Add sshKeysAdd `cmd:"" help:"Register a public key."`
	Rm  sshKeysRm  `cmd:"" help:"Remove a key and end its sessions."`
}

type sshKeysLs struct{ listOwned }

func (c *sshKeysLs) Run(g *Globals) error {
	return list(g, query("/ssh/keys", "user", c.User), "FINGERPRINT USER COMMENT CREATED BY EXPIRES LAST-USED", func(k *service.SSHKey) []string {
		return []string{k.Fingerprint, k.User, k.Comment, stamp(k.Created), k.CreatedBy, orText(stampAt(k.Expires), "never"), stampAt(k.LastUsed)}
	})
}

type sshKeysAdd struct {
	File string `arg:"" help:"The .pub file, or - for the standard input."`
	User string `help:"For another user; for administrators." placeholder:"USER"`
	TTL  string `help:"How long it is good, such as 90d; without end if absent." placeholder:"TIME" name:"ttl"`
}

// maxKeyFile is far above the longest public key, in bytes.
const maxKeyFile = 16 << 10

func (c *sshKeysAdd) Run(g *Globals) error {
	line, err := g.readKey(c.File)
	if err != nil {
		return err
	}
	in := map[string]string{"key": line, "user": c.User, "ttl": c.TTL}
	return act(g, "POST", "/ssh/keys", in, func(w io.Writer, k *service.SSHKey) {
		say(w, "Registered %s for %s.", k.Fingerprint, k.User)
	})
}

// readKey reads a public key. A private one does not leave this machine.
func (g *Globals) readKey(path string) (string, error) {
	in := g.streams.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", usage(path + " cannot be read; give the .pub file of an SSH key, or - for the standard input")
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxKeyFile))
	switch {
	case err != nil:
		return "", fmt.Errorf("read key: %w", err)
	case strings.Contains(string(b), "PRIVATE KEY"):
		return "", usage(path + " is a private key: keep it to yourself and give the file that ends in .pub")
	}
	if _, _, _, _, err := ssh.ParseAuthorizedKey(b); err != nil {
		return "", usage(path + " is no SSH public key; give a file that ends in .pub")
	}
	return strings.TrimSpace(string(b)), nil
}

type sshKeysRm struct {
	Fingerprint string `arg:"" help:"Its fingerprint (SHA256:…) or id."`
}

func (c *sshKeysRm) Run(g *Globals) error {
	return act(g, "DELETE", query("/ssh/keys", "name", c.Fingerprint), nil, func(w io.Writer, k *service.SSHKey) {
		say(w, "Removed %s of %s; sessions that lived by it have ended.", k.Fingerprint, k.User)
	})
}

// sshDir is the directory of ssh's files, made if need be.
func sshDir(dir string) (string, error) {
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", usage("there is no home directory; name the directory of ssh's files with --dir")
		}
		dir = filepath.Join(home, ".ssh")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find ssh's files: %w", err)
	}
	if strings.ContainsAny(dir, "\"\n\r%$") {
		return "", usage("ssh cannot be told of the directory " + dir + "; name another with --dir")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make ssh's directory: %w", err)
	}
	return dir, nil
}

type sshCertCmd struct {
	TTL  string `help:"How long it lasts, such as 30m or 8h." placeholder:"TIME" name:"ttl"`
	Key  string `help:"Public key to sign; a new key is made if absent." placeholder:"FILE"`
	User string `help:"For another user; for administrators." placeholder:"USER"`
	Dir  string `help:"Directory of ssh's files; ~/.ssh if absent." placeholder:"DIR"`
}

// issuedFiles is what sshCertCmd shows.
type issuedFiles struct {
	service.Credential
	Key  string `json:"key_file"`
	Cert string `json:"certificate_file"`
}

func (c *sshCertCmd) Run(g *Globals) error {
	cl, err := g.connect()
	if err != nil {
		return err
	}
	var line string
	var private []byte
	key := strings.TrimSuffix(c.Key, ".pub")
	if c.Key != "" {
		if line, err = g.readKey(key + ".pub"); err != nil {
			return err
		}
	} else {
		dir, err := sshDir(c.Dir)
		if err != nil {
			return err
		}
		key = filepath.Join(dir, sshKeyName)
		if line, private, err = newSSHKey(); err != nil {
			return err
		}
	}
	x, err := call[service.SSHCert](g.ctx, cl, "POST", "/ssh/certificates", map[string]string{"key": line, "user": c.User, "ttl": c.TTL})
	if err != nil {
		return err
	}
	if private != nil {
		if err := errors.Join(writeFile(key, private, 0o600), writeFile(key+".pub", []byte(line+"\n"), 0o644)); err != nil {
			return err
		}
	}
	if err := writeFile(key+"-cert.pub", []byte(x.Certificate), 0o644); err != nil {
		return err
	}
	return g.show(issuedFiles{x.Credential, key, key + "-cert.pub"}, func(w io.Writer) {
		say(w, "Certificate %s for %s until %s:\n\n  key          %s\n  certificate  %s-cert.pub\n", x.ID, x.User, stamp(x.Expires), key, key)
		if c.Key == "" {
			say(w, "After weir ssh setup, ssh uses it by itself: ssh RESOURCE@weir")
		} else {
			say(w, "ssh uses it with: ssh -i %s RESOURCE@weir", key)
		}
	})
}

// newSSHKey makes an ed25519 key: the line of its .pub file, and the private key as ssh reads it.
func newSSHKey() (line string, private []byte, err error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", nil, fmt.Errorf("make key: %w", err)
	}
	p, err := ssh.NewPublicKey(pub)
	if err != nil {
		return "", nil, fmt.Errorf("make key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(key, "weir")
	if err != nil {
		return "", nil, fmt.Errorf("make key: %w", err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(p))) + " weir", pem.EncodeToMemory(block), nil
}

// writeFile replaces a file in one step. What a symbolic link leads to is replaced, not the link.
func writeFile(path string, text []byte, mode os.FileMode) error {
	if to, err := filepath.EvalSymlinks(path); err == nil {
		path = to
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".weir-*")
	if err != nil {
		return weir.NewError(weir.Invalid, path+" cannot be written; check its directory", err)
	}
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Chmod(mode), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(weir.NewError(weir.Invalid, path+" cannot be written; check its directory", err), os.Remove(tmp.Name()))
	}
	return nil
}

type sshSetupCmd struct {
	Print bool   `help:"Only print what would be written."`
	Name  string `help:"What ssh calls the gateway." default:"weir"`
	Dir   string `help:"Directory of ssh's files; ~/.ssh if absent." placeholder:"DIR"`
}

// sshSetup is what ssh is told of a gateway.
type sshSetup struct {
	Stanza     string `json:"config"`
	KnownHosts string `json:"known_hosts"`
	Config     string `json:"config_file"`
	Hosts      string `json:"known_hosts_file"`
	Main       string `json:"main_file"`
}

func (c *sshSetupCmd) Run(g *Globals) error {
	if c.Name == "" || strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
		return usage("--name is made of letters, digits, dots, hyphens and underscores")
	}
	cl, err := g.connect()
	if err != nil {
		return err
	}
	info, err := call[service.SSHInfo](g.ctx, cl, "GET", "/ssh", nil)
	if err != nil {
		return err
	}
	dir, err := sshDir(c.Dir)
	if err != nil {
		return err
	}
	s := newSSHSetup(dir, c.Name, &info)
	if c.Print {
		return g.show(s, func(w io.Writer) { say(w, "# %s\n%s\n# %s\n%s", s.Config, s.Stanza, s.Hosts, s.KnownHosts) })
	}
	if err := s.write(); err != nil {
		return err
	}
	return g.show(s, func(w io.Writer) {
		say(w, "ssh knows the gateway now: %s includes %s.\n\n  weir ssh cert           gets a certificate, for some hours\n  ssh RESOURCE@%s       opens a session", s.Main, s.Config, c.Name)
	})
}

func newSSHSetup(dir, name string, info *service.SSHInfo) *sshSetup {
	at := func(file string) string { return filepath.Join(dir, file) }
	key, others := at(sshKeyName), ""
	for _, f := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} { // what ssh tries by itself, unless it is told of a file
		if _, err := os.Stat(at(f)); err == nil { // it complains of one that is missing, each time
			others += "    IdentityFile \"" + at(f) + "\"\n"
		}
	}
	return &sshSetup{
		Stanza: fmt.Sprintf("Host %s\n    HostName %s\n    Port %d\n    IdentityFile \"%s\"\n    CertificateFile \"%s-cert.pub\"\n%s    UserKnownHostsFile \"%s\"\n    StrictHostKeyChecking yes\n",
			name, info.Host, info.Port, key, key, others, at(sshHostsName)),
		KnownHosts: info.KnownHosts + "\n", Config: at(sshConfName), Hosts: at(sshHostsName), Main: at("config"),
	}
}

// Lines around what belongs to weir in a file of the user's.
const (
	markBegin = "# begin weir"
	markEnd   = "# end weir"
)

func (s *sshSetup) write() error {
	if err := errors.Join(writeFile(s.Config, []byte(s.Stanza), 0o600), writeFile(s.Hosts, []byte(s.KnownHosts), 0o600)); err != nil {
		return err
	}
	old, err := os.ReadFile(s.Main)
	mode := os.FileMode(0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return weir.NewError(weir.Invalid, s.Main+" cannot be read; use --print and add the lines yourself", err)
	default:
		if info, err := os.Stat(s.Main); err == nil {
			mode = info.Mode().Perm()
		}
	}
	text, err := include(string(old), "Include \""+s.Config+"\"")
	if err != nil {
		return weir.NewError(weir.Invalid, s.Main+" "+err.Error(), nil)
	}
	if text == string(old) {
		return nil
	}
	return writeFile(s.Main, []byte(text), mode)
}

// include puts a line between the marks, at the beginning of the text: behind a Host line it would count for that host only.
func include(text, line string) (string, error) {
	block := markBegin + "\n" + line + "\n" + markEnd + "\n"
	begin := strings.Index("\n"+text, "\n"+markBegin+"\n")
	if begin < 0 {
		if text == "" {
			return block, nil
		}
		return block + "\n" + text, nil
	}
	end := strings.Index(text[begin:], "\n"+markEnd)
	if end < 0 {
		return "", errors.New("has a line \"" + markBegin + "\" and no \"" + markEnd + "\" after it; remove what is left of them")
	}
	after := strings.TrimPrefix(text[begin+end+len("\n"+markEnd):], "\n")
	return text[:begin] + block + after, nil
}
