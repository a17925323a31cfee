package mask_test

import (
	"bytes"
	"strings"
	"testing"

	"weir"
	"weir/mask"
	"weir/mask/known"
)

type devnull struct{ n int }

func (d *devnull) Write(p []byte) (int, error) { d.n += len(p); return len(p), nil }

// BenchmarkBigJSON is a body of ordinary rows, with two sets of known secrets, as a session has them: rows without a secret, and each with one that is held.
func BenchmarkBigJSON(b *testing.B) {
	e, _ := mask.New(mask.Config{Key: make([]byte, 32)})
	set, _, _ := known.Build([]known.Entry{{Name: "a", Value: []byte("CANARYheld-Zt5Xq8Wn3Rv6Lk1Pd")}})
	set2, _, _ := known.Build([]known.Entry{{Name: "a", Value: []byte("weir_X0LqIRI7x6sHftMQYaNGXjdz69zlRomW2mVbA3")}})
	m := e.Masker(set, set2)
	for name, note := range map[string]string{"clean": "nothing to see here", "held": "CANARYheld-Zt5Xq8Wn3Rv6Lk1Pd"} {
		b.Run(name, func(b *testing.B) {
			row := `{"id":1234567,"name":"an ordinary row of an ordinary table","status":"shipped","note":"` + note + `"},` + "\n"
			big := []byte("[" + strings.Repeat(row, (10<<20)/len(row)) + "{}]")
			b.SetBytes(int64(len(big)))
			b.ReportAllocs()
			for b.Loop() {
				var t weir.Tally
				buf := make([]byte, 32<<10)
				w, _ := m.Stream(&devnull{}, weir.Shape{Format: weir.FormatJSON}, &t)
				for r := bytes.NewReader(big); r.Len() > 0; {
					n, _ := r.Read(buf)
					_, _ = w.Write(buf[:n])
				}
				_ = w.Close()
			}
		})
	}
}
