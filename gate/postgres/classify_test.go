package postgres

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSearchPath(t *testing.T) {
	for setting, want := range map[string][]string{
		"": nil, "public": {"public"}, ` "$user", Public `: {"app", "public"}, `"a,b", "C""d" ,e`: {"a,b", `C"d`, "e"}, anyPath: {"$user"}, `"a" b`: {"$user"}, `"", public`: {"public"}, "$user": {"app"},
	} {
		if d := cmp.Diff(want, searchPath(setting, "app")); d != "" {
			t.Errorf("%s: %s", setting, d)
		}
	}
	if d := cmp.Diff([]string{"$user"}, searchPath(`"$user", public`, "")); d != "" {
		t.Error(d)
	}
}
