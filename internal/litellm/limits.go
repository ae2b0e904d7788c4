package litellm

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Limit is one budget that is to be.
type Limit struct {
	ID     string
	Match  map[string][]string
	Unit   string // usd, tokens, requests, slots
	Limit  json.Number
	Window string
	Soft   bool
}

// owner is whose limits they are.
type owner struct {
	id, place string
	match     map[string][]string
}

// amounts are LiteLLM's fields of limits, of keys, teams and users alike.
type amounts struct {
	Max      json.Number
	Soft     json.Number
	Duration string
	RPM, TPM json.Number
	Parallel json.Number
}

// limits makes the budgets of an owner.
func limits(o owner, a amounts, r *Report) (out []Limit) {
	add := func(suffix, unit string, limit json.Number, window string, soft bool) {
		out = append(out, Limit{ID: o.id + "." + suffix, Match: o.match, Unit: unit, Limit: limit, Window: window, Soft: soft})
	}
	window, exact := windowOf(a.Duration)
	if !exact && (a.Max != "" || a.Soft != "") {
		r.note("%s: a budget_duration of %q becomes the window %q, which follows the calendar; the limit stays as it was, so it is not wider", o.place, a.Duration, window)
	}
	money := func(suffix string, limit json.Number, soft bool) {
		switch text, cut := nano(limit); {
		case limit == "":
		case strings.HasPrefix(string(limit), "-"):
			r.note("%s: a limit of %s is none; left out", o.place, limit)
		default:
			if cut {
				r.note("%s: a limit of %s is cut to nine decimals", o.place, limit)
			}
			add(suffix, "usd", text, window, soft)
		}
	}
	money("usd", a.Max, false)
	money("soft", a.Soft, true)
	for _, rate := range []struct {
		suffix, unit, window string
		limit                json.Number
	}{{"rpm", "requests", "minute", a.RPM}, {"tpm", "tokens", "minute", a.TPM}, {"parallel", "slots", "total", a.Parallel}} {
		if rate.limit == "" {
			continue
		}
		if n, err := strconv.ParseInt(string(rate.limit), 10, 64); err != nil || n < 0 {
			r.note("%s: %s of %s is no count; left out", o.place, rate.suffix, rate.limit)
			continue
		}
		add(rate.suffix, rate.unit, rate.limit, rate.window, false)
	}
	return out
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

// windowOf is the shortest window that is no shorter than a duration such as 30s,
// 30m, 24h, 7d or 1mo; exact, if it is one that LiteLLM resets by the calendar too.
func windowOf(duration string) (window string, exact bool) {
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
