package service

import (
	"context"
	"errors"
	"testing"

	"weir"
	"weir/rules/catalog"
	"weir/rules/policy"
)

// TestCommandsAreReadAsTheirProtocolHasThem decides on the texts that somebody wants to have explained.
func TestCommandsAreReadAsTheirProtocolHasThem(t *testing.T) {
	cat, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	plan, problems := policy.Compile(policy.Config{Rules: []policy.Rule{
		{Name: "no-drop", Match: policy.Match{Operations: []string{"DROP"}}, Then: weir.Deny},
		{Name: "no-put", Match: policy.Match{Channels: []string{"sftp"}, Operations: []string{"PUT"}}, Then: weir.Deny},
	}}, cat)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s := &Service{p: Parts{Commanders: map[weir.Protocol]Commander{
		weir.Postgres: func(_ context.Context, _ *Resource, text string) (*weir.Command, error) {
			if text == "" {
				return nil, errors.New("no statement")
			}
			return &weir.Command{Operation: "DROP", Text: text, SQL: &weir.SQL{Statements: 1, Operations: []string{"DROP"}}}, nil
		},
	}}}
	who := &weir.Identity{Name: "alice"}
	for _, c := range []struct {
		protocol   weir.Protocol
		text, rule string
	}{
		{weir.HTTP, "GET /actuator/heapdump", "catalog:spring-heapdump"},
		{weir.HTTP, "/x", "default"},
		{weir.SSH, "sudo cat .env", "catalog:ssh-dotenv"},
		{weir.SSH, "sftp get /etc/./shadow", "catalog:ssh-shadow"},
		{weir.SSH, "sftp put /srv/x", "no-put"},
		{weir.SSH, "forward 169.254.169.254:80", "catalog:ssh-metadata-forward"},
		{weir.SSH, "sftp get", "default"},
		{weir.Postgres, "DROP TABLE x", "no-drop"},
	} {
		res := &Resource{Resource: weir.Resource{Name: "r", Protocol: c.protocol}, Target: "t"}
		cmd, err := s.readCommand(t.Context(), res, c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if x := plan.Explain(who, &res.Resource, cmd); x.Verdict.Rule != c.rule {
			t.Errorf("%s: %+v", c.text, x.Verdict)
		}
	}
	for protocol, text := range map[weir.Protocol]string{weir.HTTP: "what?", weir.SSH: " ", weir.Postgres: "", "redis": "GET x"} {
		if _, err := s.readCommand(t.Context(), &Resource{Resource: weir.Resource{Protocol: protocol}}, text); err == nil {
			t.Errorf("%s: %q is read", protocol, text)
		}
	}
}
