package lookalike

import (
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"time"

	"purser/api/admin"
	"purser/internal/litellm"
)

// limited is what an owner may spend, as LiteLLM says it.
type limited struct {
	litellm.Amounts
	spent *int64 // in the window of the budget of money; nil: there is none
	reset string // when that window ends
}

// into writes the fields of limits.
func (l *limited) into(row map[string]any) {
	row["max_budget"], row["soft_budget"], row["budget_duration"] = numberOrNull(l.Max), numberOrNull(l.Soft), orNull(l.Duration)
	row["rpm_limit"], row["tpm_limit"], row["max_parallel_requests"] = numberOrNull(l.RPM), numberOrNull(l.TPM), numberOrNull(l.Parallel)
	row["budget_reset_at"] = orNull(l.reset)
}

// spend is what was spent in the window of the budget, or else all that is known of.
func (l *limited) spend(known int64) dollars {
	if l.spent != nil {
		return dollars(*l.spent)
	}
	return dollars(known)
}

// money takes over a budget of dollars.
func (l *limited) money(b *admin.BudgetDetail) {
	l.Duration = litellm.Duration(b.Window)
	if b.Soft {
		l.Soft = b.Limit
	} else {
		l.Max = b.Limit
		if len(b.Alerts) > 0 {
			l.Soft = share(b.Limit, b.Alerts[0])
		}
	}
	var spent int64
	for _, a := range b.Accounts {
		spent += a.Spent
		l.reset = a.WindowEnd
	}
	l.spent = &spent
}

// share is so many percent of an amount.
func share(of json.Number, percent int) json.Number {
	r, ok := new(big.Rat).SetString(string(of))
	if !ok {
		return ""
	}
	const digits = nanoDigits + 2
	text := r.Mul(r, big.NewRat(int64(percent), 100)).FloatString(digits)
	return json.Number(strings.TrimSuffix(strings.TrimRight(text, "0"), "."))
}

// limitsOf reads the budgets of an owner by their ids.
func limitsOf(o litellm.Owner, have []admin.BudgetDetail) (out limited) {
	for i := range have {
		b := &have[i]
		switch part, ok := strings.CutPrefix(b.ID, o.ID+"."); {
		case !ok || !reflect.DeepEqual(b.Match, o.Match):
		case part == litellm.MoneyPart, part == litellm.SoftPart:
			out.money(b)
		case part == litellm.RequestsPart:
			out.RPM = b.Limit
		case part == litellm.TokensPart:
			out.TPM = b.Limit
		case part == litellm.SlotsPart:
			out.Parallel = b.Limit
		}
	}
	return out
}

// limitsOfKey reads a key's own budgets; rest are those that LiteLLM has no words for.
func limitsOfKey(have []admin.BudgetDetail) (out limited, rest []admin.KeyBudget) {
	for i := range have {
		b := &have[i]
		switch {
		case b.Unit == "usd" && out.spent == nil:
			out.money(b)
		case b.Unit == "requests" && b.Window == "minute":
			out.RPM = b.Limit
		case b.Unit == "tokens" && b.Window == "minute":
			out.TPM = b.Limit
		case b.Unit == "slots" && b.Window == "total":
			out.Parallel = b.Limit
		default:
			rest = append(rest, admin.KeyBudget{Unit: b.Unit, Limit: b.Limit, Window: b.Window, Zone: b.Zone, Soft: b.Soft, Alerts: b.Alerts})
		}
	}
	return out, rest
}

// made are the limits of amounts; a fault for what makes none.
func made(o litellm.Owner, a litellm.Amounts) ([]litellm.Limit, error) {
	if a.Max != "" && a.Soft != "" {
		soft, _ := new(big.Rat).SetString(string(a.Soft))
		hard, _ := new(big.Rat).SetString(string(a.Max))
		if soft == nil || hard == nil || soft.Cmp(hard) > 0 || soft.Sign() == 0 {
			return nil, admin.Invalid("soft_budget is to be above 0 and at most max_budget: it is the level at which that alerts")
		}
	}
	return o.Limits(a, &litellm.Report{}), nil
}

// ownBudgets are limits as own budgets of a key.
func ownBudgets(list []litellm.Limit) []admin.KeyBudget {
	out := []admin.KeyBudget{}
	for _, l := range list {
		out = append(out, admin.KeyBudget{Unit: l.Unit, Limit: l.Limit, Window: l.Window, Soft: l.Soft, Alerts: l.Alerts})
	}
	return out
}

// putLimits makes the budgets of an owner what amounts say, from those there are, and
// tells how to undo what it has made. Budgets come before what they bind.
func (s *session) putLimits(o litellm.Owner, a litellm.Amounts, have []admin.BudgetDetail) (u undo, err error) {
	limits, err := made(o, a)
	if err != nil {
		return nil, err
	}
	was := func(id string) *admin.BudgetDetail {
		if i := slices.IndexFunc(have, func(b admin.BudgetDetail) bool { return b.ID == id }); i >= 0 {
			return &have[i]
		}
		return nil
	}
	for _, l := range limits {
		b, version := admin.Budget{ID: l.ID, Match: l.Match, Each: l.Each}, uint64(0)
		if old := was(l.ID); old != nil {
			if !reflect.DeepEqual(old.Match, l.Match) {
				return u, admin.Conflict(fmt.Sprintf("there is a budget %s, of something else", l.ID))
			}
			b, version = old.Budget, old.Version
		}
		b.Unit, b.Limit, b.Window, b.Soft, b.Alerts = l.Unit, l.Limit, l.Window, l.Soft, l.Alerts
		if _, err := s.PutBudgetIf(s.ctx, b, admin.Version(version)); err != nil {
			return u, err
		}
		if version == 0 {
			u = append(u, func() error { return s.DeleteBudget(s.ctx, b.ID) })
		}
	}
	return u, s.dropLimits(o, have, limits)
}

// dropLimits deletes the budgets of an owner that are not among those to be kept.
func (s *session) dropLimits(o litellm.Owner, have []admin.BudgetDetail, keep []litellm.Limit) error {
	for _, part := range litellm.Parts {
		id := o.ID + "." + part
		there := slices.ContainsFunc(have, func(b admin.BudgetDetail) bool { return b.ID == id && reflect.DeepEqual(b.Match, o.Match) })
		if !there || slices.ContainsFunc(keep, func(l litellm.Limit) bool { return l.ID == id }) {
			continue
		}
		if err := s.DeleteBudget(s.ctx, id); err != nil && !isNotFound(err) {
			return err
		}
	}
	return nil
}

// spentBy is what each value of a dimension has spent, as far as the node's records go
// back.
func (s *session) spentBy(dim string) (map[string]int64, error) {
	report, err := s.Usage(s.ctx, admin.UsageQuery{From: time.Unix(1, 0).UTC().Format(time.RFC3339), Group: []string{dim}, Limit: maxSpenders, Raw: true})
	out := map[string]int64{}
	for i := range report.Rows {
		out[report.Rows[i].Group[dim]] = report.Rows[i].Cost
	}
	return out, err
}

// spent is the same of one.
func (s *session) spent(dim, value string) (int64, error) {
	report, err := s.Usage(s.ctx, admin.UsageQuery{From: time.Unix(1, 0).UTC().Format(time.RFC3339), Filter: map[string]string{dim: value}, Raw: true})
	return report.Total.Cost, err
}

// maxSpenders bounds the rows of a question about usage: all keys there can be.
const maxSpenders = 1 << 18
