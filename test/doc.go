// Package test tries the whole program: the binary that users get, real clients, a real leaky service, and a sweep for
// canaries over everything that comes out of it.
package test
