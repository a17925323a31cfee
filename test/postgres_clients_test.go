package test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/service"
)

// pgClientLines are what each client prints, as far as it can do that.
var pgClientLines = []string{
	"simple an ordinary note 7", "prepared an ordinary note 7", "prepared an ordinary note 8", "masked true user 1", "copied out 1000", "copied in 500", "notified hello", "cancelled 57014", "failed 22012",
	"after 1", "refused 42501", "after 1", "cursor 1000",
}

// TestPostgresClients runs programs of other languages' drivers: simple and prepared statements, COPY, LISTEN and NOTIFY, cancellation, a
// transaction with an error, a refusal and a masked value.
func TestPostgresClients(t *testing.T) {
	g, _ := pgGateway(t, "")
	orders := g.access(t, "orders", "alice")
	clients, err := filepath.Abs("clients")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("psycopg2", func(t *testing.T) {
		python := pgPython(t, "psycopg2", true)
		g.pgClient(t, &orders, pgClientLines, nil, python, filepath.Join(clients, "psycopg2_client.py"))
	})
	t.Run("psycopg 3", func(t *testing.T) {
		python := pgPython(t, "psycopg", false)
		g.pgClient(t, &orders, pgClientLines, nil, python, filepath.Join(clients, "psycopg_client.py"))
	})
	t.Run("asyncpg", func(t *testing.T) {
		python := pgPython(t, "asyncpg", true)
		g.pgClient(t, &orders, pgClientLines, nil, python, filepath.Join(clients, "asyncpg_client.py"))
	})
	t.Run("SQLAlchemy", func(t *testing.T) {
		python := pgPython(t, "sqlalchemy", true)
		want := []string{"simple id name api_key", "prepared id parent child_parent api_key 1", "copied in 500", "masked true user 1 500", "refused 42501"}
		g.pgClient(t, &orders, want, nil, python, filepath.Join(clients, "sqlalchemy_client.py"))
	})
	t.Run("pgjdbc", func(t *testing.T) {
		const jar = "/usr/share/java/postgresql.jar"
		if _, err := exec.LookPath("java"); err != nil {
			t.Skip("java is missing")
		}
		if _, err := os.Stat(jar); err != nil {
			if _, apt := exec.LookPath("apt-get"); apt == nil && os.Getenv("WEIR_REQUIRE_SERVERS") != "" {
				t.Fatal("the JDBC driver is missing; make test installs it")
			}
			t.Skip("the JDBC driver is missing: apt-get install libpostgresql-jdbc-java")
		}
		for name, more := range map[string]string{"as it comes": "", "prepared at once": "&prepareThreshold=1&binaryTransfer=true", "without prepared statements": "&preferQueryMode=simple"} {
			t.Run(name, func(t *testing.T) {
				url := fmt.Sprintf("JDBC_URL=jdbc:postgresql://localhost:%d/%s?sslmode=verify-full&sslrootcert=%s%s", orders.Port, orders.Database, filepath.Join(g.data, "ca.pem"), more)
				g.pgClient(t, &orders, pgClientLines, []string{url}, "java", "-cp", jar, filepath.Join(clients, "Client.java"))
			})
		}
	})
	t.Run("lib/pq", func(t *testing.T) {
		program := filepath.Join(g.dir, "pq")
		build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
		build.Dir = filepath.Join(clients, "pq")
		if out, err := build.CombinedOutput(); err != nil {
			if os.Getenv("WEIR_REQUIRE_SERVERS") != "" {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Skipf("lib/pq cannot be built: %v\n%s", err, out)
		}
		g.pgClient(t, &orders, without(pgClientLines, "copied out 1000", "cursor 1000"), nil, program)
	})
	t.Run("node-postgres", func(t *testing.T) {
		modules := os.Getenv("WEIR_NODE_MODULES")
		if modules == "" {
			t.Skip("WEIR_NODE_MODULES names no directory with the module pg")
		}
		needs(t, "node")
		g.pgClient(t, &orders, without(pgClientLines, "copied out 1000", "copied in 500", "cursor 1000"), []string{"NODE_PATH=" + modules}, "node", filepath.Join(clients, "node_client.js"))
	})
	g.pgSweep(t)
}

func without(lines []string, some ...string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return slices.Contains(some, l) })
}

// pgPython is an interpreter that has the module. Where it is required, make test installs it.
func pgPython(t *testing.T, module string, required bool) string {
	t.Helper()
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.CommandContext(t.Context(), python, "-c", "import "+module).Run() == nil {
			return python
		}
	}
	if _, err := exec.LookPath("apt-get"); err == nil && required && os.Getenv("WEIR_REQUIRE_SERVERS") != "" {
		t.Fatalf("the Python module %s is missing; make test installs it", module)
	}
	t.Skipf("the Python module %s is missing", module)
	return ""
}

// pgClient runs a client and compares what it prints.
func (g *gateway) pgClient(t *testing.T, a *service.Access, want, env []string, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(append(os.Environ(), g.pgEnv(a)...), env...)
	out, err := cmd.CombinedOutput()
	g.keep(out)
	var got []string
	for l := range strings.Lines(string(out)) {
		l = strings.TrimSpace(strings.Replace(l, "True", "true", 1))
		if slices.ContainsFunc(pgClientLines, func(w string) bool { return strings.HasPrefix(l, w[:strings.IndexByte(w, ' ')]+" ") }) {
			got = append(got, l)
		}
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v: %q, want %q\n%.3000s", err, got, want, out)
	}
}
