// Package screen says what a terminal showed: it obeys what a program sent to a terminal and gives the text back as lines, and it
// takes out of such bytes what a viewer's own terminal must not be told.
//
// Its input is hostile: it must never panic, never need more memory than a screen of maxColumns by maxRows, and never work for longer
// than in proportion to its input. It knows no colours, and answers nothing. It is pure: no clock, no files, no network.
//
// A Screen and a Filter belong to one goroutine at a time.
package screen
