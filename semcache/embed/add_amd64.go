package embed

import "golang.org/x/sys/cpu"

var hasAddSIMD = cpu.X86.HasAVX2

func add(dst []float32, row string, scale float32) {
	if hasAddSIMD && len(dst)%addStep == 0 && len(dst) > 0 && len(row) >= len(dst) {
		addSIMD(dst, row, scale)
		return
	}
	addGeneric(dst, row, scale)
}

// addSIMD is addGeneric with AVX2, bit for bit: it multiplies and adds in two steps.
// len(dst) is a positive multiple of [addStep], and row has as many bytes.
//
//go:noescape
func addSIMD(dst []float32, row string, scale float32)
