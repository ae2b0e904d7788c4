package embed

import (
	"context"
	"errors"
	"math"
)

// An Embedder makes vectors of texts.
type Embedder interface {
	// ID names everything that vectors depend on: the model, its version, the
	// dimension, and for a remote one where it is asked. At most 128 bytes of
	// letters, digits and "-._:/@".
	ID() string
	// Dim is the number of values of a vector.
	Dim() int
	// Embed writes the vector of text, of length 1, into dst, which has Dim values
	// and is the caller's. ctx bounds a remote call; the static table does not wait.
	Embed(ctx context.Context, dst []float32, text string) error
}

var (
	// ErrNoWords is the error for a text that has nothing the embedder knows.
	ErrNoWords = errors.New("embed: no known words in the text")
	// ErrDimension is the error for a vector, or a dst, of another length than Dim.
	ErrDimension = errors.New("embed: wrong dimension")
	// ErrNotFinite is the error for a vector with a NaN or an infinity in it.
	ErrNotFinite = errors.New("embed: a value of the vector is not finite")
	// ErrZero is the error for a vector of length 0, which has no direction.
	ErrZero = errors.New("embed: the vector is zero")
)

// Normalize makes v a unit vector, or says why it cannot be one. Its result does
// not depend on the machine: each product is rounded before it is added.
func Normalize(v []float32) error {
	var sum float64
	for _, x := range v {
		sum += float64(float64(x) * float64(x))
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return ErrNotFinite
	}
	if sum == 0 {
		return ErrZero
	}
	by := 1 / math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) * by)
	}
	return nil
}

// Cosine is the inner product of two unit vectors of one length, in [-1, 1].
func Cosine(a, b []float32) float32 {
	var sum float64
	for i, x := range a {
		sum += float64(float64(x) * float64(b[i]))
	}
	return float32(max(-1, min(1, sum)))
}
