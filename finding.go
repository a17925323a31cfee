package weir

// Finding is one run of the input that was masked. It never holds the value.
type Finding struct {
	File        string `json:"file,omitempty"` // what the input is called; empty where it has no name
	Start       int64  `json:"start"`          // offsets in the input, in bytes; End is the first byte behind the run
	End         int64  `json:"end"`
	Line        int64  `json:"line"` // of Start, from 1
	Kind        string `json:"kind"` // as it stands in the placeholder
	Rule        string `json:"rule"` // the family of the detector and its name
	Fingerprint string `json:"fingerprint"`
}
