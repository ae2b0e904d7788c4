package purse

import (
	"errors"

	"purser/ledger"
)

// Errors mean "could not decide": nothing was held, and the request may be
// tried again. Compare with errors.Is.
var (
	// ErrUndecided: the wait ended before the ledger had answered.
	ErrUndecided = errors.New("purse: no answer from the ledger within the admission wait")
	// ErrNoAuthority: the ledger has not been heard for longer than authority_ttl.
	ErrNoAuthority = errors.New("purse: the ledger has not been heard within authority_ttl")
	// ErrBusy: a table of this node is full.
	ErrBusy = errors.New("purse: too many requests waiting or accounts in use on this node")
	// ErrDraining: the node is going down.
	ErrDraining = errors.New("purse: draining")
	// ErrClosed: the purse is closed, or has failed and is ending the process.
	ErrClosed = errors.New("purse: closed")
	// ErrChain: more than MaxChain budgets cover the request on one part.
	ErrChain = errors.New("purse: too many budgets cover this request")
)

// RefusalCode says why a request was refused.
type RefusalCode uint8

// The refusal codes. The zero value means "not refused".
const (
	// Exhausted: what is left of the limit, counting everything in flight as if
	// it came back, is smaller than the hold. No wait helps in this window.
	Exhausted RefusalCode = iota + 1
	// Contended: the rest of the limit is held by requests in flight, here or on
	// other nodes, and did not come back within the admission wait.
	Contended
)

// String returns the stable lower-case name of the code.
func (c RefusalCode) String() string {
	switch c {
	case Exhausted:
		return "exhausted"
	case Contended:
		return "contended"
	default:
		return "none"
	}
}

// Refusal is a decision: the request may not run. The zero Refusal means it was
// not refused. Amounts are in the unit of the budget.
//
// Spent + Held + Unreachable + Hold > Limit, as this node knows it.
type Refusal struct {
	Code    RefusalCode
	Account ledger.AccountKey
	Budget  ledger.BudgetID
	Unit    ledger.Unit
	Limit   ledger.Amount
	Hold    ledger.Amount // what the request asked for
	// Spent includes what is presumed or written off.
	Spent ledger.Amount
	// Held is set aside for requests in flight or waiting, on any node.
	Held ledger.Amount
	// Unreachable is escrowed on nodes that do not answer. One node alone
	// cannot know it: it is then part of Held.
	Unreachable ledger.Amount
	// ResetsAt is the end of the window; MaxInstant when it never ends.
	ResetsAt ledger.Instant
}

// Refused reports whether r is a refusal.
func (r Refusal) Refused() bool { return r.Code != 0 }
