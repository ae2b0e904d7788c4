package ui

// Sealer makes cookies that only this cluster can make and read.
type Sealer interface {
	// Put seals v, as JSON, for a use.
	Put(use string, v any) (string, error)
	// Take opens what Put sealed for the same use.
	Take(use, cookie string, into any) error
}
