package litellm

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
)

// Limit is one budget that is to be.
type Limit struct {
	ID     string
	Match  map[string][]string
	Each   []string
	Unit   string // usd, tokens, requests, slots
	Limit  json.Number
	Window string
	Soft   bool
	Alerts []int // percent
}

// Owner is whose limits they are.
type Owner struct {
	ID    string // what the IDs of the budgets begin with
	Place string // in a report
	Match map[string][]string
	Each  []string
}

// OwnerOf is a team, a member or a key, by its id here.
func OwnerOf(dim, id, place string) Owner {
	return Owner{ID: budgetName(dim + "." + id), Place: place, Match: map[string][]string{dim: {id}}}
}

// BudgetTag is the tag that keys of one budget of LiteLLM are bound to.
const BudgetTag = "tag:litellm-budget"

// OwnerOfBudget is LiteLLM's budget of an id, which each key that names it has for
// itself.
func OwnerOfBudget(id string) Owner {
	return Owner{ID: budgetName("budget." + id), Place: "budget " + id, Match: map[string][]string{BudgetTag: {id}}, Each: []string{"key"}}
}

// Amounts are LiteLLM's fields of limits, of keys, teams, users and budgets alike; ""
// is none.
type Amounts struct {
	Max, Soft json.Number // dollars
	Duration  string
	RPM, TPM  json.Number
	Parallel  json.Number
}

// The ends of the IDs of an owner's budgets.
const (
	MoneyPart    = "usd"
	SoftPart     = "soft"
	RequestsPart = "rpm"
	TokensPart   = "tpm"
	SlotsPart    = "parallel"
)

// Parts are all of them.
var Parts = []string{MoneyPart, SoftPart, RequestsPart, TokensPart, SlotsPart}

// Limits makes the budgets of an owner. A soft budget below a hard one becomes a level
// at which the hard one alerts.
func (o Owner) Limits(a Amounts, r *Report) (out []Limit) {
	add := func(suffix, unit string, limit json.Number, window string, soft bool) {
		out = append(out, Limit{ID: o.ID + "." + suffix, Match: o.Match, Each: o.Each, Unit: unit, Limit: limit, Window: window, Soft: soft})
	}
	window, exact := Window(a.Duration)
	if !exact && (a.Max != "" || a.Soft != "") {
		r.note("%s: a budget_duration of %q becomes the window %q, which follows the calendar; the limit stays as it was, so it is not wider", o.Place, a.Duration, window)
	}
	money := func(suffix string, limit json.Number, soft bool) {
		switch text, cut := nano(limit); {
		case limit == "":
		case strings.HasPrefix(string(limit), "-"):
			r.note("%s: a limit of %s is none; left out", o.Place, limit)
		default:
			if cut {
				r.note("%s: a limit of %s is cut to nine decimals", o.Place, limit)
			}
			add(suffix, "usd", text, window, soft)
		}
	}
	money(MoneyPart, a.Max, false)
	switch level := percent(a.Soft, a.Max); {
	case len(out) == 0:
		money(SoftPart, a.Soft, true)
	case level > 0:
		out[0].Alerts = []int{level}
	case a.Soft != "":
		r.note("%s: a soft_budget of %s is none below the max_budget of %s; left out", o.Place, a.Soft, a.Max)
	}
	for _, rate := range []struct {
		suffix, unit, window string
		limit                json.Number
	}{{RequestsPart, "requests", "minute", a.RPM}, {TokensPart, "tokens", "minute", a.TPM}, {SlotsPart, "slots", "total", a.Parallel}} {
		if rate.limit == "" {
			continue
		}
		if n, err := strconv.ParseInt(string(rate.limit), 10, 64); err != nil || n < 0 {
			r.note("%s: %s of %s is no count; left out", o.Place, rate.suffix, rate.limit)
			continue
		}
		add(rate.suffix, rate.unit, rate.limit, rate.window, false)
	}
	return out
}

// percent is how much a soft limit is of a hard one, downwards; 0 if that is no level.
func percent(soft, hard json.Number) int {
	s, ok := new(big.Rat).SetString(string(soft))
	h, known := new(big.Rat).SetString(string(hard))
	if !ok || !known || s.Sign() <= 0 || s.Cmp(h) > 0 {
		return 0
	}
	share := s.Quo(s, h)
	share.Mul(share, big.NewRat(100, 1))
	return max(1, int(new(big.Int).Quo(share.Num(), share.Denom()).Int64()))
}

// nano cuts dollars to nine decimals.
func nano(n json.Number) (out json.Number, cut bool) {
	whole, fraction, _ := strings.Cut(string(n), ".")
	const decimals = 9
	if len(fraction) > decimals {
		return json.Number(whole + "." + fraction[:decimals]), true
	}
	return n, false
}

// Window is the shortest window that is no shorter than a duration such as 30s,
// 30m, 24h, 7d or 1mo; exact, if it is one that LiteLLM resets by the calendar too.
func Window(duration string) (window string, exact bool) {
	if duration == "" {
		return "total", true
	}
	digits := strings.TrimRight(duration, "smhdwo")
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n <= 0 {
		return "total", false
	}
	const day = 24 * 60 * 60
	seconds := map[string]int64{"s": 1, "m": 60, "h": 60 * 60, "d": day, "w": 7 * day, "mo": 31 * day}[duration[len(digits):]]
	if seconds == 0 {
		return "total", false
	}
	for _, w := range []struct {
		name    string
		seconds int64
	}{{"minute", 60}, {"hour", 60 * 60}, {"day", day}, {"week", 7 * day}, {"month", 31 * day}} {
		if n*seconds <= w.seconds {
			return w.name, n*seconds == w.seconds
		}
	}
	return "total", false
}

// Duration is LiteLLM's word for a window; "" for one that never ends.
func Duration(window string) string {
	return map[string]string{"minute": "1m", "hour": "1h", "day": "1d", "week": "7d", "month": "30d"}[window]
}
