package reading_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"weir/rules/reading"
)

func TestReadings(t *testing.T) {
	for _, spelling := range []string{
		"/actuator/env", "/actuator/%65nv", "/actuator//env", "//actuator/env", "/x/../actuator/env", "/x/..;/actuator/env",
		"/actuator;v=1/env", "/actuator/./env", `/actuator\env`, "/actuator%2fenv", "/actuator%252fenv", "/%61ctuator/%2565nv",
		"/actuator/env%3fx=1", "/actuator/env;jsessionid=1", "/x/%2e%2e/actuator/env", "/x/..%2factuator/env", "/actuator%5cenv", "/actuator/env%23",
	} {
		got, why := reading.Of(spelling)
		if why != "" || !slices.Contains(got, "/actuator/env") {
			t.Errorf("%s reads %q, %s", spelling, got, why)
		}
		if got[0] != spelling {
			t.Errorf("%s: the literal reading is not the first", spelling)
		}
	}
}

func TestPlainPathsHaveOneReading(t *testing.T) {
	for _, p := range []string{"/", "/a", "/a/b.c/d-e_f", "/orders/17/lines/"} {
		if got, why := reading.Of(p); len(got) != 1 || why != "" {
			t.Errorf("%s: %q %s", p, got, why)
		}
	}
}

func TestAmbiguous(t *testing.T) {
	for name, p := range map[string]string{
		"nul": "/a%00b", "line feed": "/a%0ab", "bad escape": "/a%zz", "cut escape": "/a%4", "overlong": "/%c0%af",
		"long": "/" + strings.Repeat("a", 20<<10), "nul twice": "/a%2500", "deep": "/%2525252525252f",
	} {
		if _, why := reading.Of(p); why == "" {
			t.Errorf("%s: %.40q is taken for unambiguous", name, p)
		}
	}
}

func FuzzOf(f *testing.F) {
	f.Add("/x/..;/a%2f..%5c//b?c")
	f.Fuzz(func(t *testing.T, p string) {
		got, why := reading.Of(p)
		if len(got) == 0 || got[0] != p || len(got) > 200 {
			t.Fatalf("%d readings", len(got))
		}
		// What the standard library makes of the path must be among the readings.
		if u, err := url.PathUnescape(p); err == nil && why == "" && !slices.Contains(got, u) {
			t.Errorf("%q: %q is missing", p, u)
		}
	})
}
