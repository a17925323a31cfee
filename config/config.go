// Package config reads weir.yaml. It is strict: a key it does not know is an error that names the line and the nearest key,
// and all errors are reported at once.
//
// It must never take a credential that is written into the file, and its errors never repeat what stood in one's place.
package config

import (
	"net/netip"
	"net/url"
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
	Limits    Limits     `yaml:"limits"`
	Journal   Journal    `yaml:"journal"`
	Log       Log        `yaml:"log"`
	Shutdown  Shutdown   `yaml:"shutdown"`
}

// Listen names addresses to listen at: host:port.
type Listen struct {
	Web     string `yaml:"web"`
	Metrics string `yaml:"metrics"`
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
	Name       string        `yaml:"name"`
	Protocol   weir.Protocol `yaml:"protocol"`
	Address    string        `yaml:"address"`
	HostHeader string        `yaml:"host_header"`
	TLS        ResourceTLS   `yaml:"tls"`
	Credential *Credential   `yaml:"credential"`
	// AllowOpaque lists media types that pass although they cannot be looked into. Each use is audited.
	AllowOpaque []string     `yaml:"allow_opaque"`
	Record      Record       `yaml:"record"`
	Mask        ResourceMask `yaml:"mask"`

	url  *url.URL
	line int
}

// URL is the parsed address.
func (r *Resource) URL() *url.URL { return r.url }

// ResourceTLS is how a target is trusted and how the gateway proves itself to it.
type ResourceTLS struct {
	CA         string `yaml:"ca"`
	Cert       string `yaml:"cert"`
	Key        string `yaml:"key"`
	ServerName string `yaml:"server_name"`
}

// ResourceMask says what is masked in a resource's answers besides secrets.
type ResourceMask struct {
	Personal Personal `yaml:"personal"`
}

// Personal lists kinds of personal data. It is written as true for all kinds, false for none, or a list of them.
type Personal []string

// Record says how much of a resource's bodies is recorded.
type Record struct {
	Body *Size `yaml:"body"`
}

// Credential is how the gateway proves itself: one of header, query, cookie (with value), bearer, or user and password.
type Credential struct {
	Header   string `yaml:"header"`
	Query    string `yaml:"query"`
	Cookie   string `yaml:"cookie"`
	Value    *Ref   `yaml:"value"`
	Bearer   *Ref   `yaml:"bearer"`
	User     string `yaml:"user"`
	Password *Ref   `yaml:"password"`
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
	Then      string          `yaml:"then"`
	Reason    string          `yaml:"reason"`
	Approvers Approvers       `yaml:"approvers"`
	Within    Duration        `yaml:"within"`
	Wait      Duration        `yaml:"wait"`

	line int
}

// Match is what a rule asks of a command.
type Match struct {
	Operations []string          `yaml:"operations"`
	Methods    []string          `yaml:"methods"`
	Paths      []string          `yaml:"paths"`
	Query      map[string]string `yaml:"query"`
	Headers    map[string]string `yaml:"headers"`
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
	DefaultWeb    = "127.0.0.1:8443"
	defaultRecord = Size(64 << 10)
	maxRecord     = Size(64 << 20)
	defaultDrain  = Duration(10 * time.Second)
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
	for _, t := range r.AllowOpaque {
		n.Exceptions = append(n.Exceptions, "allow_opaque:"+t)
	}
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
			Name: r.Name, Resources: r.Resources, Protocols: r.Protocols, Groups: r.Groups, Users: r.Users, Match: policy.Match(r.Match),
			Then: effectTable[r.Then], Reason: r.Reason, Approvers: policy.Approvers(r.Approvers), Within: time.Duration(r.Within), Wait: time.Duration(r.Wait),
		})
	}
	return p
}

var effectTable = map[string]weir.Effect{"deny": weir.Deny, "approve": weir.Approve, "allow": weir.Allow}
