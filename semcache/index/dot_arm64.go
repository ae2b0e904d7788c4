package index

var kernel = dotSIMD

// simd says whether dotSIMD can run here: every arm64 has NEON.
func simd() bool { return true }

// dotSIMD is dotGeneric with NEON; dst and q are not empty.
//
//go:noescape
func dotSIMD(dst []int32, rows []int8, q []int16)
