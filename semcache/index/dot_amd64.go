package index

import "golang.org/x/sys/cpu"

var kernel = choose()

func choose() func(dst []int32, rows []int8, q []int16) {
	if cpu.X86.HasAVX2 {
		return dotSIMD
	}
	return dotGeneric
}

// simd says whether dotSIMD can run here.
func simd() bool { return cpu.X86.HasAVX2 }

// dotSIMD is dotGeneric with AVX2; dst and q are not empty.
//
//go:noescape
func dotSIMD(dst []int32, rows []int8, q []int16)
