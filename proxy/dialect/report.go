package dialect

import (
	"purser/ledger"
	"purser/proxy/price"
)

// UsageState says what an answer told about its usage.
type UsageState uint8

// The usage states.
const (
	// UsageMissing: the answer carried none. It is not zero: it is unknown.
	UsageMissing UsageState = iota
	// UsageReported: the provider's own figures, consistent in themselves.
	UsageReported
	// UsageUnusable: figures that contradict themselves or are out of range.
	UsageUnusable
)

// CostState says what an answer told about its cost, apart from its usage.
type CostState uint8

// The cost states.
const (
	// CostMissing: the answer stated none, as most providers' do.
	CostMissing CostState = iota
	// CostReported: an amount of dollars.
	CostReported
	// CostUnusable: something under that name that is no amount of dollars.
	CostUnusable
)

// Report is what an answer said about itself, whole or as far as it came.
type Report struct {
	ID          string // the provider's id of the call
	Model       string // the model that served it, by the provider's name
	ServiceTier string // as billed, "" when not stated
	Region      string // where it was processed, "" when not stated

	State UsageState
	Usage price.Usage // meaningful when State is UsageReported
	Why   string      // what is wrong, when State is UsageUnusable

	CostState CostState
	Cost      ledger.Amount // nano-dollars, rounded up; meaningful when CostState is CostReported

	Choices  int    // answers begun
	Finished int    // answers that stated why they finished
	Finish   string // the finish reason of the first of them

	// Done says that the answer came to its proper end: the [DONE] event of a
	// stream, or a whole JSON body.
	Done bool

	// Kept are the ids of parts of the answer that a later request can name, as
	// far as the provider keeps them.
	Kept []string

	// Failed is set when the answer carried an error instead of, or after, content.
	Failed *UpstreamError

	// OutputBytes is how much text the answer gave until now, in UTF-8 bytes,
	// and Deltas in how many pieces. Reasoning that is not shown is in neither.
	OutputBytes int64
	Deltas      int64
}

// Complete says whether the answer ended properly with every choice finished
// and no error: only such an answer may be stored.
func (r *Report) Complete() bool {
	return r.Done && r.Failed == nil && r.Choices > 0 && r.Finished == r.Choices
}

// EstimatedOutput is a count of the output tokens seen until now, for an answer
// broken off before its usage: the larger of one token a piece and one for
// every three bytes. It leaves out reasoning that was not shown.
func (r *Report) EstimatedOutput() int64 {
	return max(r.Deltas, (r.OutputBytes+2)/3)
}

// UpstreamError is an error as a provider stated it. Message is the provider's
// own and may quote the request.
type UpstreamError struct {
	Type, Code, Param, Message string
}

// MaxErrorText bounds what is kept of each text of a provider's error, in bytes.
const MaxErrorText = 2_048

// ClipError shortens a text of a provider's error to MaxErrorText, at a rune's
// border.
func ClipError(s string) string {
	if len(s) <= MaxErrorText {
		return s
	}
	n := MaxErrorText
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}
