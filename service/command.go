package service

import (
	"context"
	"net/url"
	"path"
	"strings"

	"weir"
	"weir/rules/shell"
)

// Commander makes a command of the text that somebody wants to have explained, as the resource's engine would make it of a client's
// request. Its errors are shown.
type Commander func(ctx context.Context, res *Resource, text string) (*weir.Command, error)

// readCommand reads a text as the protocol of the resource has it.
func (s *Service) readCommand(ctx context.Context, res *Resource, text string) (*weir.Command, error) {
	read := s.p.Commanders[res.Protocol]
	if read == nil {
		switch res.Protocol {
		case weir.HTTP:
			read = httpCommand
		case weir.SSH:
			read = sshCommand
		default:
			return nil, weir.NewError(weir.Invalid, "commands of the protocol "+string(res.Protocol)+" cannot be explained here", nil)
		}
	}
	return read(ctx, res, text)
}

// httpCommand reads "GET /path?query".
func httpCommand(_ context.Context, res *Resource, text string) (*weir.Command, error) {
	method, target, _ := strings.Cut(strings.TrimSpace(text), " ")
	target = strings.TrimSpace(target)
	if target == "" && strings.HasPrefix(method, "/") {
		method, target = "GET", method
	}
	method = strings.ToUpper(method)
	if !strings.HasPrefix(target, "/") || strings.ContainsAny(target, " \r\n") || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
		return nil, weir.NewError(weir.Invalid, "an http command is written like: GET /actuator/env?name=value", nil)
	}
	raw, query, _ := strings.Cut(target, "?")
	values, _ := url.ParseQuery(query) // what does not decode matches no pattern
	return &weir.Command{Operation: method, Text: method + " " + target, HTTP: &weir.HTTPRequest{
		Method: method, Host: res.Target, Path: raw, Query: values, Header: map[string][]string{},
	}}, nil
}

// sshCommand reads a command line, "sftp get PATH", "sftp put PATH", "forward HOST:PORT" or "listen HOST:PORT" (ssh -R). The account is the resource's own, which no
// rule on accounts speaks of here.
func sshCommand(_ context.Context, _ *Resource, text string) (*weir.Command, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, weir.NewError(weir.Invalid, "an ssh command is written like: sudo cat .env, or sftp get /etc/hosts, or forward db:5432", nil)
	}
	kind, rest, _ := strings.Cut(text, " ")
	verb, name, _ := strings.Cut(strings.TrimSpace(rest), " ")
	name = strings.TrimSpace(name)
	switch {
	case kind == "sftp" && (verb == "get" || verb == "put") && name != "":
		return &weir.Command{Operation: strings.ToUpper(verb), Text: text, SSH: &weir.SSHRequest{Channel: "sftp", Paths: []string{path.Clean(name)}, Write: verb == "put"}}, nil
	case kind == "forward" && strings.Contains(verb, ":") && name == "":
		return &weir.Command{Operation: "CONNECT", Text: text, SSH: &weir.SSHRequest{Channel: "direct-tcpip", Address: verb}}, nil
	case kind == "listen" && strings.Contains(verb, ":") && name == "":
		return &weir.Command{Operation: "LISTEN", Text: text, SSH: &weir.SSHRequest{Channel: "forwarded-tcpip", Address: verb}}, nil
	}
	return &weir.Command{Operation: "EXEC", Text: text, SSH: &weir.SSHRequest{Channel: "exec", Shell: shell.Parse(text)}}, nil
}
