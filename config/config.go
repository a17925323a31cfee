// Package config reads weir.yaml. It is strict: a key it does not know is an error that names the line and the nearest key,
// and all errors are reported at once.
//
// It must never take a credential that is written into the file, and its errors never repeat what stood in one's place.
package config

import (
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"weir"
	"weir/rules/policy"
	"weir/vault/source"
)

// Config is what weir.yaml says. Paths are absolute. What is empty has its default.
type Config struct {
	DataDir   string     `yaml:"data_dir"`
	Listen    Listen     `yaml:"listen"`
	Web       Web        `yaml:"web"`
	TLS       TLS        `yaml:"tls"`
	State     string     `yaml:"state"`
	Identity  Identity   `yaml:"identity"`
	Resources []Resource `yaml:"resources"`
	Grants    []Grant    `yaml:"grants"`
	Rules     []Rule     `yaml:"rules"`
	Catalog   Catalog    `yaml:"catalog"`
	Hold      Hold       `yaml:"hold"`
	Mask      Mask       `yaml:"mask"`
	Postgres  Postgres   `yaml:"postgres"`
	SSH       SSH        `yaml:"ssh"`
	Limits    Limits     `yaml:"limits"`
	Journal   Journal    `yaml:"journal"`
	Log       Log        `yaml:"log"`
	Shutdown  Shutdown   `yaml:"shutdown"`

	ruleLines map[string]int // of each key of each rule, by path
}

// Listen names addresses to listen at: host:port.
type Listen struct {
	Web      string `yaml:"web"`
	Postgres string `yaml:"postgres"`
	SSH      string `yaml:"ssh"`
	Metrics  string `yaml:"metrics"`
}

// Postgres configures the PostgreSQL listener.
type Postgres struct {
	// ClearText lets clients on this machine come in without TLS.
	ClearText bool `yaml:"clear_text"`
	// Statement is the longest statement that is looked at; longer ones are refused.
	Statement Size `yaml:"statement"`
}

// SSH configures the SSH listener.
type SSH struct {
	Keepalive Duration `yaml:"keepalive"`
	// Banner tells people at a terminal that they are recorded.
	Banner *bool `yaml:"banner"`
}

// Web says how browsers and API clients call the gateway.
type Web struct {
	// Hosts are the names of the web listener; a resource is also reached at RESOURCE.<host>.
	Hosts []string `yaml:"hosts"`
	// URL is what is printed for users; made of the first host and the port when empty.
	URL string `yaml:"url"`
}

// TLS of the web listener: empty for the gateway's own CA.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
	Off  bool   `yaml:"off"`
}

// Identity says who is known and for how long.
type Identity struct {
	Local      *bool    `yaml:"local"`
	MaxSession Duration `yaml:"max_session"`
}

// Resource is one target.
type Resource struct {
	Name     string        `yaml:"name"`
	Protocol weir.Protocol `yaml:"protocol"`
	// Address is a URL for http, host:port for ssh, and for postgres host:port, several with commas between, or a socket's directory.
	Address    string      `yaml:"address"`
	HostHeader string      `yaml:"host_header"`
	TLS        ResourceTLS `yaml:"tls"`
	Credential *Credential `yaml:"credential"`
	// AllowOpaque lists what passes although it cannot be looked into: media types for http; rsync, git, files, pipes for ssh. Each use
	// is audited.
	AllowOpaque []string     `yaml:"allow_opaque"`
	Record      Record       `yaml:"record"`
	Mask        ResourceMask `yaml:"mask"`

	// Of postgres.
	Database           string   `yaml:"database"`
	Databases          []string `yaml:"databases"` // others that clients may name
	TargetSessionAttrs string   `yaml:"target_session_attrs"`
	ReadOnly           bool     `yaml:"read_only"`
	AllowFunctionCall  bool     `yaml:"allow_function_call"`

	// Of ssh.
	Accounts []Credential `yaml:"accounts"` // others that clients may name with ACCOUNT+RESOURCE
	HostKeys *HostKeys    `yaml:"host_keys"`
	Shell    *bool        `yaml:"shell"`     // false: commands only
	AskLines bool         `yaml:"ask_lines"` // rules are asked about lines entered in a shell, too
	Commands []string     `yaml:"commands"`  // the only ones that may be run
	Env      []string     `yaml:"env"`       // variables that clients may set
	Forward  []string     `yaml:"forward"`   // local, remote

	url  *url.URL
	line int
}

// HostKeys says how an SSH target proves itself.
type HostKeys struct {
	Pinned     []string `yaml:"pinned"`      // public keys or SHA256 fingerprints
	KnownHosts string   `yaml:"known_hosts"` // file
	CA         []string `yaml:"ca"`          // public keys of authorities for hosts
	FirstUse   bool     `yaml:"first_use"`   // what is shown first is believed from then on
}

// URL is the parsed address.
func (r *Resource) URL() *url.URL { return r.url }

// ResourceTLS is how a target is trusted and how the gateway proves itself to it.
//
// For postgres it may be written as a mode alone: disable, require, verify-full.
type ResourceTLS struct {
	Mode       string `yaml:"mode"`
	CA         string `yaml:"ca"`
	Cert       string `yaml:"cert"`
	Key        string `yaml:"key"`
	ServerName string `yaml:"server_name"`
}

// ResourceMask says what is masked in a resource's answers besides secrets.
type ResourceMask struct {
	Personal Personal `yaml:"personal"`
	// Columns are columns of the database that are masked whole: "schema.table.column", with * for any characters.
	Columns []string `yaml:"columns"`
}

// Personal lists kinds of personal data. It is written as true for all kinds, false for none, or a list of them.
type Personal []string

// Record says how much of a resource's bodies is recorded.
type Record struct {
	Body *Size `yaml:"body"`
}

// Credential is how the gateway proves itself: one of header, query, cookie (with value), bearer, or user and password; for ssh a
// user with password, key or certificate.
type Credential struct {
	Header   string `yaml:"header"`
	Query    string `yaml:"query"`
	Cookie   string `yaml:"cookie"`
	Value    *Ref   `yaml:"value"`
	Bearer   *Ref   `yaml:"bearer"`
	User     string `yaml:"user"`
	Password *Ref   `yaml:"password"`

	// Of ssh.
	Key         *Ref `yaml:"key"`
	Passphrase  *Ref `yaml:"passphrase"`
	Certificate bool `yaml:"certificate"` // signed by the gateway's own authority for each session
}

// Ref says where a credential is.
type Ref struct {
	Env  string `yaml:"env"`
	File string `yaml:"file"`
}

// Source is r for package source.
func (r *Ref) Source() source.Ref { return source.Ref{Env: r.Env, File: r.File} }

// Grant lets groups and users reach resources.
type Grant struct {
	Groups    []string  `yaml:"groups"`
	Users     []string  `yaml:"users"`
	Resources []string  `yaml:"resources"`
	For       Duration  `yaml:"for"`
	Until     time.Time `yaml:"until"`
}

// Rule is a rule as weir.yaml has it.
type Rule struct {
	Name      string          `yaml:"name"`
	Resources []string        `yaml:"resources"`
	Protocols []weir.Protocol `yaml:"protocols"`
	Groups    []string        `yaml:"groups"`
	Users     []string        `yaml:"users"`
	Match     Match           `yaml:"match"`
	Except    *Match          `yaml:"except"`
	Then      string          `yaml:"then"`
	Reason    string          `yaml:"reason"`
	Approvers Approvers       `yaml:"approvers"`
	Within    Duration        `yaml:"within"`
	Wait      Duration        `yaml:"wait"`
}

// Match is what a rule asks of a command.
type Match struct {
	Operations []string          `yaml:"operations"`
	Methods    []string          `yaml:"methods"`
	Paths      []string          `yaml:"paths"`
	Query      map[string]string `yaml:"query"`
	Headers    map[string]string `yaml:"headers"`
	Objects    []string          `yaml:"objects"`
	Columns    []string          `yaml:"columns"`
	Functions  []string          `yaml:"functions"`
	Settings   []string          `yaml:"settings"`
	Roles      []string          `yaml:"roles"`
	NoWhere    bool              `yaml:"no_where"`
	SecretOut  bool              `yaml:"secret_out"`
	Files      bool              `yaml:"files"`
	Program    bool              `yaml:"program"`
	ReadOnly   *bool             `yaml:"read_only"`
	Dynamic    bool              `yaml:"dynamic"`
	Unclear    bool              `yaml:"unclear"`
	Commands   []string          `yaml:"commands"`
	Channels   []string          `yaml:"channels"`
	Accounts   []string          `yaml:"accounts"`
	Addresses  []string          `yaml:"addresses"`
	Regex      string            `yaml:"regex"`
	Catalog    string            `yaml:"catalog"`
}

// Approvers says who may agree.
type Approvers struct {
	Groups []string `yaml:"groups"`
	Count  int      `yaml:"count"`
}

// Catalog configures the introspection catalogue.
type Catalog struct {
	Defaults *bool `yaml:"defaults"`
}

// Hold configures approvals.
type Hold struct {
	Wait Duration `yaml:"wait"`
}

// Mask adds to what is masked.
type Mask struct {
	Fields    []string  `yaml:"fields"`
	Detectors Detectors `yaml:"detectors"`
}

// Detectors turns detectors off and adds some.
type Detectors struct {
	Disable []string         `yaml:"disable"`
	Custom  []CustomDetector `yaml:"custom"`
}

// CustomDetector finds secrets of the user's own by a regular expression (RE2). The masking engine checks it.
type CustomDetector struct {
	Name     string   `yaml:"name"`
	Regex    string   `yaml:"regex"`
	Keywords []string `yaml:"keywords"`
	Check    string   `yaml:"check"`
	Allow    []string `yaml:"allow"`

	lines map[string]int // of its keys; "" is its own
}

// Line is where a key of the detector stands, or the detector itself when it lacks the key.
func (c *CustomDetector) Line(key string) int {
	if n, ok := c.lines[key]; ok {
		return n
	}
	return c.lines[""]
}

// Limits bound what clients may cost.
type Limits struct {
	Headers  Size `yaml:"headers"`
	HeldBody Size `yaml:"held_body"`
	Message  Size `yaml:"message"`
	Sessions int  `yaml:"sessions"`
}

// Journal configures the evidence.
type Journal struct {
	Segment Size `yaml:"segment"`
}

// Log configures the log.
type Log struct {
	Level string `yaml:"level"`
}

// Shutdown configures how the gateway stops.
type Shutdown struct {
	Drain Duration `yaml:"drain"`
}

// Duration is a time.Duration, written like 90s or 8h.
type Duration time.Duration

// Size is a number of bytes, written like 4096, 64KiB or 1MiB.
type Size int64

// Bounds and defaults.
const (
	DefaultWeb      = "127.0.0.1:8443"
	DefaultPostgres = "127.0.0.1:15432"
	DefaultSSH      = "127.0.0.1:12222"
	defaultRecord   = Size(64 << 10)
	maxRecord       = Size(64 << 20)
	defaultDrain    = Duration(10 * time.Second)
)

// RecordCap is how many bytes of one body are recorded.
func (r *Resource) RecordCap() int {
	if r.Record.Body == nil {
		return int(defaultRecord)
	}
	return int(*r.Record.Body)
}

// Noun is what policy and evidence know of the resource.
func (r *Resource) Noun() weir.Resource {
	n := weir.Resource{Name: r.Name, Protocol: r.Protocol, RecordCap: r.RecordCap()}
	note := func(on bool, exception string) {
		if on {
			n.Exceptions = append(n.Exceptions, exception)
		}
	}
	for _, t := range r.AllowOpaque {
		note(true, "allow_opaque:"+t)
	}
	for _, f := range r.Forward {
		note(true, "forward:"+f)
	}
	note(r.AllowFunctionCall, "allow_function_call")
	note(r.HostKeys != nil && r.HostKeys.FirstUse, "host_keys:first_use")
	note(r.Protocol == weir.Postgres && (r.TLS.Mode == "disable" || r.TLS.Mode == "require") && !r.local(), "tls:"+r.TLS.Mode)
	return n
}

// Loopback reports whether the web listener can be reached from this machine only.
func (c *Config) Loopback() bool {
	a, err := netip.ParseAddrPort(c.Listen.Web)
	return err == nil && a.Addr().IsLoopback()
}

// Policy is what the rules are compiled from.
func (c *Config) Policy() policy.Config {
	p := policy.Config{NoCatalogDefaults: c.Catalog.Defaults != nil && !*c.Catalog.Defaults, Wait: time.Duration(c.Hold.Wait)}
	for i := range c.Rules {
		r := &c.Rules[i]
		p.Rules = append(p.Rules, policy.Rule{
			Name: r.Name, Resources: r.Resources, Protocols: r.Protocols, Groups: r.Groups, Users: r.Users, Match: policy.Match(r.Match), Except: (*policy.Match)(r.Except),
			Then: effectTable[r.Then], Reason: r.Reason, Approvers: policy.Approvers(r.Approvers), Within: time.Duration(r.Within), Wait: time.Duration(r.Wait),
		})
	}
	return p
}

var effectTable = map[string]weir.Effect{"deny": weir.Deny, "approve": weir.Approve, "allow": weir.Allow}

// Hosts are the addresses of a postgres or ssh resource.
func (r *Resource) Hosts() []string {
	var out []string
	for a := range strings.SplitSeq(r.Address, ",") {
		out = append(out, strings.TrimSpace(a))
	}
	return out
}

// local reports whether the target is on this machine.
func (r *Resource) local() bool {
	for _, a := range r.Hosts() {
		if filepath.IsAbs(a) {
			continue
		}
		host, _, err := net.SplitHostPort(a)
		ip, err2 := netip.ParseAddr(host)
		if err != nil || host != "localhost" && (err2 != nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}
