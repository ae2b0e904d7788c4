package waste

import "purser/ledger"

// Options are what is taken for evidence.
type Options struct {
	Now ledger.Instant // when the report is made

	ExactWindow ledger.Instant // that an answer can be given again for
	NearWindow  ledger.Instant
	LoopWindow  ledger.Instant // between two of the same calls in a run
	CacheLife   ledger.Instant // of a prompt at a provider, from its last use
	AgainWindow ledger.Instant // in which a question whose answer was cut is asked again
	Reporting   ledger.Instant // after which outcomes have been reported

	LoopFrom    int     // which of the same calls in a row is the first of a loop
	FarAbove    int     // an input is far above its peers' from so many times their median on
	LeastPeers  int64   // records of a group of peers
	LeastJudged int64   // answers of known worth, of each side of a comparison
	LeastRuns   int64   // of a group
	Reported    float64 // the share of runs of a group that have outcomes, for one without to mean something
	Tolerance   float64 // of quality, 0 to 1
	Z           float64 // of confidence bounds

	Limits Limits
}

// Limits bound what is remembered.
type Limits struct {
	Calls  int // of each kind of memory of the last hour; twice as many are kept
	Runs   int // in one survey
	Groups int // tasks, peers and prefixes, each; and values of a dimension in a tally
	Models int // of a task
}

// Default are the options of reports.
func Default(now ledger.Instant) Options {
	return Options{
		Now:         now,
		ExactWindow: ledger.Hour, NearWindow: ledger.Hour, LoopWindow: 10 * ledger.Minute,
		CacheLife: 5 * ledger.Minute, AgainWindow: 10 * ledger.Minute, Reporting: 24 * ledger.Hour,
		LoopFrom: 3, FarAbove: 4, LeastPeers: 50, LeastJudged: 30, LeastRuns: 20, Reported: 0.8,
		Tolerance: 0.03, Z: 1.645, // 95 % of one side
		Limits: Limits{Calls: 1 << 16, Runs: 1 << 18, Groups: 1 << 12, Models: 16},
	}
}
