package alert

import (
	"encoding/json"
	"fmt"

	"purser/internal/directory"
	"purser/ledger"
)

// Severity says how urgent an event is.
type Severity string

// The severities.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// The types of event. They are part of the wire format: append only.
const (
	BudgetLevel          = "budget.level"          // a level of a budget's alerts was passed
	BudgetExhausted      = "budget.exhausted"      // a hard budget is spent, or refuses requests
	BudgetSoftExceeded   = "budget.soft_exceeded"  // a soft budget is spent
	BudgetOverrun        = "budget.overrun"        // a provider billed beyond what was held
	UpstreamDown         = "upstream.down"         // a circuit breaker opened
	UpstreamUp           = "upstream.up"           // all are closed again
	AllowanceUnreachable = "allowance.unreachable" // a node that is gone holds part of budgets
	AllowanceReached     = "allowance.reached"     // it is back, or fenced
	NodeDown             = "node.down"
	NodeUp               = "node.up"
	ClockOdd             = "clock.odd" // a node's clock differs from the leader's
	ClockRight           = "clock.right"
	CertificateExpiring  = "certificate.expiring"
	CertificateRenewed   = "certificate.renewed"
	KeyExpiring          = "key.expiring"
	CredentialExpiring   = "credential.expiring"
	LoopDetected         = "loop.detected"      // a run repeats itself, or burns too fast
	SemanticError        = "semantic.error"     // the measured error of the semantic cache moves what it serves
	BudgetBreaker        = "budget.breaker"     // a budget's circuit breaker opened or closed
	CanaryRolledBack     = "canary.rolled_back" // a route's canary was no good
	SpendAnomaly         = "spend.anomaly"      // more is spent than usual
	SpendUsual           = "spend.usual"        // that is over
	ExportFailing        = "export.failing"     // files of an export could not be written
	Test                 = "alert.test"
)

// Types are all of them.
var Types = []string{
	BudgetLevel, BudgetExhausted, BudgetSoftExceeded, BudgetOverrun, UpstreamDown, UpstreamUp, AllowanceUnreachable, AllowanceReached,
	NodeDown, NodeUp, ClockOdd, ClockRight, CertificateExpiring, CertificateRenewed, KeyExpiring, CredentialExpiring, LoopDetected, BudgetBreaker, SemanticError, CanaryRolledBack, SpendAnomaly, SpendUsual, ExportFailing, Test,
}

// Data is what an event says to programs: names and values. Amounts are
// nano-dollars for usd, else counts. Text is cut to [maxText] bytes.
type Data map[string]any

// Notice is what an event says.
type Notice struct {
	Type     string
	Severity Severity
	Summary  string // one sentence for people
	Data     Data
}

// Condition is something that is so, or not.
type Condition struct {
	Key   string
	Rank  uint32         // how far it went; 0: it is not so
	Until ledger.Instant // how long to remember that it was told
	Notice
	// Over is told when the condition ends; nothing is if it has no Type.
	Over Notice
}

// maxText bounds each text of an event, so that one has room in a replicated
// command whatever the names of its budget are.
const maxText = 120

// body is the stored form of a notice, JSON of at most 2 KiB.
type body struct {
	Severity Severity `json:"severity"`
	Summary  string   `json:"summary"`
	Data     Data     `json:"data"`
}

// raise is what is proposed for a condition that is to be told.
func (c *Condition) raise() (directory.Raise, error) {
	n := &c.Notice
	if c.Rank == 0 {
		n = &c.Over
	}
	r := directory.Raise{Key: c.Key, Rank: c.Rank, Until: c.Until, Type: n.Type}
	if n.Type == "" {
		return r, nil
	}
	b := body{Severity: n.Severity, Summary: clip(n.Summary, 3*maxText), Data: Data{}}
	for name, v := range n.Data {
		b.Data[name] = clipped(v)
	}
	var err error
	if r.Body, err = json.Marshal(b); err != nil {
		return r, fmt.Errorf("alert %s: %w", c.Key, err)
	}
	if len(r.Body) > maxBody { // names of many characters that JSON escapes
		b.Summary, b.Data = clip(b.Summary, maxText), Data{"shortened": true}
		if r.Body, err = json.Marshal(b); err != nil {
			return r, fmt.Errorf("alert %s: %w", c.Key, err)
		}
	}
	return r, nil
}

// maxBody is what the directory takes of one event.
const maxBody = 2 << 10

func clipped(v any) any {
	switch v := v.(type) {
	case string:
		return clip(v, maxText)
	case []string:
		out := make([]string, 0, min(len(v), maxNames))
		for _, s := range v[:min(len(v), maxNames)] {
			out = append(out, clip(s, maxText/2))
		}
		return out
	case map[string]string:
		out := make(map[string]string, len(v))
		for name, s := range v {
			out[clip(name, maxText/2)] = clip(s, maxText/2)
		}
		return out
	default:
		return v
	}
}

// maxNames bounds the names that an event lists.
const maxNames = 8

// clip cuts s to at most n bytes, at the beginning of a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}

// Marks is what was told of conditions.
type Marks interface {
	AlertMark(key string) (directory.AlertMark, bool)
}

// News are the conditions that were not told: those that went further than what is
// remembered, and those that are over.
func News(told Marks, conditions []Condition) ([]directory.Raise, error) {
	var out []directory.Raise
	for i := range conditions {
		c := &conditions[i]
		mark, ok := told.AlertMark(c.Key)
		if ok == (c.Rank == 0) || c.Rank > mark.Rank {
			r, err := c.raise()
			if err != nil {
				return nil, err
			}
			out = append(out, r)
		}
	}
	return out, nil
}

// Raises are the conditions as they are, for a node that does not know what was told:
// the directory takes of them what is new.
func Raises(conditions []Condition) ([]directory.Raise, error) {
	out := make([]directory.Raise, 0, len(conditions))
	for i := range conditions {
		r, err := conditions[i].raise()
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// once is how long a notice is remembered that is told each time it happens: longer
// than nodes that see the same take to say so.
const once = ledger.Minute

// Once is the raise of a notice that is told each time it happens, and once if it is
// raised again under the same key within a minute.
func Once(key string, now ledger.Instant, n Notice) (directory.Raise, error) {
	c := Condition{Key: key, Rank: 1, Until: now + once, Notice: n}
	return c.raise()
}
