package purse

import (
	"context"
	"fmt"
	"log/slog"

	"purser/ledger"
)

// Exchanger carries the purse's commands to the replicated ledger.
//
// An error is ambiguous (L4): the command may or may not have been applied. The
// purse sends the same Exchange, with the same Seq, until it has an answer. The
// one error that is not ambiguous is a [*RejectedError]: the ledger refused the
// command, and will go on refusing it.
//
// The purse has at most one call under way. The Exchange passed in is not
// changed after the call began and must not be changed by the callee.
type Exchanger interface {
	Register(ctx context.Context, r ledger.Register) (ledger.Outcome, error)
	Exchange(ctx context.Context, x *ledger.Exchange) (*ledger.Answer, error)
}

// RejectedError says that the ledger refused a command of this node for good:
// another process registered under this node's name, or an operator fenced it.
type RejectedError struct {
	Code ledger.Code
}

// Error implements error.
func (e *RejectedError) Error() string {
	return fmt.Sprintf("the ledger rejects this node (code %d)", e.Code)
}

// Answered turns the outcome of an Exchange into what an [Exchanger] returns.
func Answered(o ledger.Outcome) (*ledger.Answer, error) {
	switch o.Code {
	case ledger.Applied, ledger.Repeated:
		return o.Answer, nil
	default:
		return nil, &RejectedError{Code: o.Code}
	}
}

// MarkStore keeps the high-water marks on disk.
type MarkStore interface {
	// SaveMarks records seq and adds or replaces the marks by (Account,
	// Incarnation); those that are Gone it removes. No lease is in marks twice.
	// All of it is durable before
	// it returns, or, with an error, any part of it may be. The purse does not
	// continue after an error.
	SaveMarks(seq uint64, marks []Mark) error
	// LoadMarks returns what was saved; 0 and nothing for a new store.
	LoadMarks() (seq uint64, marks []Mark, err error)
}

// Mark bounds what one lease may have spent: at any time since it was saved,
// spent + held + free is at most Amount. Only an overrun, which is known after
// the fact, may pass it until the next save.
type Mark struct {
	Account     ledger.AccountKey
	Incarnation uint32
	Amount      ledger.Amount
	Gone        bool // the lease is closed in the ledger; remove the entry
}

// Proofs returns what durable usage records show that one incarnation of this
// node settled on an account. It is asked only while [Open] runs.
type Proofs func(account ledger.AccountKey, incarnation uint32) (Proof, error)

// Proof is a sum over the charges of one (account, incarnation).
type Proof struct {
	Spent   ledger.Amount
	Overrun ledger.Amount // the part of Spent beyond the holds it was charged to
}

// Overruns returns the leases of which durable records show spending beyond the
// holds, those that [MarkStore] names and others: a call that held nothing of an
// account may have cost something all the same. It is asked only while [Open]
// runs.
type Overruns func() ([]LeaseID, error)

// LeaseID names one incarnation's part of an account.
type LeaseID struct {
	Account     ledger.AccountKey
	Incarnation uint32
}

// Seams are the purse's connections to the world outside.
type Seams struct {
	Exchanger Exchanger
	Marks     MarkStore
	Proofs    Proofs
	Overruns  Overruns // nil: there are none
	// Fatal ends the process. It is called once, after admission has stopped,
	// when a mark could not be made durable or the ledger rejects this node.
	// Going on would risk spending that no one can account for.
	Fatal func(error)
	// Wall is the node's wall clock; nil means the system's. It only chooses
	// the window a new hold is charged to, never whether money is safe.
	Wall func() ledger.Instant
	// Log receives what an operator should know; nil means slog.Default().
	Log *slog.Logger
}
