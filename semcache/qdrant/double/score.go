package double

import "math"

// unit is a cosine vector as Qdrant stores it: of unit length, unless it is zero or
// has that length already.
func unit(v []float32) []float32 {
	var square float32
	for _, x := range v {
		square += x * x
	}
	out := append([]float32(nil), v...)
	const epsilon = 1.1920929e-7 // f32::EPSILON
	if square < epsilon || math.Abs(float64(square)-1) <= 1e-6 {
		return out
	}
	length := float32(math.Sqrt(float64(square)))
	for i := range out {
		out[i] /= length
	}
	return out
}

// dot is the score of two vectors of unit length.
func dot(a, b []float32) float32 {
	var sum float32
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
