//go:build race

package postgres

// raced says that the race detector runs, which takes memory of its own.
const raced = true
