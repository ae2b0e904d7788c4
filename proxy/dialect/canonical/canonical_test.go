package canonical

import (
	"bytes"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestNumbersByTheirValue(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "0.000": "0", "0e5": "0", "-0.0E-9": "0", "1": "1", "1.0": "1", "10": "1e1", "100e-2": "1", "0.10": "1e-1",
		"-12.50": "-125e-1", "1E+2": "1e2", "9007199254740993": "9007199254740993", "1e400": "1e400", "1e9999999999": "1e9999999999",
	} {
		if got := string(appendNumber(nil, []byte(in))); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	number := rapid.StringMatching(`-?(0|[1-9][0-9]{0,6})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		x, y := appendNumber(nil, []byte(a)), appendNumber(nil, []byte(b))
		if same := rat(t, a).Cmp(rat(t, b)) == 0; same != bytes.Equal(x, y) {
			t.Fatalf("%s is %s, %s is %s", a, x, b, y)
		}
		if rat(t, a).Cmp(rat(t, string(x))) != 0 {
			t.Fatalf("%s became %s", a, x)
		}
	})
}

func rat(t *rapid.T, s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("%q is no number", s)
	}
	return r
}
