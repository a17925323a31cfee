package mask_test

import (
	"bytes"
	"strings"
	"testing"

	"weir"
	"weir/mask"
)

func markup(t testing.TB, m *mask.Masker, format weir.Format, in string, step int) string {
	t.Helper()
	var out bytes.Buffer
	var tally weir.Tally
	w, err := m.Stream(&out, weir.Shape{Format: format}, &tally)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(in); i += step {
		if _, err := w.Write([]byte(in[i:min(i+step, len(in))])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestMarkup pairs documents with how often CANARY stands in what is left; SAFE must stay.
func TestMarkup(t *testing.T) {
	e, err := mask.New(mask.Config{Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	m := e.Masker()
	for name, in := range map[string]string{
		"element":              `<config><password>CANARY-one</password><name>SAFE</name></config>`,
		"element with space":   "<a><db-password>\n  CANARY two words\n</db-password>SAFE</a>",
		"namespace":            `<x:config xmlns:x="u"><x:apiKey>CANARYabc123</x:apiKey></x:config>SAFE`,
		"cdata":                `<password><![CDATA[CANARY<&>]]></password>SAFE`,
		"attribute":            `<datasource url="SAFE" password="CANARY1"/>`,
		"attribute single":     `<ds Password='CANARY1 x' user=SAFE>`,
		"bare attribute":       `<ds password=CANARY1 user=SAFE>`,
		"name and value":       `<property name="db.password" value="CANARY1"/><property name="port" value="SAFE"/>`,
		"value and name":       `<add value="CANARY1" key="ApiKey"/>SAFE`,
		"name, text":           `<property name="hibernate.connection.password">CANARY1</property><property name="x">SAFE</property>`,
		"hadoop":               `<property><name>fs.s3a.secret.key</name><value>CANARY1</value></property><property><name>a</name><value>SAFE</value></property>`,
		"plist":                `<dict><key>Password</key><string>CANARY1</string><key>Host</key><string>SAFE</string></dict>`,
		"table row":            `<table><tr><td class="e">DB_PASSWORD</td><td class="v">CANARY1</td></tr><tr><td>USER</td><td>SAFE</td></tr></table>`,
		"phpinfo":              `<tr><td class="e">api_key</td><td class="v">CANARY1</td><td class="v">CANARY2</td></tr><tr><td>x</td><td>SAFE</td></tr>`,
		"open table row":       "<table><tr><td>DB_PASSWORD<td>CANARY1<tr><td>USER<td>SAFE</table>",
		"row head":             `<tr><th>secret_key</th><td>CANARY1</td></tr><tr><th>name</th><td>SAFE</td></tr>`,
		"django":               `<tr><td>SECRET_KEY</td><td class="code"><pre>&#x27;CANARY1&#x27;</pre></td></tr>SAFE`,
		"column":               `<table><tr><th>user</th><th>password</th></tr><tr><td>SAFE</td><td>CANARY1</td></tr><tr><td>bob</td><td>CANARY 2</td></tr></table>`,
		"definition list":      `<dl><dt>Password</dt><dd>CANARY1</dd><dt>Host</dt><dd>SAFE</dd></dl>`,
		"spans":                `<div><span>password</span><span>CANARY1</span></div><div><span>SAFE</span></div>`,
		"input":                `<input type="text" name="api_key" value="CANARY1"><p>SAFE</p>`,
		"upper case":           `<TR><TD>PASSWORD</TD><TD>CANARY1</TD></TR>SAFE`,
		"text inside":          `<pre>password=CANARYxyz1 SAFE</pre>`,
		"script":               `<script>var password = "CANARYxyz1"; if (a<b) {} </script>SAFE`,
		"comment":              `<!-- password: CANARYxyz1 --><p>SAFE</p>`,
		"quotes in attributes": `<a title="x > y" data-password="CANARY1">SAFE</a>`,
	} {
		for _, step := range []int{1, 7, 1 << 20} {
			out := markup(t, m, weir.FormatHTML, in, step)
			if strings.Contains(out, "CANARY") || !strings.Contains(out, "SAFE") || !strings.Contains(out, "[masked:") {
				t.Errorf("%s, %d bytes at a time: %s", name, step, out)
			}
			if again := markup(t, m, weir.FormatXML, out, 1<<20); again != out {
				t.Errorf("%s: not idempotent: %s", name, again)
			}
		}
	}
}

// TestMarkupLeavesAlone holds what must come out byte for byte.
func TestMarkupLeavesAlone(t *testing.T) {
	e, _ := mask.New(mask.Config{Key: make([]byte, 32)})
	m := e.Masker()
	for _, in := range []string{
		`<!doctype html><html lang=en><head><title>Sign in</title><meta name=viewport content="width=device-width"></head>`,
		`<label for="password">Password</label><p>Choose at least twelve characters.</p><input id="password" name="password" type="password">`,
		`<h2>Tokens</h2><p>You have none.</p><a href="/tokens/new">New token</a>`,
		`<input type="hidden" name="csrf_token" value="d41d8cd98f00b204e9800998ecf8427e"><meta name="csrf-token" content="abcdef0123456789">`,
		`<table><tr><th>user</th><th>role</th></tr><tr><td>bob</td><td>admin</td></tr></table>`,
		"a < b and c > d, if (x<y) && z>3; 1<2 <3 < 4",
		`<unclosed attr="x`, `<`, `<!`, `<!-`, `<![CDATA[`, `<![CDATA[x]]`, `</`, `<a`, `<!--x--`, `<script>a</scr`, "<>", "</>", `<a/>`, `<a / b>`, `<a =x>`, `<a b=">`,
		`<password></password><password> </password>`,
	} {
		for _, step := range []int{1, 3, 1 << 20} {
			if out := markup(t, m, weir.FormatHTML, in, step); out != in {
				t.Errorf("%q\nbecame %q", in, out)
			}
		}
	}
}

func TestMarkupIsBounded(t *testing.T) {
	e, _ := mask.New(mask.Config{Key: make([]byte, 32)})
	m := e.Masker()
	for _, unit := range []string{"<a>", "<", "<a b=\"", "<!--", "<password>x", "<td>password", "</a>"} {
		in := strings.Repeat(unit, (1<<20)/len(unit))
		out := markup(t, m, weir.FormatXML, in, 32<<10)
		if len(out) == 0 {
			t.Error(unit)
		}
	}
	out := markup(t, m, weir.FormatXML, "<password>"+strings.Repeat("CANARY ", 40_000)+"</password>SAFE", 4096)
	if strings.Contains(out, "CANARY") || !strings.Contains(out, "</password>SAFE") {
		t.Errorf("%.200s", out)
	}
}

func FuzzMarkup(f *testing.F) {
	e, _ := mask.New(mask.Config{Key: make([]byte, 32)})
	m := e.Masker()
	f.Add(`<a name="b" v='c'>d<!-- e --><![CDATA[f]]></a><td>g<td>h`, 3)
	f.Add(`<password>`, 1)
	f.Fuzz(func(t *testing.T, in string, step int) {
		step = max(1, step&1023)
		// Any split gives the same, and what is closed in an element of such a name is gone.
		whole := markup(t, m, weir.FormatHTML, in, 1<<20)
		if got := markup(t, m, weir.FormatHTML, in, step); got != whole {
			t.Fatalf("%d bytes at a time:\n%q\nat once:\n%q", step, got, whole)
		}
		if strings.ContainsAny(in, "<>-[]\"'=") {
			return
		}
		if out := markup(t, m, weir.FormatHTML, in+`<password>CANARYcanary9</password>`, step); strings.Contains(out, "CANARY") {
			t.Fatalf("%q", out)
		}
	})
}

func BenchmarkMarkup(b *testing.B) {
	e, _ := mask.New(mask.Config{Key: make([]byte, 32)})
	m := e.Masker()
	in := strings.Repeat(`<tr class="row"><td class="k">status</td><td class="v">an ordinary cell of an ordinary table</td></tr>`+"\n", 10_000)
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		markup(b, m, weir.FormatHTML, in, 32<<10)
	}
}

// TestProseNamesNothing: in HTML a part of a sentence is no label of the element behind it, and a key on the keyboard is none to hide.
func TestProseNamesNothing(t *testing.T) {
	m := longMasker(t)
	for _, in := range []string{
		`<p>it is safest to pass the <code>ffi_type</code> object</p>`, `<p>should pass <code class="output">BZ_RUN</code></p>`, `<p>Computes the shared secret using <code>otherPublicKey</code></p>`,
		`<a href="#Introduction" accesskey="n" rel="next">Next</a>`, `<td><code>password</code>.</td><td>x</td>`, `<p>that form a valid token.</p><h3>Semicolons</h3>`, `<b>list</b> pass the <b>predicate</b>`,
		`(password, <span class="s">'salt'</span>`, `<h4>Secret key</h4><a class="mark" href="#k">#</a>`,
		`<a id="err_missing_passphrase">#</a>`, `<p>the <code>privateKey</code> string.</p>`, `<li><code>privateKey</code> <a class="type">&#x3C;Object></a></li>`, `<span class="f">computeSecret</span>(bob.<span>x</span>)`,
	} {
		if got := longPass(t, m, weir.FormatHTML, in, func() int { return len(in) }); got != in {
			t.Errorf("%s\nbecame %s", in, got)
		}
	}
	for _, in := range []string{
		`<p>Your API key: <code>CANARY7x9q2</code></p>`, `<span>Password</span> <b>CANARY</b>`, `<li><strong>DB Pass:</strong> <code>CANARYx1</code></li>`, `<p>Your new password: <b>CANARY</b></p>`, `<s3 accesskey="CANARY9"/>`, `<i>Password</i> <tt>CANARY1x</tt>`, `<code>password:</code> <code>CANARY</code>`, `<b>Password</b> <code>CANARY</code>`,
	} {
		if got := longPass(t, m, weir.FormatHTML, in, func() int { return len(in) }); strings.Contains(got, "CANARY") {
			t.Errorf("%s\nbecame %s", in, got)
		}
	}
}
