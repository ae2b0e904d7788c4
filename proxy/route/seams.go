package route

import (
	"context"

	"purser/ledger"
)

// Learner scores the candidates of routes with the strategy learned. It is asked once
// for each request, before anything is held; a fault in it is no ranking, and the
// candidates stay in the order in which they are written.
type Learner interface {
	// Rank scores the candidates of q, or says why it cannot. ctx bounds whatever it
	// waits for. It keeps nothing of q after it returns.
	Rank(ctx context.Context, q *Query) (Ranking, error)
}

// Query is what a learner is asked.
type Query struct {
	Route   string
	Learner string // the artifact's ID
	// Text gives the last text of the prompt. It is made when it is called for. It is the
	// client's own, which no redaction has seen: it must not leave the node.
	Text       func() string
	Candidates []Option
	// Random is the request's chance, or what it sticks to: canaries draw from it.
	Random uint64
}

// Option is one candidate that may serve the request.
type Option struct {
	Name    string // its ID within the route
	Model   string
	Quality float64       // as the spec has it before anything is learned, 0 to 1
	Cost    ledger.Amount // expected, nano-dollars
}

// Ranking is what a learner says.
type Ranking struct {
	Scores []int64 // of each option, millionths; the highest is tried first
	Why    string  // in a few words, for the record: the cluster, or the canary

	Cluster int64 // of the prompt, as the artifact numbers them from 1
	Canary  bool  // the request was drawn for the canary
}
