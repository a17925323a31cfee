package detect_test

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// tableTexts are texts whose columns, rows or statements say what is secret. What is secret in them begins with S3c; K33p must stay.
var tableTexts = map[string]string{
	"psql": ` id |  email   |   password_hash   | K33p
----+----------+-------------------+------
  1 | K33p@x.y | S3cretaa          | K33p
  2 | K33p     |                   | K33p
  3 |          | S3cre tbb         | K33p
(3 rows)

K33p | K33p | K33p | K33p
`,
	"psql one column behind": "user | api_token \n-----+-----------\nK33p | S3c9x8c7v6b5\n(1 row)\nK33p | K33p99x8y7z6a5\n",
	"mysql":                  "+----+----------+------------+\n| id | K33p     | auth_token |\n+----+----------+------------+\n|  1 | K33p     | S3cab12cd34 |\n| 22 | NULL     | NULL       |\n+----+----------+------------+\n2 rows in set\n",
	"markdown":               "| K33p | Password |\n| --- | --- |\n| K33p | S3cret |\n\n| K33p | Passwordless |\n",
	"unaligned psql":         "id|password|K33p\n1|S3c|K33p\n",
	"csv":                    "id,username,password,created\n1,K33p,S3cret,2026-01-01\n2,\"K33p, too\",\"S3c \"\"quoted\"\", with commas\",K33p\n3,K33p,S3cret-last,K33p\nK33p,password\n",
	"csv of an access key":   "User name,Access key ID,Secret access key\r\nK33p,S3cIDx0123456789X,S3c/abc+def0123456789\r\n",
	"csv in quotes":          "\"K33p\";\"api_key\"\n\"K33p\";\"S3c90ab12cd\"\n",
	"csv with line breaks":   "name,secret_key,note\nK33p,S3cab12cd34,\"K33p\nK33p\"\nK33p,S3cab12cd35,K33p\n",
	"tsv":                    "id\tpassword\tK33p\n1\tS3cret\tK33p\n",
	"copy":                   "COPY public.users (id, email, password, K33p) FROM stdin;\n1\tK33p\tS3cret\tK33p\n2\tK33p\t\\N\tK33p\n\\.\n1\tK33p\tK33p\tK33p\n",
	"insert":                 "INSERT INTO users (id, email, password_hash, n) VALUES (1, 'K33p', 'S3c''ret', 5);\nK33p ('K33p', 'K33p', 'K33p')\n",
	"insert of many":         "insert into `db`.`users`(`id`,`api_token`) values\n(1,'S3cx1y2z3'),\n(2,NULL),(3, 'S3c\\'(q1w2') ;\n(1,'K33p')\n",
	"insert with functions":  "INSERT INTO u (at, password, k) VALUES (now(), E'S3cret', coalesce('K33p', 'K33p'));",
	"created":                "CREATE TABLE `users` (\n  `id` int(11) NOT NULL,\n  `K33p` varchar(64) DEFAULT NULL,\n  `password` varchar(255),\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB;\n\nINSERT INTO `users` VALUES (1,'K33p','S3cret'),(2,'K33p','S3c2');\n",
	"settings":               " name | setting | description\n---+---+---\n api_secret | S3cab12cd34 | K33p\n K33p | on | K33p\nrequirepass\tS3cret\nmaxmemory\tK33p\n",
	"csv pairs":              "DB_PASSWORD,S3cret9\nK33p,K33p99x8\n",
	"key in a row":           "id | password\n1 | -----BEGIN RSA PRIVATE KEY-----\nS3cMIIEowIBAAKCAQEA\nS3cMIIEowIBAAKCAQEB\n-----END RSA PRIVATE KEY-----\nK33p\n",
}

func TestTables(t *testing.T) {
	s := newSet(t)
	for name, text := range tableTexts {
		t.Run(name, func(t *testing.T) {
			want := stream(s, text, func() int { return len(text) })
			if strings.Contains(want, "S3c") || strings.Count(want, "K33p") != strings.Count(text, "K33p") {
				t.Fatalf("%s\n%v", want, found(s, text))
			}
			for i := 1; i < len(text); i++ {
				first := true
				if got := stream(s, text, func() int {
					if first {
						first = false
						return i
					}
					return len(text)
				}); got != want {
					t.Fatalf("cut at %d (%q):\n%s\nwant\n%s", i, text[max(0, i-20):i], got, want)
				}
			}
			r := rand.New(rand.NewPCG(7, 7))
			for range 50 {
				if got := stream(s, text, func() int { return 1 + r.IntN(9) }); got != want {
					t.Fatalf("random cuts:\n%s\nwant\n%s", got, want)
				}
			}
		})
	}
}
