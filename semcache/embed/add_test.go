package embed

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAdditionsAgree bit for bit: vectors made on one machine are searched for on another.
func TestAdditionsAgree(t *testing.T) {
	if !hasAddSIMD {
		t.Skip("this machine has only the addition in Go")
	}
	r := rand.New(rand.NewPCG(4, 5))
	for range 2000 {
		n := addStep * (1 + r.IntN(40))
		row := make([]byte, n)
		a := make([]float32, n)
		for i := range row {
			row[i], a[i] = byte(r.IntN(256)), float32(r.NormFloat64())
		}
		b := slices.Clone(a)
		scale := r.Float32() / 50
		addGeneric(a, string(row), scale)
		addSIMD(b, string(row), scale)
		if !slices.Equal(a, b) {
			t.Fatalf("%d values differ", n)
		}
	}
}
