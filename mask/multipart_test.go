package mask_test

import (
	"bytes"
	"strings"
	"testing"

	"weir"
	"weir/mask"
)

func parts(t testing.TB, m *mask.Masker, in string, step int) (string, error) {
	t.Helper()
	var out bytes.Buffer
	var tally weir.Tally
	shape := weir.Shape{Format: weir.FormatMultipart, Boundary: "XX", Part: func(h map[string][]string) (weir.Shape, error) {
		if len(h["Content-Type"]) > 0 && h["Content-Type"][0] == "application/json" {
			return weir.Shape{Format: weir.FormatJSON}, nil
		}
		return weir.Shape{Format: weir.FormatText}, nil
	}}
	w, err := m.Stream(&out, shape, &tally)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(in); i += step {
		if _, err := w.Write([]byte(in[i:min(i+step, len(in))])); err != nil {
			return out.String(), err
		}
	}
	err = w.Close()
	return out.String(), err
}

func TestMultipart(t *testing.T) {
	e, _ := mask.New(mask.Config{Key: make([]byte, 32)})
	m := e.Masker()
	in := strings.ReplaceAll(`before password=CANARYpre1
--XX
Content-Disposition: form-data; name="user"

SAFE
--XX
Content-Disposition: form-data; name="password"

CANARY any words
--XX
content-type: application/json
X-Api-Key: CANARYhead1

{"p\u0061ssword":"CANARYjson1","ok":"SAFE2"}
--XX
Authorization: Bearer CANARYf0ldx9
 CANARYed

-- XX is no boundary --XX neither
token: CANARYx7Qz93text
--XX--
after api_key=CANARYpost1
`, "\n", "\r\n")
	whole := ""
	for _, step := range []int{1 << 20, 1, 2, 3, 11} {
		got, err := parts(t, m, in, step)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(got, "CANARY") || strings.Count(got, "SAFE") != 2 || strings.Count(got, "\r\n--XX") != 5 || !strings.Contains(got, "-- XX is no boundary --XX neither") {
			t.Errorf("%d bytes at a time: %s", step, got)
		}
		if whole == "" {
			whole = got
		}
		if got != whole {
			t.Errorf("%d bytes at a time differ", step)
		}
	}
}

func TestMultipartBreaksItsFormat(t *testing.T) {
	e, _ := mask.New(mask.Config{Key: make([]byte, 32)})
	m := e.Masker()
	for _, in := range []string{
		"--XXY\r\n\r\nx", "--XX\r\nno header\r\n\r\nx", "--XX\r\nA: " + strings.Repeat("b", 20<<10), "--XX" + strings.Repeat(" ", 2<<10),
	} {
		if out, err := parts(t, m, in, 100); err == nil {
			t.Errorf("%.40q passed as %.80q", in, out)
		}
	}
	for _, in := range []string{"", "no parts at all", "--XX--", "--XX\r\n\r\n--XX--\r\n", "--XX\r\n\r\n\r\n--XX\r\n\r\nx"} {
		if _, err := parts(t, m, in, 1); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func FuzzMultipart(f *testing.F) {
	e, _ := mask.New(mask.Config{Key: make([]byte, 32)})
	m := e.Masker()
	f.Add("--XX\r\nA: b\r\n\r\nx\r\n--XX--", 3)
	f.Fuzz(func(t *testing.T, in string, step int) {
		whole, err := parts(t, m, in, 1<<20)
		got, err2 := parts(t, m, in, max(1, step&1023))
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%v at once, %v in pieces", err, err2)
		}
		if err == nil && got != whole {
			t.Fatalf("at once %q, in pieces %q", whole, got)
		}
	})
}
