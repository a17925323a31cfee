//go:build race

package known_test

const raced = true
