//go:build !amd64 && !arm64

package index

var kernel = dotGeneric

// simd says whether dotSIMD can run here.
func simd() bool { return false }

func dotSIMD(dst []int32, rows []int8, q []int16) { dotGeneric(dst, rows, q) }
