package weir

// Column is one column of a result.
type Column struct {
	Name string
	// Protected is set where more than the name says that every value is a secret: the column of the table it comes from, a rule.
	Protected bool
	// Typed is set where no placeholder can stand: numbers, dates, booleans, and all that comes in a binary format.
	Typed bool
	// Statement is set where the values are SQL statements of others: their literals are masked.
	Statement bool
}

// Change is what became of a cell.
type Change uint8

// Changes.
const (
	Unchanged Change = iota // it stays as it was given
	Masked                  // what was appended stands in its place
	Null                    // it holds a secret, and its type has no room for a placeholder: NULL stands in its place
)
