package compress

import "testing"

// BenchmarkApply compresses a conversation of an agent's with forty results.
func BenchmarkApply(b *testing.B) {
	var results []string
	for i := range 40 {
		results = append(results, pool[i%9]+pool[(i*7)%9])
	}
	body := talking("run", []object{{"a": 1}}, results...).body(Messages)
	for _, l := range []Level{Off, Lossless, NearLossless, Aggressive} {
		b.Run(l.String(), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Apply(body, Messages, &Settings{Level: l}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestOffCostsNothing(t *testing.T) {
	body := talking("run", []object{{"a": 1}}, pool...).body(Chat)
	s := &Settings{}
	if n := testing.AllocsPerRun(10, func() {
		if r, err := Apply(body, Chat, s); err != nil || r.Changed {
			t.Fatal("changed")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
