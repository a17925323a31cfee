package known

// Spellings is what is searched for, for a matcher to compare with.
func Spellings(v string) []string {
	s := speller{seen: map[string]struct{}{}}
	return s.spell(v)
}
