package reference

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"strings"
	"testing"
)

// writing puts a secret into a text. plain texts hold it byte for byte.
type writing struct {
	name string
	text func(secret string) string
}

func around(before, after string) func(string) string {
	return func(secret string) string { return before + secret + after }
}

// tokenWritings is where tokens stand, without a name that would give them away.
var tokenWritings = []writing{
	{"alone", around("", "")},
	{"line", around("first line\n", "\nlast line\n")},
	{"log", around("2026-05-01T10:00:00Z INFO handler.go:31 request value=", " took 13ms\n")},
	{"prose", around("the one we got is ", ", please rotate it\n")},
	{"sentence end", around("We now use ", ". It is new.\n")},
	{"brackets", around("call(", ")\n")},
	{"square", around("[", "]\n")},
	{"quoted", around(`client = Client("`, "\", timeout=5)\n")},
	{"single quoted", around("client = Client('", "')\n")},
	{"backquoted", around("use `", "` here\n")},
	{"json", around(`{"id":14,"value":"`, "\",\"n\":1}\n")},
	{"json array", around(`["a","`, `","b"]`)},
	{"json in a string", around(`{"msg":"got {\"value\":\"`, `\"} from it"}`)},
	{"yaml", around("thing:\n  value: ", "\n  other: 1\n")},
	{"yaml list", around("things:\n  - ", "\n  - other\n")},
	{"env", around("VALUE=", "\nPATH=/bin\n")},
	{"xml", around("<value>", "</value>\n")},
	{"xml attribute", around(`<add n="1" value="`, "\"/>\n")},
	{"insert", around("INSERT INTO t VALUES (1, 'x', '", "', NULL);\n")},
	{"copy", around("1\tname\t", "\t2026-02-03 10:00:00\n")},
	{"csv", around("1,name,", ",2026-02-03\n")},
	{"table", around("|  1 | name | ", " | 2026-02-03 |\n")},
	{"query", around("GET /v1?value=", "&limit=10 HTTP/1.1\n")},
	{"colon", around("svc:", ":19800\n")},
	{"escaped newline", around(`"text":"first\n`, `\nlast"`)},
	{"escaped tab", around(`first\t`, `\tlast`)},
	{"unicode escape", around(`"cmd":"run \u0026 x\u003d`, `\u0026"`)},
	{"percent", around("q=a%3D", "%26b")},
	{"html", around("value=&quot;", "&quot; n=1\n")},
	{"colour", around("\x1b[32m", "\x1b[0m\n")},
	{"colour written out", around(`\u001b[1;31m`, `\u001b[0m`)},
	{"CRLF", around("a\r\n", "\r\nb\r\n")},
	{"path", around("/etc/things/", "/x\n")},
	{"flag", around("run --value ", " -v\n")},
	{"assigned flag", around("run --value=", " -v\n")},
	{"go map", around("map[a:1 value:", " z:2]\n")},
	{"utf-8", around("Größe „", "“ – fertig\n")},
	{"nul", around("a\x00", "\x00b")},
}

// encodedTokenWritings hold it in another spelling.
var encodedTokenWritings = []writing{
	{"base64", func(s string) string {
		return "data: " + base64.StdEncoding.EncodeToString([]byte("value is "+s+" and more of it")) + "\n"
	}},
	{"base64 json", func(s string) string {
		return `{"data":"` + base64.StdEncoding.EncodeToString([]byte(`{"value":"`+s+`","n":12345}`)) + `"}`
	}},
}

// nameWriting puts a name and a value into a text.
type nameWriting struct {
	name string
	text func(name, value string) string
	// fits limits the values that may be written so.
	fits func(value string) bool
}

func format(f string) func(name, value string) string {
	return func(name, value string) string { return strings.NewReplacer("NAME", name, "VALUE", value).Replace(f) }
}

func bare(v string) bool { return !strings.ContainsAny(v, "=+!~^#?*/") }

var passwordWritings = []nameWriting{
	{"json", format(`{"user":"svc","NAME":"VALUE","n":1}`), nil},
	{"json spaced", format("{\n  \"NAME\" : \"VALUE\",\n  \"n\": 1\n}\n"), nil},
	{"json in a string", func(n, v string) string {
		in, _ := json.Marshal(map[string]string{n: v, "z": "1"})
		out, _ := json.Marshal(map[string]string{"body": string(in)})
		return string(out)
	}, func(v string) bool { return !strings.ContainsAny(v, "&<>") }},
	{"json in a string twice", func(n, v string) string {
		in, _ := json.Marshal(map[string]string{n: v, "z": "1"})
		in, _ = json.Marshal(map[string]string{"body": string(in)})
		out, _ := json.Marshal(map[string]string{"log": string(in)})
		return string(out)
	}, func(v string) bool { return !strings.ContainsAny(v, "&<>") }},
	{"python", format("{'user': 'svc', 'NAME': 'VALUE', 'n': 1}\n"), nil},
	{"php array", format("  'NAME' => 'VALUE',\n"), nil},
	{"ruby", format("config[:NAME] = \"VALUE\"\n"), nil},
	{"define", format("define('NAME', 'VALUE');\n"), nil},
	{"setProperty", format("p.setProperty(\"NAME\", \"VALUE\");\n"), nil},
	{"go", format("\tNAME := \"VALUE\"\n"), nil},
	{"go struct", format("{User:svc NAME:VALUE N:1}\n"), bare},
	{"go map", format("map[user:svc NAME:VALUE z:1]\n"), bare},
	{"toml", format("NAME = \"VALUE\"\n"), nil},
	{"yaml", format("db:\n  user: svc\n  NAME: VALUE\n  n: 1\n"), bare},
	{"yaml quoted", format("db:\n  NAME: 'VALUE'\n"), nil},
	{"ini", format("[db]\nuser = svc\nNAME = VALUE\nn = 1\n"), bare},
	{"properties", format("a.b=1\nNAME=VALUE\nc=2\n"), bare},
	{"env", format("PATH=/bin\nNAME=VALUE\nHOME=/root\n"), bare},
	{"export", format("export NAME=VALUE\n"), bare},
	{"export quoted", format("export NAME='VALUE'\n"), nil},
	{"docker", format("ENV NAME=VALUE\n"), bare},
	{"docker run", format("docker run -e NAME=VALUE -e A=1 img\n"), bare},
	{"logfmt", format("level=info user=svc NAME=VALUE took=1ms\n"), bare},
	{"log quoted", format("level=info NAME=\"VALUE\" took=1ms\n"), nil},
	{"xml", format("<db><NAME>VALUE</NAME></db>\n"), nil},
	{"xml lines", format("<NAME>\n  VALUE\n</NAME>\n"), nil},
	{"xml attribute", format("<db user=\"svc\" NAME=\"VALUE\" n=\"1\"/>\n"), nil},
	{"xml pair", format("<add key=\"NAME\" value=\"VALUE\"/>\n"), nil},
	{"html", func(n, v string) string {
		return "<pre>" + html.EscapeString(`{"`+n+`": "`+v+`"}`) + "</pre>"
	}, func(v string) bool { return !strings.ContainsAny(v, "&<>'\"+") }},
	{"query", func(n, v string) string {
		return "GET /x?a=1&" + n + "=" + url.QueryEscape(v) + "&b=2 HTTP/1.1\n"
	}, bare},
	{"query in a query", func(n, v string) string {
		return "GET /x?next=%2Fcb%3Fa%3D1%26" + n + "%3D" + v + "%26b%3D2 HTTP/1.1\n"
	}, bare},
	{"kubernetes", format("env:\n- name: NAME\n  value: VALUE\n- name: A\n  value: b\n"), bare},
	{"kubernetes quoted", format("env:\n  - name: \"NAME\"\n    value: \"VALUE\"\n"), nil},
	{"pair", format(`[{"name":"NAME","value":"VALUE"},{"name":"A","value":"b"}]`), nil},
	{"pair in capitals", func(n, v string) string {
		return `[{"NAME":"` + n + `","VALUE":"` + v + `"},{"NAME":"A","VALUE":"b"}]`
	}, nil},
	{"pair of .NET", func(n, v string) string {
		return `[{"Name":"` + n + `","Value":"` + v + `"},{"Name":"A","Value":"b"}]`
	}, nil},
	{"chain", format("self.NAME = other.NAME = \"VALUE\"\n"), nil},
	{"CRLF", format("a=1\r\nNAME=VALUE\r\nb=2\r\n"), bare},
	{"comparison", format("if NAME == 'x' or NAME = 'VALUE' then\n"), nil},
	{"call", format("connect(host='db', NAME='VALUE', port=1)\n"), nil},
	{"javascript", format("const cfg = { NAME: 'VALUE', n: 1 };\n"), nil},
	{"template", format("const cfg = { NAME: `VALUE`, n: 1 };\n"), nil},
	{"hcl", format("resource \"x\" \"y\" {\n  NAME = \"VALUE\"\n}\n"), nil},
	{"powershell", format("$NAME = \"VALUE\"\n"), nil},
	{"make", format("NAME ?= VALUE\nA := 1\n"), func(string) bool { return false }},
	{"colon prose", format("NAME: VALUE\n"), bare},
}

// fixedWritings need no name of choice.
var fixedWritings = []nameWriting{
	{"sql create", format("CREATE USER app WITH PASSWORD 'VALUE';\n"), nil},
	{"sql alter", format("ALTER ROLE app LOGIN PASSWORD 'VALUE' VALID UNTIL 'infinity';\n"), nil},
	{"sql identified", format("CREATE USER 'a'@'%' IDENTIFIED BY 'VALUE';\n"), nil},
	{"sql identified with", format("ALTER USER 'a'@'%' IDENTIFIED WITH caching_sha2_password BY 'VALUE';\n"), nil},
	{"sql lower case", format("create user app identified by 'VALUE';\n"), nil},
	{"sql identified bare", format("CREATE USER app IDENTIFIED BY VALUE;\n"), bare},
	{"sql server", format("CREATE LOGIN app WITH PASSWORD = 'VALUE';\n"), nil},
	{"sql in json", format(`{"query":"CREATE USER app WITH PASSWORD 'VALUE'"}`), nil},
	{"ado", format("Server=tcp:db,1433;Database=x;User ID=sa;Password=VALUE;Encrypt=True\n"), bare},
	{"ado pwd", format("Driver={x};Server=db;Uid=sa;Pwd=VALUE;\n"), bare},
	{"ado in json", format(`{"db":"Server=db;User Id=sa;Password=VALUE;Encrypt=True"}`), bare},
	{"ado in xml", format("<add name=\"db\" connectionString=\"Server=db;User Id=sa;Password=VALUE;Encrypt=True\"/>"), bare},
	{"url", format("postgres://app:VALUE@db.internal:5432/prod?sslmode=require\n"), bare},
	{"url in json", format(`{"dsn":"amqp://app:VALUE@mq:5672/"}`), bare},
	{"url in prose", format("see (https://app:VALUE@host.example/x), it works\n"), bare},
	{"url without user", format("redis://:VALUE@cache:6379/0\n"), bare},
	{"jdbc", format("jdbc:postgresql://db:5432/x?user=app&password=VALUE&ssl=true\n"), bare},
	{"flag", format("tool --db-password VALUE --host x\n"), bare},
	{"flag assigned", format("tool --password=VALUE --host x\n"), bare},
	{"flag quoted", format("tool --password 'VALUE' --host x\n"), nil},
	{"flag assigned and quoted", format("tool --password=\"VALUE\" --host x\n"), nil},
	{"flag of one dash", format("tool -password VALUE\n"), bare},
	{"flags in json", format(`{"args":["--password=VALUE","-v"]}`), bare},
	{"command in json", format(`{"cmd":"tool --password VALUE -v"}`), bare},
	{"mysql", format("mysql -h db -u root -pVALUE prod\n"), bare},
	{"mysqldump in cron", format("0 3 * * * root mysqldump -uroot -pVALUE prod > x\n"), bare},
	{"redis", format("redis-cli -h c -a VALUE ping\n"), bare},
	{"sshpass", format("sshpass -p VALUE ssh root@h\n"), bare},
	{"sshpass quoted", format("sshpass -p 'VALUE' ssh root@h\n"), bare},
	{"curl", format("curl -s -u app:VALUE https://x.example/\n"), bare},
	{"curl quoted", format("curl -s -u 'app:VALUE' https://x.example/\n"), bare},
	{"curl user", format("curl --user app:VALUE https://x.example/\n"), bare},
	{"netrc", format("machine api.example.com login bot password VALUE\n"), nil},
	{"pgpass", format("db.internal:5432:prod:app:VALUE\n"), bare},
	{"requirepass", format("port 6379\nrequirepass VALUE\n"), bare},
	{"masterauth", format("masterauth \"VALUE\"\n"), bare},
	{"basic", func(_, v string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("app:"+v)) + "\r\nAccept: x\r\n"
	}, nil},
	{"basic in json", func(_, v string) string {
		return `{"headers":{"Authorization":"Basic ` + base64.StdEncoding.EncodeToString([]byte("app:"+v)) + `"}}`
	}, nil},
	{"basic in curl", func(_, v string) string {
		return "curl -H 'Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("app:"+v)) + "' https://x.example/\n"
	}, nil},
}

var passwordNames = []string{
	"password", "PASSWORD", "Password", "passwd", "pwd", "db_password", "DB_PASSWORD", "dbPassword", "spring.datasource.password", "user-password",
	"MYSQL_ROOT_PASSWORD", "PGPASSWORD", "adminPassword", "smtp_passwd", "sslkey_passphrase", "keystorePassword", "password_prod2_password", "DATABASE_PWD", "ldapPwd",
}

var keyNames = []string{
	"secret", "token", "api_key", "apiKey", "API_KEY", "api-key", "apikey", "X-Api-Token", "access_token", "accessToken", "ACCESS_KEY", "aws_secret_access_key",
	"AWS_SECRET_ACCESS_KEY", "secretAccessKey", "client_secret", "clientSecret", "CLIENT_SECRET", "secret_key", "SECRET_KEY", "django.secret_key", "stripeSecretKey",
	"private_key", "signing_key", "encryption_key", "ENCRYPTION_KEY", "github_token", "GITHUB_TOKEN", "refresh_token", "bot-token", "jwt_secret", "webhookSecret",
}

// gluedNames are words that nothing tells apart.
var gluedNames = []string{"clientsecret", "webhooksecret", "accesstoken", "ACCESSTOKEN", "authtoken", "bottoken", "ldappwd", "DBPWD", "mypassword", "DBPASSWORD", "smtppassword", "signingkey", "privatekey"}

// keyWritings is where keys and tokens stand beside their names.
var keyWritings = []string{
	"json", "json spaced", "json in a string", "python", "php array", "go", "toml", "yaml", "yaml quoted", "ini", "properties", "env", "export", "export quoted", "docker", "docker run",
	"logfmt", "log quoted", "xml", "xml attribute", "html", "query", "query in a query", "CRLF", "call", "javascript", "template", "hcl", "powershell", "colon prose",
}

func writingNamed(t testing.TB, name string) nameWriting {
	t.Helper()
	for _, w := range passwordWritings {
		if w.name == name {
			return w
		}
	}
	t.Fatalf("there is no writing %s", name)
	return nameWriting{}
}
