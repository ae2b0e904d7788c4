// Package economics says what was had for the money: unit costs, margins, waste.
//
// It is pure: what follows from amounts, counts and outcomes is computed here, and nothing
// is read, kept or asked.
package economics

import "purser/ledger"

// Whole is a quality of 1, and one outcome where outcomes are divided.
const Whole = 1_000_000

// Evidence is what is known of what an answer was worth. Its zero value is that nothing
// is known, which is not the same as that it was worth nothing.
type Evidence struct {
	Outcomes            int64 // that were reported, whatever was said of them
	Successes, Failures int64 // of those, that said which

	Judged  int64 // outcomes with a quality
	Quality int64 // its sum, in parts of [Whole]

	Valued int64         // outcomes with a value
	Value  ledger.Amount // their sum, nano-dollars

	// Wide counts the outcomes of a customer, a feature or another group that the request
	// is part of. They say that something was had, and not of which request: of one request,
	// nothing else of them is counted here.
	Wide int64
}

// Known says whether anything was reported.
func (e *Evidence) Known() bool { return e.Outcomes+e.Judged+e.Wide > 0 }

// Add adds what o knows.
func (e *Evidence) Add(o Evidence) {
	e.Outcomes += o.Outcomes
	e.Successes += o.Successes
	e.Failures += o.Failures
	e.Judged += o.Judged
	e.Quality += o.Quality
	e.Valued += o.Valued
	e.Value += o.Value
	e.Wide += o.Wide
}
