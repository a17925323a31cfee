package sql

import "strings"

type class uint8

// classes of keywords, as pg_get_keywords() has them
const (
	notKeyword class = iota
	unreserved
	column   // may name columns and tables, not functions
	function // may name functions and types, not columns and tables
	reserved
)

type keyword struct {
	text  string
	class class
}

// keywordTable holds the words of version 15. A word that is a keyword only in later versions is an identifier here, which adds and hides nothing.
var keywordTable = func() map[string]keyword {
	t := map[string]keyword{}
	for c, words := range map[class]string{unreserved: unreservedNames, column: columnNames, function: functionNames, reserved: reservedNames} {
		for w := range strings.FieldsSeq(words) {
			t[w] = keyword{w, c}
		}
	}
	return t
}()

const columnNames = `between bigint bit boolean char character coalesce dec decimal exists extract float greatest grouping inout int integer
interval least national nchar none normalize nullif numeric out overlay position precision real row setof smallint substring time timestamp
treat trim values varchar xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable`

const functionNames = `authorization binary collation concurrently cross current_schema freeze full ilike inner is isnull join left like
natural notnull outer overlaps right similar tablesample verbose`

const reservedNames = `all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc distinct do else end except
false fetch for foreign from grant group having in initially intersect into lateral leading limit localtime localtimestamp not null offset
on only or order placing primary references returning select session_user some symmetric table then to trailing true union unique user
using variadic when where window with`

const unreservedNames = `abort absolute access action add admin after aggregate also alter always asensitive assertion assignment at atomic
attach attribute backward before begin breadth by cache call called cascade cascaded catalog chain characteristics checkpoint class close
cluster columns comment comments commit committed compression configuration conflict connection constraints content continue conversion copy
cost csv cube current cursor cycle data database day deallocate declare defaults deferred definer delete delimiter delimiters depends depth
detach dictionary disable discard document domain double drop each enable encoding encrypted enum escape event exclude excluding exclusive
execute explain expression extension external family filter finalize first following force forward function functions generated global granted
groups handler header hold hour identity if immediate immutable implicit import include including increment index indexes inherit inherits
inline input insensitive insert instead invoker isolation key label language large last leakproof level listen load local location lock
locked logged mapping match matched materialized maxvalue merge method minute minvalue mode month move name names new next nfc nfd nfkc nfkd
no normalized nothing notify nowait nulls object of off oids old operator option options ordinality others over overriding owned owner
parallel parameter parser partial partition passing password plans policy preceding prepare prepared preserve prior privileges procedural
procedure procedures program publication quote range read reassign recheck recursive ref referencing refresh reindex relative release rename
repeatable replace replica reset restart restrict return returns revoke role rollback rollup routine routines rows rule savepoint schema
schemas scroll search second security sequence sequences serializable server session set sets share show simple skip snapshot sql stable
standalone start statement statistics stdin stdout storage stored strict strip subscription support sysid system tables tablespace temp
template temporary text ties transaction transform trigger truncate trusted type types uescape unbounded uncommitted unencrypted unknown
unlisten unlogged until update vacuum valid validate validator value varying version view views volatile whitespace within without work
wrapper write xml year yes zone`

// syntaxTable holds the words that stand before a parenthesis and name no function wherever that is: types with lengths, and syntax. Those of
// version 16 and later are functions of older servers, or nothing.
var syntaxTable = set(columnNames + ` json json_array json_object json_scalar json_serialize json_value json_query json_exists json_table json_arrayagg
json_objectagg merge_action`)

func set(words string) map[string]struct{} {
	t := map[string]struct{}{}
	for w := range strings.FieldsSeq(words) {
		t[w] = struct{}{}
	}
	return t
}

func in(t map[string]struct{}, w string) bool {
	_, ok := t[w]
	return ok
}
