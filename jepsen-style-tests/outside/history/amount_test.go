package history

import "testing"

func TestAmountsAreRead(t *testing.T) {
	for _, c := range []struct {
		text, unit string
		want       int64
		ok         bool
	}{
		{"1", "usd", 1_000_000_000, true}, {"0.000000001", "usd", 1, true}, {"12.5", "usd", 12_500_000_000, true}, {"12", "requests", 12, true},
		{"0.0000000001", "usd", 0, false}, {"x", "usd", 0, false}, {"1.5", "slots", 0, false},
	} {
		if got, ok := Amount(c.text, c.unit); got != c.want || ok != c.ok {
			t.Errorf("%s %s is %d, %v", c.text, c.unit, got, ok)
		}
	}
}
