package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"weir"
)

// client calls a gateway's API.
type client struct {
	http  *http.Client
	base  string
	token string
	place string // for messages
}

// stored is what weir login keeps.
type stored struct {
	URL   string `json:"url"`
	Token string `json:"token"`
	CA    string `json:"ca,omitempty"`
}

func storePath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", usage("there is no directory for configuration; set HOME or XDG_CONFIG_HOME")
	}
	return filepath.Join(dir, "weir", "login.json"), nil
}

func loadStored() (s stored, ok bool) {
	path, err := storePath()
	if err != nil {
		return s, false
	}
	b, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(b, &s) != nil {
		return stored{}, false
	}
	return s, s.URL != "" && s.Token != ""
}

func (s stored) save() error {
	path, err := storePath()
	if err != nil {
		return err
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("store the login: %w", err)
	}
	return os.WriteFile(path, b, 0o600)
}

const noGateway = "which gateway? name its directory with --data-dir (on its own machine), or its address with --url and WEIR_TOKEN, or run: weir login --url URL"

// connect finds the gateway: what a flag says, then what the environment says, then the last login, then ./weir-data.
func (g *Globals) connect() (*client, error) {
	if g.DataDir != "" && g.URL != "" {
		return nil, usage("--data-dir and --url name two gateways; give one of them (WEIR_DATA_DIR and WEIR_URL count too)")
	}
	if g.DataDir != "" {
		return socketClient(g.DataDir)
	}
	if g.URL != "" {
		token := g.Token
		if s, ok := loadStored(); token == "" && ok && s.URL == strings.TrimRight(g.URL, "/") {
			token = s.Token
		}
		if token == "" {
			return nil, usage("there is no token for " + g.URL + "; set WEIR_TOKEN, or run: weir login --url " + g.URL)
		}
		return webClient(g.URL, g.CA, token)
	}
	if s, ok := loadStored(); ok {
		return webClient(s.URL, orText(g.CA, s.CA), s.Token)
	}
	if _, err := os.Stat(filepath.Join("weir-data", "admin.sock")); err == nil {
		return socketClient("weir-data")
	}
	return nil, usage(noGateway)
}

func orText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func socketClient(dir string) (*client, error) {
	path := filepath.Join(dir, "admin.sock")
	d := &net.Dialer{}
	return &client{base: "http://gateway", place: "the gateway in " + dir, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c, err := d.DialContext(ctx, "unix", path)
			if err != nil {
				return nil, weir.NewError(weir.Unavailable, fmt.Sprintf("no gateway answers at %s; start it with weir serve, or name its data_dir", path), err)
			}
			return c, nil
		},
	}}}, nil
}

func webClient(base, ca, token string) (*client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, usage("a gateway's address is written like https://gateway.example:8443")
	}
	if host := u.Hostname(); u.Scheme == "http" && host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return nil, usage("the token would travel in clear text to " + host + "; use https")
	}
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, usage("the certificate " + ca + " cannot be read; it is ca.pem in the gateway's data_dir")
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(text) {
			return nil, usage(ca + " holds no PEM certificate; it is ca.pem in the gateway's data_dir")
		}
	}
	return &client{
		base: strings.TrimRight(base, "/"), token: token, place: base,
		http: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// problem is an error of the API.
type problem struct {
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
	ID     string `json:"id"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

func (p *problem) text() string {
	t := p.Detail
	for _, e := range p.Errors {
		t += "; " + strings.TrimPrefix(e.Location, "body.") + " " + e.Message
	}
	if p.Hint != "" {
		t += " (" + p.Hint + ")"
	}
	if p.ID != "" {
		t += " [" + p.ID + "]"
	}
	return t
}

// open sends a request and returns the answer's body, which the caller closes.
func (c *client) open(ctx context.Context, method, path string, in any) (io.ReadCloser, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+"/api/v1"+path, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode < 300 {
		return resp.Body, nil
	}
	defer func() { _ = resp.Body.Close() }()
	var p problem
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if json.Unmarshal(b, &p) != nil || p.Detail == "" {
		return nil, weir.NewError(weir.Unavailable, fmt.Sprintf("%s answered %s; is it a Weir gateway?", c.place, resp.Status), nil)
	}
	return nil, weir.NewError(weir.Invalid, p.text(), nil)
}

func (c *client) unreachable(err error) error {
	var known *weir.Error
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &unknown):
		return weir.NewError(weir.Invalid, c.place+" shows a certificate of an unknown authority; name the gateway's own with --ca FILE or WEIR_CA (it is ca.pem in data_dir)", err)
	case errors.As(err, &name):
		return weir.NewError(weir.Invalid, c.place+" shows a certificate for other names; use the name that the gateway calls itself", err)
	}
	return weir.NewError(weir.Unavailable, c.place+" cannot be reached; check the address and that the gateway runs", err)
}

// call sends a request and decodes the answer.
func call[T any](ctx context.Context, c *client, method, path string, in any) (out T, err error) {
	body, err := c.open(ctx, method, path, in)
	if err != nil {
		return out, err
	}
	defer func() { _ = body.Close() }()
	b, err := io.ReadAll(body)
	if err != nil {
		return out, c.unreachable(err)
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return out, nil
	}
	return out, json.Unmarshal(b, &out)
}

// query builds the query of a path of pairs; empty values are left out.
func query(path string, pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

func seg(s string) string { return url.PathEscape(s) }
