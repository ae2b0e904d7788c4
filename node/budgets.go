package node

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"purser/api/admin"
	"purser/ledger"
)

// ruleOf reads a budget of the API.
func ruleOf(in admin.Budget) (ledger.Budget, error) {
	b := ledger.Budget{ID: ledger.BudgetID(in.ID), Soft: in.Soft}
	var err error
	if b.Unit, err = ledger.ParseUnit(in.Unit); err != nil {
		return b, admin.Invalid(err.Error())
	}
	b.Limit, err = ParseLimit(in.Limit.String(), b.Unit)
	if err != nil {
		return b, admin.Invalid(err.Error())
	}
	if b.Window.Kind, err = ledger.ParseWindowKind(in.Window); err != nil {
		return b, admin.Invalid(err.Error())
	}
	if b.Window.Zone, err = zoneOf(in.Zone); err != nil {
		return b, err
	}
	for name, values := range in.Match {
		ref, err := ledger.ParseDimRef(name)
		if err != nil {
			return b, admin.Invalid("match: " + err.Error())
		}
		sorted := slices.Clone(values)
		slices.Sort(sorted)
		b.Match = append(b.Match, ledger.Condition{Dim: ref, Values: slices.Compact(sorted)})
	}
	slices.SortFunc(b.Match, func(x, y ledger.Condition) int { return strings.Compare(x.Dim.String(), y.Dim.String()) })
	for _, name := range in.Each {
		ref, err := ledger.ParseDimRef(name)
		if err != nil {
			return b, admin.Invalid("each: " + err.Error())
		}
		b.Each = append(b.Each, ref)
	}
	for _, a := range in.Alerts {
		if a < 1 || a > 100 {
			return b, admin.Invalid(fmt.Sprintf("alert level %d is not a percentage from 1 to 100", a))
		}
		b.Alerts = append(b.Alerts, uint8(a))
	}
	slices.Sort(b.Alerts)
	if b.Breaker, err = breakerOf(in.Breaker, b.Unit); err != nil {
		return b, err
	}
	if err := b.Validate(); err != nil {
		return b, admin.Invalid(err.Error())
	}
	return b, nil
}

// ruleText is the inverse of ruleOf.
func ruleText(b *ledger.Budget) admin.Budget {
	out := admin.Budget{
		ID: string(b.ID), Unit: b.Unit.String(), Window: b.Window.Kind.String(), Zone: b.Window.Zone.Name,
		Soft: b.Soft, Limit: json.Number(limitText(b.Limit, b.Unit)), Breaker: breakerRuleText(b), Version: b.Version(),
	}
	for _, c := range b.Match {
		if out.Match == nil {
			out.Match = map[string][]string{}
		}
		out.Match[c.Dim.String()] = c.Values
	}
	for _, r := range b.Each {
		out.Each = append(out.Each, r.String())
	}
	for _, a := range b.Alerts {
		out.Alerts = append(out.Alerts, int(a))
	}
	return out
}

// usdDecimals is how many decimals a nano-dollar has.
const usdDecimals = 9

// ParseLimit reads dollars with at most nine decimals, or a whole count.
func ParseLimit(text string, unit ledger.Unit) (ledger.Amount, error) {
	decimals := 0
	if unit == ledger.USD {
		decimals = usdDecimals
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) > decimals || whole == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, fmt.Errorf("limit %q is not a %s amount (dollars may have nine decimals, counts none; no sign, no exponent)", text, unit)
	}
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", decimals-len(fraction)), 10, 64)
	if err != nil || ledger.Amount(n) > ledger.MaxAmount {
		return 0, fmt.Errorf("limit %q is too large", text)
	}
	return ledger.Amount(n), nil
}

func limitText(a ledger.Amount, unit ledger.Unit) string {
	if unit != ledger.USD {
		return strconv.FormatInt(int64(a), 10)
	}
	text := fmt.Sprintf("%d.%09d", a/ledger.NanoPerUSD, a%ledger.NanoPerUSD)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// Zones are carried as data for these years: far enough for any window that a
// budget made now will have, few enough transitions for one log entry.
const (
	zoneFromYear = 2024
	zoneToYear   = 2056
)

// zoneOf writes down an IANA zone's offsets, so that every node computes the
// same windows whatever time zone database it has.
func zoneOf(name string) (ledger.Zone, error) {
	if name == "" || name == "UTC" {
		return ledger.Zone{}, nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return ledger.Zone{}, admin.Invalid(fmt.Sprintf("zone %q is not a name of the IANA time zone database, such as Europe/Berlin", name))
	}
	at := time.Date(zoneFromYear, 1, 1, 0, 0, 0, 0, time.UTC).In(loc)
	_, base := at.Zone()
	zone := ledger.Zone{Name: name, Base: int32(base)}
	end := time.Date(zoneToYear, 1, 1, 0, 0, 0, 0, time.UTC)
	last := base
	for {
		_, next := at.ZoneBounds()
		if next.IsZero() || next.After(end) {
			return zone, nil
		}
		if !next.After(at) {
			// Package time ends some bounds where they begin, on the last day of a
			// leap year; the transitions go on after it.
			at = at.AddDate(0, 0, 1)
			continue
		}
		if _, offset := next.Zone(); offset != last {
			zone.Transitions = append(zone.Transitions, ledger.Transition{At: ledger.Instant(next.UnixNano()), Offset: int32(offset)})
			last = offset
		}
		at = next
	}
}

// accountText writes one account for the API.
func accountText(b *ledger.Budget, v ledger.AccountView) admin.Account {
	out := admin.Account{
		Budget: string(v.Key.Budget), Unit: v.Unit.String(), State: v.State.String(),
		WindowStart: timeText(v.Key.Start), WindowEnd: timeText(v.WindowEnd),
		Limit: int64(v.Limit), Available: int64(v.Available), Outstanding: int64(v.Outstanding),
		Spent: int64(v.Spent), Presumed: int64(v.Presumed), WrittenOff: int64(v.WrittenOff), Withheld: int64(v.Withheld), Overrun: int64(v.Overrun),
	}
	out.Split = splitText(b, v.Key.Split)
	return out
}

// splitText names the values of a split by their dimensions; nil for "".
func splitText(b *ledger.Budget, split ledger.Split) map[string]string {
	var out map[string]string
	for i, value := range split.Values() {
		if out == nil {
			out = map[string]string{}
		}
		if i < len(b.Each) {
			out[b.Each[i].String()] = value
		}
	}
	return out
}

// ReadBudget is a budget as the ledger has it.
func ReadBudget(in admin.Budget) (ledger.Budget, error) { return ruleOf(in) }

// NormalBudget is a budget as this node would store it and show it again.
func NormalBudget(in admin.Budget) (admin.Budget, error) {
	b, err := ruleOf(in)
	if err != nil {
		return in, err
	}
	return ruleText(&b), nil
}
