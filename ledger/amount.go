package ledger

// Amount is a quantity in the unit of its budget: nano-dollars for [USD],
// a count for [Tokens], [Requests] and [Slots]. It is never floating point.
type Amount int64

// NanoPerUSD is how many nano-dollars one dollar has.
const NanoPerUSD Amount = 1_000_000_000

// MaxAmount bounds every limit and counter, so that sums of two never overflow.
const MaxAmount Amount = 1 << 60

// Instant is ledger time: nanoseconds since the Unix epoch, UTC. It comes from
// the command that carries it, never from a clock read in this package.
type Instant int64

// Spans of ledger time, in the unit of [Instant].
const (
	Second Instant = 1_000_000_000
	Minute         = 60 * Second
	Hour           = 60 * Minute
	Day            = 24 * Hour
)

// MaxInstant is the end of a window that never ends.
const MaxInstant Instant = 1<<63 - 1

// Unit says what an account counts.
type Unit uint8

// The units a budget may have. USD and Tokens are held by a bound and settled
// by what was used; Requests and Slots are held by one, and a slot comes back
// when its request ends.
const (
	USD Unit = iota + 1
	Tokens
	Requests
	Slots
)

// NodeID names a node for all time. A node whose data directory is lost comes
// back under another ID.
type NodeID string

// StoreID is drawn at random when a node's data directory is made. The ledger
// remembers it, so that a wiped directory cannot come back under the old NodeID.
type StoreID [16]byte

// BudgetID names a budget: 1 to 64 characters of a-z, 0-9, '.', '_', '-'.
type BudgetID string
