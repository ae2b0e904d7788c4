package ledger

// Limits of single fields and commands. A command beyond one of them is
// refused as InvalidCommand.
const (
	// MaxEach bounds the dimensions a budget splits by, and with it the length
	// of an account's key.
	MaxEach = 8
	// MaxConditions and MaxConditionValues bound the work of matching one
	// request against one budget.
	MaxConditions      = 16
	MaxConditionValues = 256
	// MaxAlerts bounds the alert levels of one budget.
	MaxAlerts = 16
	// MaxTransitions is enough for two changes of offset a year over 250 years.
	MaxTransitions = 512
	// MaxZoneName is longer than any name in the time zone database.
	MaxZoneName = 64
	// MaxBudgetID is the longest budget ID.
	MaxBudgetID = 64
	// MaxNodeID is the longest node ID.
	MaxNodeID = 128
	// MaxRaises bounds the raises of one budget that are in force, and MaxTrips its
	// breakers that are not closed: both are looked at for every account.
	MaxRaises = 16
	MaxTrips  = 256
	// MaxReason bounds what is said about a raise or a trip.
	MaxReason = 256
	// MaxProbes bounds how many requests a half-open breaker wants to see.
	MaxProbes = 100
	// MaxRateTimes bounds the factor at which a budget's own rate trips it.
	MaxRateTimes = 10_000
	// MaxCoolDown bounds how long a breaker rests.
	MaxCoolDown = 31 * Day
	// MaxRows and MaxNeeds bound one Exchange, and with it the time one log
	// entry takes.
	MaxRows  = 4096
	MaxNeeds = 4096
	// MaxClaims bounds the chain of one request: more accounts than a request
	// has dimensions.
	MaxClaims = 64
	// MaxEvidence bounds a Register: every lease a node may have.
	MaxEvidence = 1 << 17
	// maxRate bounds the rate of one lease, so that the sum over every holder
	// of an account cannot overflow. It is 17,000 USD or 2^44 tokens a second.
	maxRate Amount = 1 << 44
)

// PreGrant is how long before a window starts its accounts take grants, so
// that the first requests of a window need not wait (L6). It covers an
// Exchange, the refresh of the marks and the usual error of a node's clock.
const PreGrant = 5 * Second

// recallLife is how long a shortage is remembered: longer than the admission
// wait after which the request that was short has given up or asked again.
const recallLife = Second

// limits are the sizes of the tables (L9). They decide outcomes, so every
// replica must have the same ones.
type limits struct {
	budgets           int // including deleted ones that still have accounts
	nodes             int // including fenced ones
	accounts          int
	accountsPerBudget int // so that one budget with too fine a split leaves room for the others
	leases            int
	leasesPerNode     int // so that its evidence fits one Register
	donePerNode       int // of those, leases that are done: see account.forgot
	raises            int // in force, of all budgets
	sweep             int // accounts dropped by one Tick, so that it stays short
}

var defaultLimits = limits{
	budgets:           1 << 14,
	nodes:             1 << 12,
	accounts:          1 << 21,
	accountsPerBudget: 1 << 20,
	leases:            1 << 22,
	leasesPerNode:     MaxEvidence,
	donePerNode:       MaxEvidence / 2,
	raises:            1 << 12,
	sweep:             1 << 15,
}
