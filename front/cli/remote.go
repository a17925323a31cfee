package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/evidence/audit"
	"weir/evidence/record"
	"weir/service"
)

type whoamiCmd struct{}

func (*whoamiCmd) Run(g *Globals) error {
	cl, err := g.connect()
	if err != nil {
		return err
	}
	me, err := call[service.Me](g.ctx, cl, "GET", "/me", nil)
	if err != nil {
		return err
	}
	return g.show(me, func(w io.Writer) {
		admin := ""
		if me.Admin {
			admin = ", administrator"
		}
		say(w, "%s (%s%s), groups: %s, by %s", me.Name, me.Kind, admin, orText(strings.Join(me.Groups, " "), "none"), me.Method)
	})
}

// list calls the API for a list and shows it as a table.
func list[T any](g *Globals, path, head string, row func(*T) []string) error {
	cl, err := g.connect()
	if err != nil {
		return err
	}
	all, err := call[[]T](g.ctx, cl, "GET", path, nil)
	if err != nil {
		return err
	}
	return g.show(all, func(w io.Writer) {
		rows := make([][]string, len(all))
		for i := range all {
			rows[i] = row(&all[i])
		}
		table(w, head, rows)
	})
}

// act calls the API and says what was done.
func act[T any](g *Globals, method, path string, in any, text func(w io.Writer, v *T)) error {
	cl, err := g.connect()
	if err != nil {
		return err
	}
	v, err := call[T](g.ctx, cl, method, path, in)
	if err != nil {
		return err
	}
	return g.show(v, func(w io.Writer) { text(w, &v) })
}

type resourcesCmd struct{}

func (*resourcesCmd) Run(g *Globals) error {
	return list(g, "/resources", "NAME PROTOCOL URL ACCESS-UNTIL EXCEPTIONS", func(r *service.ResourceView) []string {
		return []string{r.Name, string(r.Protocol), r.URL, stampAt(r.Expires), strings.Join(r.Exceptions, " ")}
	})
}

type accessCmd struct {
	Resource string `arg:"" help:"Name of the resource."`
	As       string `help:"Issue it to another user; for administrators." placeholder:"USER"`
	TTL      string `help:"How long it lasts, such as 30m or 8h." placeholder:"TIME" name:"ttl"`
}

func (c *accessCmd) Run(g *Globals) error {
	in := map[string]string{"resource": c.Resource, "as": c.As, "ttl": c.TTL}
	return act(g, "POST", "/access", in, func(w io.Writer, a *service.Access) {
		say(w, "Access to %s for %s until %s. The secret is shown this once:\n\n  login   %s\n  secret  %s\n\n  %s", a.Resource, a.User, stamp(a.Expires), a.Login, a.Secret, a.Command)
	})
}

func credentialRow(c *service.Credential) []string {
	return []string{string(c.ID), c.User, orText(c.Login, c.Name), stamp(c.Created), c.CreatedBy, stamp(c.Expires), stampAt(c.LastUsed)}
}

type listOwned struct {
	User string `help:"Another user's; * for all. For administrators." placeholder:"USER"`
}

type keysCmd struct {
	Ls keysLs   `cmd:"" help:"List access keys." default:"withargs"`
	Rm revokeIt `cmd:"" help:"Revoke an access key and end its sessions."`
}

type keysLs struct{ listOwned }

func (c *keysLs) Run(g *Globals) error {
	return list(g, query("/access", "user", c.User), "ID USER LOGIN CREATED BY EXPIRES LAST-USED", credentialRow)
}

type revokeIt struct {
	Name string `arg:"" help:"Its id or login name."`
}

func (c *revokeIt) Run(g *Globals) error {
	return act(g, "DELETE", "/access/"+seg(c.Name), nil, func(w io.Writer, v *service.Credential) {
		say(w, "Revoked %s of %s; sessions that lived by it have ended.", v.ID, v.User)
	})
}

type tokensCmd struct {
	Ls  tokensLs  `cmd:"" help:"List personal tokens." default:"withargs"`
	Add tokensAdd `cmd:"" help:"Make a personal token."`
	Rm  revokeIt  `cmd:"" help:"Revoke a token and end its sessions."`
}

type tokensLs struct{ listOwned }

func (c *tokensLs) Run(g *Globals) error {
	return list(g, query("/tokens", "user", c.User), "ID USER NAME CREATED BY EXPIRES LAST-USED", credentialRow)
}

type tokensAdd struct {
	Name string `arg:"" optional:"" help:"What it is called."`
	User string `help:"For another user; for administrators." placeholder:"USER"`
	TTL  string `help:"How long it lasts, such as 12h or 30d." placeholder:"TIME" name:"ttl"`
}

func (c *tokensAdd) Run(g *Globals) error {
	in := map[string]string{"name": c.Name, "user": c.User, "ttl": c.TTL}
	return act(g, "POST", "/tokens", in, func(w io.Writer, t *service.IssuedToken) {
		say(w, "%s", t.Secret)
		say(g.streams.Err, "Token %s for %s until %s. It is shown this once.", t.ID, t.User, stamp(t.Expires))
	})
}

type usersCmd struct {
	Ls  usersLs  `cmd:"" help:"List users." default:"1"`
	Add usersAdd `cmd:"" help:"Add a user."`
	Set usersSet `cmd:"" help:"Change a user; sessions it may no longer have end."`
	Rm  usersRm  `cmd:"" help:"Remove a user, its credentials and its sessions."`
}

type usersLs struct{}

func (*usersLs) Run(g *Globals) error {
	return list(g, "/users", "NAME KIND GROUPS ADMIN DISABLED PASSWORD CREATED", func(u *service.User) []string {
		return []string{u.Name, u.Kind, strings.Join(u.Groups, ","), yes(u.Admin), yes(u.Disabled), yes(u.Password), stamp(u.Created)}
	})
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

type usersAdd struct {
	Name     string   `arg:"" help:"Login name."`
	Groups   []string `help:"Groups, separated by commas."`
	Admin    bool     `help:"Make it an administrator."`
	Machine  bool     `help:"A program: it can never approve."`
	Password bool     `help:"Ask for a password, or read it from the standard input."`
}

func (c *usersAdd) Run(g *Globals) error {
	in := map[string]any{"name": c.Name, "groups": c.Groups, "admin": c.Admin, "machine": c.Machine}
	if len(c.Groups) == 0 {
		delete(in, "groups")
	}
	if c.Password {
		p, err := g.readPassword("Password for " + c.Name + ": ")
		if err != nil {
			return err
		}
		in["password"] = p
	}
	return act(g, "POST", "/users", in, func(w io.Writer, u *service.User) {
		say(w, "Added %s %s.", u.Kind, u.Name)
	})
}

type usersSet struct {
	Name     string    `arg:"" help:"Login name."`
	Groups   *[]string `help:"All groups, separated by commas."`
	Admin    *bool     `help:"Whether it is an administrator." negatable:""`
	Disabled *bool     `help:"Whether it is locked out." negatable:""`
	Password bool      `help:"Ask for a new password, or read it from the standard input."`
}

func (c *usersSet) Run(g *Globals) error {
	in := map[string]any{}
	if c.Groups != nil {
		in["groups"] = slices.DeleteFunc(*c.Groups, func(s string) bool { return s == "" })
	}
	if c.Admin != nil {
		in["admin"] = *c.Admin
	}
	if c.Disabled != nil {
		in["disabled"] = *c.Disabled
	}
	if c.Password {
		p, err := g.readPassword("New password for " + c.Name + ": ")
		if err != nil {
			return err
		}
		in["password"] = p
	}
	if len(in) == 0 {
		return usage("say what to change: --groups, --admin, --disabled or --password")
	}
	return act(g, "PATCH", "/users/"+seg(c.Name), in, func(w io.Writer, u *service.User) { say(w, "Changed %s.", u.Name) })
}

type usersRm struct {
	Name string `arg:"" help:"Login name."`
}

func (c *usersRm) Run(g *Globals) error {
	return act(g, "DELETE", "/users/"+seg(c.Name), nil, func(w io.Writer, _ *struct{}) {
		say(w, "Removed %s; its sessions have ended.", c.Name)
	})
}

type grantsCmd struct {
	Ls  grantsLs  `cmd:"" help:"List grants that count now." default:"1"`
	Add grantsAdd `cmd:"" help:"Let a user or a group reach a resource for a time."`
	Rm  grantsRm  `cmd:"" help:"Take a grant away and end the sessions that live by it."`
}

type grantsLs struct{}

func (*grantsLs) Run(g *Globals) error {
	return list(g, "/grants", "ID USER GROUP RESOURCE CREATED BY EXPIRES", func(x *service.Grant) []string {
		return []string{string(x.ID), x.User, x.Group, x.Resource, stamp(x.Created), x.CreatedBy, stamp(x.Expires)}
	})
}

type grantsAdd struct {
	Resource string `arg:"" help:"Name of a resource, or a pattern with *."`
	User     string `help:"To whom." placeholder:"USER"`
	Group    string `help:"To which group." placeholder:"GROUP"`
	TTL      string `help:"For how long, such as 8h." placeholder:"TIME" name:"ttl"`
	Expires  string `help:"Until when, such as 2030-01-31T18:00:00Z." placeholder:"TIME"`
}

func (c *grantsAdd) Run(g *Globals) error {
	in := map[string]string{"resource": c.Resource, "user": c.User, "group": c.Group, "ttl": c.TTL, "expires": c.Expires}
	for k, v := range in {
		if v == "" {
			delete(in, k)
		}
	}
	return act(g, "POST", "/grants", in, func(w io.Writer, x *service.Grant) {
		say(w, "Grant %s: %s may reach %s until %s.", x.ID, orText(x.User, "group "+x.Group), x.Resource, stamp(x.Expires))
	})
}

type grantsRm struct {
	ID string `arg:"" help:"Its id."`
}

func (c *grantsRm) Run(g *Globals) error {
	return act(g, "DELETE", "/grants/"+seg(c.ID), nil, func(w io.Writer, x *service.Grant) {
		say(w, "Took %s away; sessions that lived by it have ended.", x.ID)
	})
}

type requestsCmd struct {
	Ls      requestsLs   `cmd:"" help:"List requests." default:"withargs"`
	Show    requestsShow `cmd:"" help:"Show one request."`
	Approve voteYes      `cmd:"" help:"Agree to a request."`
	Deny    voteNo       `cmd:"" help:"Refuse a request."`
	Watch   requestWatch `cmd:"" help:"Print changes of requests as they happen."`
}

type requestsLs struct {
	State string `help:"Only those that are pending, approved, denied, used or expired." placeholder:"STATE"`
	Limit int    `help:"The newest so many." default:"100"`
}

func (c *requestsLs) Run(g *Globals) error {
	return list(g, query("/requests", "state", c.State, "limit", strconv.Itoa(c.Limit)), "ID STATE USER RESOURCE COMMAND RULE VOTES EXPIRES", func(r *service.Request) []string {
		return []string{string(r.ID), string(r.State), r.User, r.Resource, oneLine(r.Command), r.Rule, fmt.Sprintf("%d/%d", len(r.Votes), r.Needs), stamp(r.Expires)}
	})
}

// widestCommand is how many characters of a command stand in a table; show prints all of it.
const widestCommand = 80

// oneLine is a command as it stands in a table.
func oneLine(command string) string {
	out := []rune(strings.Join(strings.Fields(command), " "))
	if len(out) > widestCommand {
		return string(out[:widestCommand-1]) + "…"
	}
	return string(out)
}

// indented is a command in its own lines, behind a word of ten characters.
func indented(command string) string {
	lines := strings.Split(strings.TrimSpace(command), "\n")
	for i := range lines {
		lines[i] = record.Visible(strings.TrimRight(lines[i], "\r"))
	}
	return strings.Join(lines, "\n          ")
}

func printRequest(w io.Writer, r *service.Request) {
	v := record.Visible
	say(w, "request   %s (%s)\nuser      %s\nresource  %s\ncommand   %s\nrule      %s: %s", r.ID, r.State, v(r.User), v(r.Resource), indented(r.Command), v(r.Rule), v(r.Reason))
	if len(r.Catalog) > 0 {
		say(w, "catalogue %s", strings.Join(r.Catalog, " "))
	}
	say(w, "asked     %s, expires %s\nneeds     %d of %s", stamp(r.Created), stamp(r.Expires), r.Needs, orText(strings.Join(r.Approvers, ", "), "administrators"))
	for _, x := range r.Votes {
		verb := "refused"
		if x.Approve {
			verb = "agreed"
		}
		say(w, "          %s %s at %s %s", v(x.User), verb, stamp(x.Time), v(x.Comment))
	}
}

type requestsShow struct {
	ID string `arg:"" help:"Its id, or the beginning of it."`
}

func (c *requestsShow) Run(g *Globals) error {
	return act(g, "GET", "/requests/"+seg(c.ID), nil, printRequest)
}

type vote struct {
	ID      string `arg:"" help:"Its id, or the beginning of it."`
	Comment string `help:"Shown to the requester." placeholder:"TEXT"`
}

type (
	voteYes struct{ vote }
	voteNo  struct{ vote }
)

func (c *voteYes) Run(g *Globals) error { return c.cast(g, "approve") }
func (c *voteNo) Run(g *Globals) error  { return c.cast(g, "deny") }

func (c *vote) cast(g *Globals, verb string) error {
	return act(g, "POST", "/requests/"+seg(c.ID)+"/"+verb, map[string]string{"comment": c.Comment}, printRequest)
}

type requestWatch struct{}

func (*requestWatch) Run(g *Globals) error {
	return lines(g, "/watch/requests", func(w io.Writer, c *service.RequestChange) {
		if r := c.Request; r != nil {
			say(w, "%s  %-7s %s  %s at %s: %s (%s)", stamp(time.Now()), c.Change, r.ID, record.Visible(r.User), r.Resource, record.Visible(r.Command), r.State) //nolint:forbidigo // for people
		}
	})
}

// lines prints a stream of JSON documents.
func lines[T any](g *Globals, path string, text func(w io.Writer, v *T)) error {
	cl, err := g.connect()
	if err != nil {
		return err
	}
	body, err := cl.open(g.ctx, "GET", path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	for dec := json.NewDecoder(body); ; {
		var v T
		if err := dec.Decode(&v); err != nil {
			if g.ctx.Err() != nil {
				return nil
			}
			return cl.unreachable(err)
		}
		if err := g.show(v, func(w io.Writer) { text(w, &v) }); err != nil {
			return err
		}
	}
}

type explainCmd struct {
	Resource string `arg:"" help:"Name of the resource."`
	Command  string `arg:"" help:"Such as 'GET /actuator/env', an SQL statement, or a command line."`
	As       string `help:"For another user; for administrators." placeholder:"USER"`
}

func (c *explainCmd) Run(g *Globals) error {
	in := map[string]string{"resource": c.Resource, "command": c.Command, "as": c.As}
	return act(g, "POST", "/explain", in, func(w io.Writer, x *service.Explanation) {
		v := record.Visible
		say(w, "%s at %s by %s: %s", v(x.Command), x.Resource, v(x.User), strings.ToUpper(x.Effect))
		if !x.Access {
			say(w, "access    %s may not reach %s at all", v(x.User), x.Resource)
		} else {
			say(w, "access    until %s", stampAt(x.Until))
		}
		say(w, "decided   by rule %s%s (policy %s)", v(x.Rule), orText("", ": "+v(x.Reason)), x.Policy)
		if a := x.Approval; a != nil {
			say(w, "approval  %d of %s, within %s; the client waits %s", a.Count, orText(strings.Join(a.Groups, ", "), "administrators"), a.Within, a.Wait)
		}
		if x.Suggestion != "" {
			say(w, "to allow  add to rules: - %s", v(x.Suggestion))
		}
		for _, r := range x.Rules {
			say(w, "rule      %s would %s", v(r.Name), r.Then)
		}
		for _, e := range x.Catalog {
			say(w, "leaks     %s (%s, %s): what of it is secret is masked; by default: %s", e.Leaks, e.Technology, e.ID, e.Action)
		}
		if len(x.Readings) > 1 {
			say(w, "readings  %s", v(strings.Join(x.Readings, "  ")))
		}
	})
}

type auditCmd struct {
	Ls     auditLs     `cmd:"" help:"Print audit events." default:"withargs"`
	Tail   auditTail   `cmd:"" help:"Print audit events as they happen."`
	Export auditExport `cmd:"" help:"Print all audit events, one JSON document a line."`
}

type auditFilter struct {
	Action   string `help:"An action, or its beginning up to a dot." placeholder:"ACTION"`
	Actor    string `help:"Only this actor's." placeholder:"USER"`
	Resource string `help:"Only at this resource." placeholder:"RESOURCE"`
	Since    string `help:"Not before, such as 2030-01-31T18:00:00Z." placeholder:"TIME"`
}

func (f *auditFilter) path(base string, limit int) string {
	return query(base, "action", f.Action, "actor", f.Actor, "resource", f.Resource, "since", f.Since, "limit", strconv.Itoa(limit))
}

func eventText(w io.Writer, e *audit.Event) {
	var b strings.Builder
	for _, d := range e.Detail {
		b.WriteString(" " + d[0] + "=" + d[1])
	}
	say(w, "%s  %-18s %-8s %s %s %s%s", stamp(e.Time), e.Action, e.Outcome, record.Visible(e.Actor), e.Resource, e.Request, record.Visible(b.String()))
}

type auditLs struct {
	auditFilter
	Limit int `help:"The newest so many." default:"100"`
}

func (c *auditLs) Run(g *Globals) error {
	return act(g, "GET", c.path("/audit", c.Limit), nil, func(w io.Writer, all *[]audit.Event) {
		for i := range *all {
			eventText(w, &(*all)[i])
		}
	})
}

type auditTail struct{ auditFilter }

func (c *auditTail) Run(g *Globals) error { return lines(g, c.path("/watch/audit", 0), eventText) }

type auditExport struct{ auditFilter }

func (c *auditExport) Run(g *Globals) error {
	cl, err := g.connect()
	if err != nil {
		return err
	}
	all, err := call[[]audit.Event](g.ctx, cl, "GET", c.path("/audit", 0), nil)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(g.streams.Out)
	for i := range all {
		if err := enc.Encode(&all[i]); err != nil {
			return err
		}
	}
	return nil
}
