package index

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// agree compares the kernels on len(dst) rows.
func agree(t *testing.T, rows []int8, q []int16, n int) {
	t.Helper()
	want, got := make([]int32, n), make([]int32, n)
	dotGeneric(want, rows, q)
	dotSIMD(got, rows, q)
	if !slices.Equal(got, want) {
		t.Fatalf("%d rows of %d: %v, want %v", n, len(q), got, want)
	}
}

func TestKernelsAgree(t *testing.T) {
	if !simd() {
		t.Skip("this machine has only the kernel in Go")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for dim := step; dim <= 1024; dim += step {
		n := 1 + r.IntN(9)
		rows, q := make([]int8, n*dim), make([]int16, dim)
		for i := range rows {
			rows[i] = int8(r.IntN(256) - 128)
		}
		for i := range q {
			q[i] = int16(r.IntN(256) - 128)
		}
		agree(t, rows, q, n)
	}
	for _, edge := range []int8{-128, -127, -1, 0, 1, 127} {
		for _, dim := range []int{step, 256, MaxDim} {
			rows, q := make([]int8, 3*dim), make([]int16, dim)
			for i := range rows {
				rows[i] = edge
			}
			for i := range q {
				q[i] = int16(edge)
			}
			agree(t, rows, q, 3)
		}
	}
}

func FuzzKernelsAgree(f *testing.F) {
	f.Add([]byte("some bytes for a row and for a query"), uint8(1), uint8(1))
	f.Add(make([]byte, 4096), uint8(8), uint8(5))
	f.Fuzz(func(t *testing.T, data []byte, steps, n uint8) {
		if !simd() {
			t.Skip()
		}
		dim := (1 + int(steps)%16) * step
		rows, q := make([]int8, int(n)%8*dim+dim), make([]int16, dim)
		if len(data) == 0 {
			return
		}
		for i := range rows {
			rows[i] = int8(data[i%len(data)])
		}
		for i := range q {
			q[i] = int16(int8(data[(i*7+3)%len(data)]))
		}
		agree(t, rows, q, len(rows)/dim)
	})
}
