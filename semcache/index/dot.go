package index

// step is the number of values that the kernels take at once: strides are whole
// multiples of it.
const step = 32

// dotRows writes the inner product of q and each of the len(dst) first rows; a row has
// len(q) values, a multiple of [step], and rows follow one another.
func dotRows(dst []int32, rows []int8, q []int16) {
	if len(q)%step != 0 || len(rows) < len(dst)*len(q) {
		panic("index: rows of another shape")
	}
	if len(dst) > 0 && len(q) > 0 {
		kernel(dst, rows, q)
	}
}

// dotGeneric is the kernel in plain Go, and what the others must agree with.
func dotGeneric(dst []int32, rows []int8, q []int16) {
	for i := range dst {
		row := rows[i*len(q):][:len(q)]
		var sum int32
		for j, v := range row {
			sum += int32(v) * int32(q[j])
		}
		dst[i] = sum
	}
}
