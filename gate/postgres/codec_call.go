package postgres

import (
	"bytes"
	"fmt"
	"strings"

	"weir"
	"weir/gate/session"
)

// largeObjectTable holds the functions of large objects that libraries call by FunctionCall, as psql and pg_dump do, and how many arguments they take.
// Their numbers are the same in every server (src/include/catalog/pg_proc.dat).
var largeObjectTable = map[uint32]struct {
	name      string
	arguments int
}{
	715: {"lo_create", 1}, 952: {"lo_open", 2}, 953: {"lo_close", 1}, 954: {"loread", 2}, 955: {"lowrite", 2}, 956: {"lo_lseek", 3}, 957: {"lo_creat", 1},
	958: {"lo_tell", 1}, 964: {"lo_unlink", 1}, 1004: {"lo_truncate", 2}, 3170: {"lo_lseek64", 3}, 3171: {"lo_tell64", 1}, 3172: {"lo_truncate64", 2},
}

// call is FunctionCall. What is known by its number is decided on as a SELECT of it.
func (c *codec) call(r *session.Requests, frame, body []byte) error {
	in := cursor{b: body}
	oid := uint32(in.int32()) //nolint:gosec // an oid
	if in.bad {
		return errMalformed
	}
	text := fmt.Sprintf("function call %d", oid)
	f := &facts{sql: &weir.SQL{Statements: 1, Operations: []string{"CALL"}, Dynamic: true, Unclear: "a function is called by its number"}, changes: true, touched: true}
	known, named := largeObjectTable[oid]
	if named {
		text = "SELECT pg_catalog." + known.name + "(" + strings.TrimSuffix("$1, $2, $3"[:4*known.arguments-2], ", ") + ")"
		f = c.factsOf(text)
	}
	cmd := c.command(text, f)
	d := c.unfit(text, f)
	if d == nil && !named && !c.o.AllowFunctionCall {
		d = &weir.Denied{Kind: weir.DeniedContent, Rule: "function-call", Reason: "functions cannot be called by their number here", Hint: "use SELECT"}
	}
	if d != nil {
		c.refuse(r, owedDenied, r.Refuse(cmd, d))
		return nil
	}
	args := bytes.Clone(in.b)
	cmd.Parameters = func() ([]byte, error) { return args, nil }
	x := c.allowed(r, cmd)
	if x == nil {
		return nil
	}
	if !named {
		text = ""
	}
	c.sent(text, f)
	c.pushLast(entry{kind: owedQuery, run: c.begin(x), facts: f})
	return r.Forward(x, frame)
}
