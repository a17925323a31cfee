package sql

// Catalog is a database's catalogue as it was read at one moment. It is what a Snapshot is made of.
type Catalog struct {
	SearchPath []string // of a new session, without "$user"
	Relations  []Relation
	Functions  []Function
	Triggers   []Trigger
	Attributes []string // of composites that are no relations, "schema.type.attribute"
}

// Relation is a table, view, materialised view, foreign table or partitioned table.
type Relation struct {
	OID        uint32
	Schema     string
	Name       string
	Kind       byte     // as pg_class.relkind: 'r', 'v', 'm', 'f', 'p' …
	Columns    []string // by attribute number from 1; "" for dropped ones
	Defaults   []string // expressions of column defaults and generated columns, and whatever else runs when it is written to
	Children   []string // partitions and tables that inherit, "schema.name"
	Definition string   // of views: the query; of tables: what rules and policies run, as SQL
	Generated  []string // expressions of generated columns, as Columns; "" for others, and may end before them
	Types      []*Type  // of the columns, as Columns; nil for those that hold nothing of note, and behind the last that does
}

// Type is what is known of a type besides its name, through domains, arrays, ranges and composites.
type Type struct {
	Attributes []string // of composites that may be in it, "schema.type.attribute"
	Document   bool     // it may hold documents: JSON, XML, hstore
}

// Function is a function or procedure. Functions of one name are all listed.
type Function struct {
	Schema   string
	Name     string
	Language string // "sql", "plpgsql", "c", "internal" …
	Source   string // of sql and plpgsql: the body
	Runs     string // SQL that runs beside the body: the defaults of arguments, what an aggregate is made of, settings
	Volatile byte   // as pg_proc.provolatile: 'i', 's', 'v'
	// Returns are the columns of what it returns: attributes of composites, and its own arguments as "schema.function.argument"
	Returns []string
}

// Trigger runs a function when a relation is written to.
type Trigger struct {
	Schema, Relation string
	Function         string // "schema.name"
}
