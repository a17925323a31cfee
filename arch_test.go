package weir_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "weir"

// mayImport is the whole architecture: what each package may import of ours. "." is the root package, "x/*" is
// x and all below it. A package that is not listed may not exist: add a line, and an ADR if the line is new in kind.
var mayImport = map[string]string{
	".":                "",
	"vault/secret":     "",
	"vault/password":   ". vault/secret",
	"vault/source":     ". vault/secret mask/known",
	"gate/wire":        "",
	"gate/session":     ". vault/secret gate/wire",
	"gate/gatetest":    ". vault/secret gate/session",
	"gate/httpgate":    ". vault/secret gate/wire gate/session",
	"gate/postgres":    ". vault/secret gate/wire gate/session rules/sql",
	"gate/sshgate":     ". vault/secret gate/wire gate/session rules/shell rules/glob gate/sshgate/*",
	"gate/sshgate/*":   ". gate/wire",
	"rules/glob":       "",
	"rules/reading":    "",
	"rules/catalog":    ". rules/glob rules/reading rules/shell",
	"rules/sql":        ".",
	"rules/shell":      ". rules/glob",
	"rules/policy":     ". rules/glob rules/reading rules/catalog rules/shell",
	"mask/field":       "",
	"mask/detect":      "mask/field",
	"mask/known":       "",
	"mask/personal":    "",
	"mask/reference":   "",
	"mask":             ". mask/*",
	"evidence/journal": ".",
	"evidence/screen":  "",
	"evidence/record":  ". evidence/journal evidence/screen",
	"evidence/audit":   ". evidence/journal",
	"evidence/verify":  ". evidence/journal",
	"access/identity":  ". vault/secret vault/password gate/session rules/glob",
	"access/approval":  ". gate/session",
	"state":            ". vault/secret access/*",
	"vault/ca":         ".",
	"config":           ". vault/secret vault/source rules/glob rules/policy mask/personal",
	"service":          ". vault/* access/* evidence/* rules/* gate/session mask/*",
	"front/api":        ". service vault/secret access/* evidence/*",
	"front/cli":        ". service access/* evidence/* config",
	"server":           "*",
	"server/leaky":     "",
	"cmd/weir":         ". server front/cli config service",
	"test":             "*",

	// What file transfers over SSH share is below the packages of their protocols.
	"gate/sshgate/transfer": ".",
	"gate/sshgate/sftp":     ". gate/sshgate/transfer",
	"gate/sshgate/scp":      ". gate/sshgate/transfer",
}

// bannedStd is what a package may not import of the standard library, and why.
var bannedStd = []struct {
	prefix, imports, why string
}{
	{"rules/", "net net/http os database/sql", "rules are pure: time and requests come as values"},
	{"mask", "net net/http os time database/sql log/slog", "masking is a pure function of bytes"},
	{"gate/httpgate", "net os crypto/tls database/sql", "an engine is handed its exits and opens none"},
	{"gate/postgres", "net os crypto/tls database/sql", "an engine is handed its exits and opens none"},
	{"gate/sshgate", "net os crypto/tls database/sql", "an engine is handed its exits and opens none"},
	{"gate/session", "net os crypto/tls database/sql log log/slog", "the choke point moves bytes and never logs them"},
	{"front/api", "database/sql", "the API asks the service, not the store"},
	{".", "net net/http os database/sql log/slog", "the nouns do nothing"},
}

type pkg struct {
	ImportPath, Doc string
	Imports         []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Doc", module+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func place(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range packages(t) {
		rel, _ := place(p.ImportPath)
		if p.Doc == "" {
			t.Errorf("%s: no package comment", rel)
		}
		allowed, listed := mayImport[rel]
		if !listed {
			t.Errorf("%s: not in the architecture table", rel)
			continue
		}
		for _, imp := range p.Imports {
			if to, ours := place(imp); ours {
				if !covers(allowed, to) {
					t.Errorf("%s imports %s: it may import [%s]", rel, to, allowed)
				}
				continue
			}
			for _, ban := range bannedStd {
				if (rel == ban.prefix || ban.prefix != "." && strings.HasPrefix(rel, ban.prefix)) && contains(ban.imports, imp) {
					t.Errorf("%s imports %s: %s", rel, imp, ban.why)
				}
			}
		}
	}
}

func covers(allowed, to string) bool {
	if allowed == "*" {
		return true
	}
	for w := range strings.FieldsSeq(allowed) {
		if dir, all := strings.CutSuffix(w, "/*"); w == to || all && (to == dir || strings.HasPrefix(to, dir+"/")) {
			return true
		}
	}
	return false
}

func contains(list, w string) bool {
	for f := range strings.FieldsSeq(list) {
		if f == w {
			return true
		}
	}
	return false
}
