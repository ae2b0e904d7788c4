// Package economics says what was had for the money: unit costs, margins, waste.
//
// It is pure: what follows from amounts, counts and outcomes is computed here, and nothing
// is read, kept or asked.
package economics

import "purser/ledger"

// Whole is a quality of 1.
const Whole = 1_000_000

// Evidence is what is known of what an answer was worth. Its zero value is that nothing
// is known, which is not the same as that it was worth nothing.
type Evidence struct {
	Successes, Failures int64 // reports that say which

	Judged  int64 // reports of a quality
	Quality int64 // their sum, in parts of [Whole]

	Valued int64         // reports of a value
	Value  ledger.Amount // their sum, nano-dollars
}

// Known says whether anything was reported.
func (e *Evidence) Known() bool { return e.Successes+e.Failures+e.Judged+e.Valued > 0 }

// Add adds what o knows.
func (e *Evidence) Add(o Evidence) {
	e.Successes += o.Successes
	e.Failures += o.Failures
	e.Judged += o.Judged
	e.Quality += o.Quality
	e.Valued += o.Valued
	e.Value += o.Value
}
