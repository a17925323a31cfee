//go:build race

package mask_test

const raced = true
