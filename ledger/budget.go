package ledger

// Budget is a rule: which requests it covers, how it splits into accounts,
// what it counts and how much of it one window may have.
type Budget struct {
	ID     BudgetID
	Match  []Condition // every condition must hold; none means every request
	Each   []DimRef    // one account per distinct values; a request lacking one of them is not covered
	Unit   Unit
	Limit  Amount // per account and window, > 0 (0 closes the budget to all spending)
	Window Window
	Soft   bool    // counted and alerted, never refused
	Alerts []uint8 // percent of the limit, ascending, 1 to 100

	Breaker Breaker
}

// Condition holds when the dimension has one of the values.
type Condition struct {
	Dim    DimRef
	Values []string
}

// Split is the canonical form of the values an account splits by; "" for a
// budget without Each.
type Split string

// WindowKind says how long a window is.
type WindowKind uint8

// The window kinds. Week windows start on Monday.
const (
	Total WindowKind = iota + 1
	PerMinute
	PerHour
	PerDay
	PerWeek
	PerMonth
)

// Window is a kind and the zone whose wall clock aligns it.
type Window struct {
	Kind WindowKind
	Zone Zone
}

// Zone is a time zone as data: the ledger carries the offsets themselves, so
// that two nodes with other time zone databases compute the same windows (L8).
// The zero Zone is UTC.
type Zone struct {
	Name        string // as in the IANA database; for display only
	Base        int32  // seconds east of UTC before the first transition
	Transitions []Transition
}

// Transition is a change of offset at an instant.
type Transition struct {
	At     Instant
	Offset int32 // seconds east of UTC from At on
}
