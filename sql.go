package weir

// SQL is what statements do, as far as that can be told without running them. It over-approximates: what may be touched is
// listed, and what cannot be told says so in Dynamic and Unclear. Lists are sorted, without duplicates, and read-only. The
// zero value says nothing and is treated as unclear.
type SQL struct {
	Statements  int      // how many there are
	Operations  []string // upper case: "SELECT", "UPDATE", "DROP", "COPY", "SET", "SHOW", "DO", "EXECUTE" …; those inside WITH, EXPLAIN and PREPARE, too
	Relations   []string // tables and views, "schema.name"; what views, functions, triggers and defaults reach is included
	Columns     []string // "schema.relation.column"; all of a relation's where the whole row may be meant
	Functions   []string // "schema.name"
	Settings    []string // configuration parameters that are read or set, lower case; "*" for all of them
	Roles       []string // roles that are made, changed, granted or assumed
	Identifiers []string // every identifier in the text, as the server folds it
	Files       bool     // reads or writes files of the server
	Program     bool     // runs a program of the server
	Dynamic     bool     // runs text that is made while it runs: DO, EXECUTE of an expression, query_to_xml, dblink …
	NoWhere     bool     // an UPDATE or DELETE without WHERE
	ReadOnly    bool     // surely changes nothing: no data, no definition, no setting, no file
	Unclear     string   // why it could not be told what the statements do; "" when it could
	Bodies      []string // texts of functions of users that may run
	// Taken is set where values may come out that were taken out of documents under the names of secrets, or in pieces that show no names. Who knows these
	// names fills it in; what names of the session stand for keeps it.
	Taken bool
	// Moves are values that go elsewhere than into the answer.
	Moves []Move
	// SecretOut says where values of protected columns go besides the answer, as Move.To; nil where they go nowhere. Who knows which columns are
	// protected fills it in.
	SecretOut []string
	// Outputs are the result columns of a single statement, in order; nil when they cannot be told one by one.
	Outputs []Output
}

// Move is a value that a statement reads and puts where others may read it.
type Move struct {
	To   string // "table", "column", "name", "setting", "notification", "large object", "sequence", "lock", "log", "function"
	Name string // of the column that is read; "*" for any that the statement touches
	Into string // the column that takes it, "" where that is not told; "=" where columns keep their names and change their relation's
	// Relation is whose column Into is, "schema.name"; "" where that is not sure.
	Relation string
}

// Output is a result column.
type Output struct {
	// Harmless is set where the expression surely carries nothing of any column's values: count(*), a literal, now().
	Harmless bool
}
