package sql

// Snapshot is a placeholder until the classifier is merged.
type Snapshot struct{ catalog Catalog }

// NewSnapshot keeps the catalogue.
func NewSnapshot(c Catalog) *Snapshot { return &Snapshot{catalog: c} }
