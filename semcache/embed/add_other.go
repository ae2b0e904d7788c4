//go:build !amd64

package embed

const hasAddSIMD = false

func add(dst []float32, row string, scale float32) { addGeneric(dst, row, scale) }

func addSIMD(dst []float32, row string, scale float32) { addGeneric(dst, row, scale) }
