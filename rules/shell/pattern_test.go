package shell_test

import (
	"testing"

	"weir/rules/shell"
)

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, command string
		touches, covers  bool
	}{
		{"systemctl restart *", "systemctl restart nginx", true, true},
		{"systemctl restart *", "systemctl restart nginx --now", true, true},
		{"systemctl restart *", "systemctl restart", true, true},
		{"systemctl restart *", "systemctl --now restart nginx", true, false},
		{"systemctl restart *", "systemctl stop nginx", false, false},
		{"systemctl restart *", "/usr/bin/systemctl restart x", true, true},
		{"systemctl restart *", "/tmp/systemctl restart x", true, false},
		{"systemctl restart *", "./systemctl restart x", true, false},
		{"systemctl restart nginx", "systemctl restart nginx", true, true},
		{"systemctl restart nginx", "systemctl restart nginx -f", true, false},
		{"kubectl get secret*", "kubectl -n prod get secrets web -o yaml", true, false},
		{"kubectl get secret*", "kubectl describe secret x", false, false},
		{"cat /var/log/*", "cat /var/log/syslog", true, true},
		{"cat /var/log/*", "cat /var/log/../../etc/shadow", true, false},
		{"cat /var/log/*", "cat /var/log/$x", true, false},
		{"cat /var/log/*", "cat /etc/shadow", false, false},
		{"/opt/x/run *", "/opt/x/run a", true, true},
		{"/opt/x/run *", "run a", false, false},
		{"env", "env", true, true},
		{"env", "env -i ls", true, false},
		{"mk*", "mkfs /dev/sda", true, false},
	} {
		p, err := shell.CompilePattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		u := shell.Parse(c.command)
		if got := p.Touches(&u.Commands[0]); got != c.touches {
			t.Errorf("%s touches %s: %v", c.pattern, c.command, got)
		}
		if got := p.Covers(&u.Commands[0]); got != c.covers {
			t.Errorf("%s covers %s: %v", c.pattern, c.command, got)
		}
	}
	if _, err := shell.CompilePattern(" "); err == nil {
		t.Error("an empty pattern compiles")
	}
}

func TestMayName(t *testing.T) {
	for _, c := range []struct {
		pattern, word string
		want          bool
	}{
		{"/etc/shadow", "/etc/sh?dow", true},
		{"/etc/shadow", "/etc/{passwd,shadow}*w", false},
		{"/etc/shadow", "/etc/sha{x,dow}", true},
		{"/etc/shadow", "/e*/shadow", true},
		{"/etc/shadow", "/etc/*", false},
		{"/etc/shadow", "/var/sha*", false},
		{"**/.env", ".en*", true},
		{"**/.env", "$APP/.env", true},
		{"**/.aws/credentials", "~/.aw[s]/cred*", true},
		{"**/.aws/credentials", "~/.ssh/cred*", false},
		{"**/*.pem", "*.pem", true},
		{"/var/lib/kubelet/**", "agent=$SOCKET", false},
		{"/var/lib/kubelet/**", "/srv/x$Y/z", false},
		{"/var/lib/kubelet/**", "/var/lib/kube*/pods/x", true},
		{"/var/lib/kubelet/**", "/var/lib/kube*", false},
		{"**/.kube/**", "~/.kub?/cache/x", true},
		{"/etc/shadow", "/etc/shadow", false},
	} {
		if got := shell.MayName(c.pattern, c.word); got != c.want {
			t.Errorf("%s may name %s: %v", c.word, c.pattern, got)
		}
	}
}
