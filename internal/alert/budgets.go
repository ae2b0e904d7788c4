package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"purser/ledger"
)

// endless is how long a window without an end is remembered.
const endless = 366 * ledger.Day

// Budget is a rule with what its conditions say about it.
type Budget struct {
	rule    *ledger.Budget
	each    []string
	watched bool
}

// NewBudget prepares a rule. It is watched if it is in dollars, or has alert
// levels: a limit of requests that is reached each minute is no news. A budget of
// slots spends nothing, and a limit of 0 refuses everything from the start.
func NewBudget(b *ledger.Budget) Budget {
	out := Budget{rule: b, watched: b.Unit != ledger.Slots && b.Limit > 0 && (b.Unit == ledger.USD || len(b.Alerts) > 0)}
	for _, d := range b.Each {
		out.each = append(out.each, d.String())
	}
	return out
}

// Watched reports whether its accounts have conditions.
func (b *Budget) Watched() bool { return b.watched }

// Account appends the conditions that hold of an account at now: what is settled and
// written off, as the ledger knows it, against the limit. Nodes report what they
// settle within a second; allowance that is out counts as unspent.
func (b *Budget) Account(dst []Condition, v *ledger.AccountView, now ledger.Instant) []Condition {
	if !b.watched || v.State != ledger.Open || v.Limit <= 0 {
		return dst
	}
	used := v.Spent + v.WrittenOff
	if level := b.reached(used, v.Limit); level > 0 {
		c := b.condition(BudgetLevel, v, uint32(level), now)
		c.Severity = Warning
		c.Summary = fmt.Sprintf("%s has used %d %% of %s: %s", b.name(v), level, b.amount(v.Limit), b.amount(used))
		c.Data["level"] = level
		dst = append(dst, c)
	}
	if used >= v.Limit {
		dst = append(dst, b.spent(v, used, now))
	}
	if v.Overrun > 0 {
		c := b.condition(BudgetOverrun, v, 1, now)
		c.Severity = Warning
		c.Summary = fmt.Sprintf("providers billed %s beyond what was held, charged to %s", b.amount(v.Overrun), b.name(v))
		c.Data["overrun"] = int64(v.Overrun)
		dst = append(dst, c)
	}
	return dst
}

// Refused is the condition of a budget that refused a request for want of money:
// what is left is less than a request needs, and may never be spent. While more than
// a tenth is left the request was large, and the budget is not exhausted.
func (b *Budget) Refused(v *ledger.AccountView, now ledger.Instant) (Condition, bool) {
	if !b.watched || b.rule.Soft || v.Limit <= 0 || !atLeast(v.Spent+v.WrittenOff+v.Outstanding, nearlyAll, v.Limit) {
		return Condition{}, false
	}
	return b.spent(v, v.Spent+v.WrittenOff, now), true
}

// nearlyAll is what percentage of a limit is spent or held when a refusal says that
// the budget is exhausted.
const nearlyAll = 90

func (b *Budget) spent(v *ledger.AccountView, used ledger.Amount, now ledger.Instant) Condition {
	kind, severity, what := BudgetExhausted, Critical, "is exhausted and refuses requests"
	if b.rule.Soft {
		kind, severity, what = BudgetSoftExceeded, Warning, "is exceeded; it is soft and refuses nothing"
	}
	c := b.condition(kind, v, 1, now)
	c.Severity = severity
	c.Summary = fmt.Sprintf("%s %s: %s of %s", b.name(v), what, b.amount(used), b.amount(v.Limit))
	return c
}

// reached is the highest alert level that is passed, 0 for none.
func (b *Budget) reached(used, limit ledger.Amount) (level uint8) {
	for _, l := range b.rule.Alerts {
		if l > level && atLeast(used, l, limit) {
			level = l
		}
	}
	return level
}

// atLeast reports whether used is at least that many percent of limit.
func atLeast(used ledger.Amount, percent uint8, limit ledger.Amount) bool {
	if used < 0 {
		return false
	}
	high, low := bits.Mul64(uint64(used), 100)
	wantHigh, wantLow := bits.Mul64(uint64(limit), uint64(percent))
	return high > wantHigh || high == wantHigh && low >= wantLow
}

// condition is one about an account. It is remembered by limit as well: whoever
// raises a limit wants to hear of the levels of the new one.
func (b *Budget) condition(kind string, v *ledger.AccountView, rank uint32, now ledger.Instant) Condition {
	sum := sha256.Sum256([]byte(v.Key.Split))
	c := Condition{
		Key:   strings.Join([]string{kind, string(v.Key.Budget), hex.EncodeToString(sum[:16]), strconv.FormatInt(int64(v.Key.Start), 36), strconv.FormatInt(int64(v.Limit), 36)}, "/"),
		Rank:  rank,
		Until: v.WindowEnd,
		Notice: Notice{Type: kind, Data: Data{
			"budget": string(v.Key.Budget), "unit": b.rule.Unit.String(), "limit": int64(v.Limit),
			"spent": int64(v.Spent), "written_off": int64(v.WrittenOff), "outstanding": int64(v.Outstanding),
		}},
	}
	if c.Until == ledger.MaxInstant {
		c.Until = now + endless
	} else {
		c.Data["window_start"], c.Data["window_end"] = clock(v.Key.Start), clock(v.WindowEnd)
	}
	if kind == BudgetOverrun {
		c.Key = c.Key[:strings.LastIndexByte(c.Key, '/')] // a limit has no part in it
	}
	if split := b.split(v.Key.Split); split != nil {
		c.Data["split"] = split
	}
	return c
}

// split is the account's values by the names of what they are of.
func (b *Budget) split(s ledger.Split) map[string]string {
	values := s.Values()
	if len(values) == 0 || len(values) != len(b.each) {
		return nil
	}
	out := make(map[string]string, len(values))
	for i, v := range values {
		out[b.each[i]] = v
	}
	return out
}

// name is the account for people.
func (b *Budget) name(v *ledger.AccountView) string {
	if v.Key.Split == "" {
		return "budget " + string(v.Key.Budget)
	}
	return clip(fmt.Sprintf("budget %s of %s", v.Key.Budget, strings.Join(v.Key.Split.Values(), ", ")), maxText)
}

// amount is an amount for people: dollars in cents, or in full below a dollar.
func (b *Budget) amount(a ledger.Amount) string {
	if b.rule.Unit != ledger.USD {
		return fmt.Sprintf("%d %s", a, b.rule.Unit)
	}
	const dollar = 1_000_000_000
	if a >= dollar {
		return fmt.Sprintf("$%d.%02d", a/dollar, a%dollar/10_000_000)
	}
	if a <= 0 {
		return "$0"
	}
	return "$0." + strings.TrimRight(fmt.Sprintf("%09d", a), "0")
}
