package embed

// addStep is the number of values that addSIMD takes at once.
const addStep = 8

// addGeneric adds scale times row to dst; row has the bytes of len(dst) int8. The product
// is rounded before the sum, so that no machine fuses the two and all come to the
// same vector.
func addGeneric(dst []float32, row string, scale float32) {
	row = row[:len(dst)]
	for i := range dst {
		dst[i] += float32(scale * float32(int8(row[i])))
	}
}
