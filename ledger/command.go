package ledger

// Command is one entry of the replicated log. The set is closed, the kind
// numbers are append-only, and a decoder meeting an unknown kind returns an
// error that stops the node (L10).
type Command interface {
	Kind() Kind
}

// Kind is the number of a command in the log.
type Kind uint8

const (
	KindPutBudget    Kind = 1
	KindDeleteBudget Kind = 2
	KindRegister     Kind = 3
	KindExchange     Kind = 4
	KindTick         Kind = 5
	KindFence        Kind = 6
	KindRestore      Kind = 8
	KindCheckpoint   Kind = 9
	KindRelease      Kind = 10
	KindPutRaise     Kind = 11
	KindEndRaise     Kind = 12
	KindTrip         Kind = 13
	KindReset        Kind = 14
	KindProbed       Kind = 15
)

// AccountKey names one account: a budget, the values it splits by, and the
// start of the window. A window of another start is another account (L6).
type AccountKey struct {
	Budget BudgetID
	Split  Split
	Start  Instant
}

// PutBudget creates or changes a rule. Outcome: Applied, Repeated if it says what it
// said, or the reason for refusing it. A changed limit moves `available` of every open account by the
// difference; unit, each and window of an existing budget cannot change. A zone
// of the same name counts as the same, and keeps the offsets it has.
//
// Expect is the version that is to be changed, as [Budget.Version] counts it, 0
// for whatever there is, ExpectNone for no rule of the id. Where it is another by
// now the outcome is StaleVersion.
type PutBudget struct {
	Budget Budget
	Expect uint64
}

// ExpectNone is the expectation that there is no budget of the id.
const ExpectNone uint64 = 1<<64 - 1

// DeleteBudget closes a budget and its accounts; they are not erased. Its raises
// and trips end.
type DeleteBudget struct {
	ID BudgetID
}

// Register opens the node's next incarnation. The leases of its earlier ones
// close on the evidence of its disk: for each, `Mark` is the durable upper
// bound of what may have been spent, `Proven` what settled records show.
// A lease without evidence was never used. If MarkSeq is below what the ledger
// has seen from this node, its disk was rolled back and what was outstanding
// is written off. A Store other than the first one seen is refused.
//
// Previous is the incarnation that this one follows, 0 for a node's first. It
// makes a Register that arrives late, or twice, harmless: had it closed the
// leases of the incarnation that runs by then, on evidence gathered before, it
// would have given away money that is being spent. A node that does not know
// the number sends 0; on StaleIncarnation it sends again with
// Outcome.Incarnation as Previous.
type Register struct {
	Node     NodeID
	Store    StoreID
	Previous uint32
	MarkSeq  uint64
	Evidence []Evidence
}

// Evidence is what a node's disk says of one earlier lease.
type Evidence struct {
	Account AccountKey
	// Incarnation had the lease. Evidence of any but the latest is ignored: its
	// lease is closed already. 0 stands for the latest.
	Incarnation uint32
	// Mark bounds spent + held + free at any time since its last sync. Only
	// overrun that no Exchange has reported yet may pass it.
	Mark Amount
	// Proven is the sum of that incarnation's settled charges to the account
	// with a durable usage record.
	Proven Amount
	// Overrun is the part of Proven beyond the holds it was charged to. It is
	// the only thing that lets a Mark pass what was granted.
	Overrun Amount
}

// Exchange is a node's one periodic message. All counters are cumulative for
// (account, node, incarnation) and merge by max (L3). Seq grows by one with
// each new Exchange; the same Seq again returns the stored answer.
type Exchange struct {
	Node        NodeID
	Incarnation uint32
	Seq         uint64
	MarkSeq     uint64
	Rows        []Row
	Needs       []Need
}

// Row reports one lease and asks for more.
type Row struct {
	Account  AccountKey
	Spent    Amount // settled, includes Overrun
	Overrun  Amount // the part of Spent beyond the holds it was charged to
	Returned Amount // given back; never more than granted - spent
	Want     Amount // how much more would let the node refill ahead
	Rate     Amount // recent spending, units per second
	// Done ends the lease: all but Spent is returned. What the node reports of
	// the account after that is a new lease, with counters from zero.
	Done bool
}

// Need is one waiting request: every claim is granted, or none is.
type Need struct {
	Claims []Claim
}

// Claim asks for Missing more on the lease of Rows[Row].
type Claim struct {
	Row     int
	Missing Amount
}

// Tick lets ledger time pass: windows open and close.
type Tick struct{}

// Fence is an operator's word that a node is dead for good. What its leases
// have outstanding is written off (slots are freed: a dead node holds none).
type Fence struct {
	Node NodeID
}

// Restore says that the log was taken back to a backup, and begins generation
// Generation, one more than the last. Leases of before are void: what they had
// outstanding is withheld, and so is what is available in every window that has
// begun (restore.go). Incarnations of the new generation are other ones.
type Restore struct {
	Generation uint32
}

// Release is an operator's word that what a Restore withheld of a budget was
// not spent.
type Release struct {
	ID BudgetID
}

// PutRaise begins a raise, or replaces the one of the same budget and id.
type PutRaise struct {
	Raise Raise
}

// EndRaise ends a raise before its time.
type EndRaise struct {
	Budget BudgetID
	ID     RaiseID
}

// TripBudget opens the breaker of a scope: its requests are refused. For is how
// long, in nanoseconds of ledger time, before probes are let through; 0 for until
// it is reset. A scope that is open already stays as it is.
type TripBudget struct {
	Scope  Scope
	Cause  Cause
	Reason string
	For    Instant
}

// ResetBreaker closes the breaker of a scope, or, where the budget asks for probes
// and Close is false, lets them through first.
type ResetBreaker struct {
	Scope Scope
	Close bool
}

// Probed reports how a probe of a half-open breaker ended. Serial is that of the
// trip it probed; a report of another one changes nothing.
type Probed struct {
	Scope  Scope
	Serial uint32
	Good   bool
}

// Checkpoint says which digest the whole replicated state had at an earlier
// Checkpoint, the entry Index; 0 says nothing. It changes no account: who keeps
// the log compares, and takes the digest for the next one.
type Checkpoint struct {
	Index  uint64
	Digest [32]byte
}

// Kind implements Command.
func (PutBudget) Kind() Kind    { return KindPutBudget }
func (DeleteBudget) Kind() Kind { return KindDeleteBudget }
func (Register) Kind() Kind     { return KindRegister }
func (*Exchange) Kind() Kind    { return KindExchange }
func (Tick) Kind() Kind         { return KindTick }
func (Fence) Kind() Kind        { return KindFence }
func (Restore) Kind() Kind      { return KindRestore }
func (Release) Kind() Kind      { return KindRelease }
func (Checkpoint) Kind() Kind   { return KindCheckpoint }
func (PutRaise) Kind() Kind     { return KindPutRaise }
func (EndRaise) Kind() Kind     { return KindEndRaise }
func (TripBudget) Kind() Kind   { return KindTrip }
func (ResetBreaker) Kind() Kind { return KindReset }
func (Probed) Kind() Kind       { return KindProbed }

// Outcome is what a command did. Answer is set for an Exchange that was Applied
// or Repeated; it is shared and must not be changed. Incarnation is set for a
// Register that was Applied and for StaleIncarnation.
type Outcome struct {
	Code        Code
	Incarnation uint32
	Answer      *Answer
}

// Code says how a command ended. Codes are stable: they cross the wire.
type Code uint8

// The codes. All but Applied changed nothing.
const (
	Applied          Code = 1
	Repeated         Code = 2 // an Exchange seen before: its stored answer; a rule or a raise that is there as it is
	StaleSeq         Code = 3 // an Exchange older than the last one
	StaleIncarnation Code = 4 // not the node's current incarnation, which is Outcome.Incarnation
	UnknownNode      Code = 5
	FencedNode       Code = 6
	StoreMismatch    Code = 7 // this NodeID belongs to another data directory
	InvalidCommand   Code = 8
	UnknownBudget    Code = 9
	BudgetImmutable  Code = 10 // unit, each or window of a budget cannot change
	LimitReached     Code = 11 // a table is full (L9)
	StaleGeneration  Code = 12 // not the generation that comes next
	StaleVersion     Code = 13 // the rule is not the one that was to be changed
	UnknownRaise     Code = 14
	UnknownTrip      Code = 15 // the breaker of the scope is closed, or was tripped again since
)

// Answer is the reply to an Exchange; Rows and Needs match its own by index.
type Answer struct {
	Node        NodeID
	Incarnation uint32
	Seq         uint64
	Rows        []AnswerRow
	Needs       []NeedResult
}

// AnswerRow is the account as the ledger sees it after the Exchange.
type AnswerRow struct {
	State AccountState
	// Granted is cumulative for this lease; the node may use it once it has this answer (L2).
	Granted Amount
	// Ceiling is available + everything outstanding on any node: a hold larger
	// than this can never be granted in this window unless the limit is raised.
	Ceiling Amount
	// Recall asks the holder to return this much idle allowance.
	Recall Amount
}

// AccountState says whether an account takes grants.
type AccountState uint8

// The account states.
const (
	Open      AccountState = 1
	NotYet    AccountState = 2 // its window is too far ahead of ledger time
	Ended     AccountState = 3 // its window is over: settle and return only
	Closed    AccountState = 4 // its budget was deleted
	NoAccount AccountState = 5 // no such budget, not a window start, or the table is full
	Unbacked  AccountState = 6 // the row claims spending that no grant backs; it was not applied
)

// NeedResult says whether one waiting request got its allowance.
type NeedResult struct {
	Verdict Verdict
	Row     int // for Contended and Exhausted: the row that was short
}

// Verdict is the answer to one Need.
type Verdict uint8

// The verdicts.
const (
	NeedGranted   Verdict = 1
	NeedContended Verdict = 2 // short now; returns or settles may still make it fit
	NeedExhausted Verdict = 3 // more than available and everything outstanding together
	NeedRefused   Verdict = 4 // an account of the chain takes no grants (see its row's State)
)
