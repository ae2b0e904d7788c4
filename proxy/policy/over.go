package policy

import (
	"fmt"
	"strconv"
	"strings"

	"purser/ledger"
)

// overTest is an Over that was read.
type overTest struct {
	limits []limit
	input  int64         // tokens; 0: no limit
	cost   ledger.Amount // nano-dollars; 0: no limit
}

// limit is one that needs no bound. Numbers are below 2^53, so that none is rounded.
type limit struct {
	what string
	most float64
	of   func(*run) float64
}

func (t *overTest) ask(r *run, _ bool) answer {
	for i := range t.limits {
		l := &t.limits[i]
		if n := l.of(r); n > l.most {
			if r.why != nil {
				r.say("%s is %s, above %s", l.what, number(n), number(l.most))
			}
			return yes
		}
	}
	if t.input == 0 && t.cost == 0 {
		r.say("no limit is exceeded")
		return no
	}
	b, ok := r.known()
	switch {
	case !ok:
		r.say("tokens and cost have no known bound")
		return unknown
	case t.input > 0 && b.Input > t.input:
		r.say("input_tokens may be %d, above %d", b.Input, t.input)
	case t.cost > 0 && b.Cost > t.cost:
		if r.why != nil {
			r.say("cost_usd may be %s, above %s", dollars(b.Cost), dollars(t.cost))
		}
	default:
		r.say("no limit is exceeded")
		return no
	}
	return yes
}

func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func dollars(a ledger.Amount) string {
	s := fmt.Sprintf("%d.%09d", a/ledger.NanoPerUSD, a%ledger.NanoPerUSD)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// newOver reads the limits.
func newOver(o *Over) (*overTest, error) {
	t := &overTest{}
	for _, l := range [...]struct {
		what string
		most *int64
		of   func(*run) float64
	}{
		{"max_output_tokens", o.MaxOutput, func(r *run) float64 { return float64(r.params.MaxOutput) }},
		{"n", o.N, func(r *run) float64 { return float64(r.params.N) }},
		{"tools", o.Tools, func(r *run) float64 { return float64(r.in.Tools) }},
		{"messages", o.Messages, func(r *run) float64 { return float64(r.in.Messages) }},
		{"images", o.Images, func(r *run) float64 { return float64(r.in.Images) }},
		{"files", o.Files, func(r *run) float64 { return float64(r.in.Files) }},
		{"input_bytes", o.InputBytes, func(r *run) float64 { return float64(r.in.InputBytes) }},
	} {
		if l.most == nil {
			continue
		}
		if *l.most < 0 || *l.most > maxLimit {
			return nil, fmt.Errorf("%s: %d is not within 0 to %d", l.what, *l.most, int64(maxLimit))
		}
		t.limits = append(t.limits, limit{l.what, float64(*l.most), l.of})
	}
	for _, l := range [...]struct {
		what string
		most *float64
		of   func(*run) float64
	}{
		{"temperature", o.Temperature, func(r *run) float64 { return r.params.Temperature }},
		{"top_p", o.TopP, func(r *run) float64 { return r.params.TopP }},
	} {
		if l.most == nil {
			continue
		}
		if !(*l.most >= 0 && *l.most <= maxSampling) {
			return nil, fmt.Errorf("%s: %v is not within 0 to %d", l.what, *l.most, maxSampling)
		}
		t.limits = append(t.limits, limit{l.what, *l.most, l.of})
	}
	if o.Input != nil {
		if t.input = *o.Input; t.input < 1 || t.input > maxLimit {
			return nil, fmt.Errorf("input_tokens: %d is not within 1 to %d", t.input, int64(maxLimit))
		}
	}
	if o.CostUSD != "" {
		var err error
		if t.cost, err = parseDollars(string(o.CostUSD)); err != nil {
			return nil, fmt.Errorf("cost_usd: %w", err)
		}
	}
	if len(t.limits) == 0 && t.input == 0 && t.cost == 0 {
		return nil, fmt.Errorf("sets no limit")
	}
	return t, nil
}

// maxDollars is beyond the cost of any call.
const maxDollars = 1_000_000

// parseDollars reads an amount above zero, with at most nine decimals.
func parseDollars(s string) (ledger.Amount, error) {
	whole, decimals, point := strings.Cut(s, ".")
	const places = 9
	if len(whole) == 0 || len(whole) > places || !digits(whole) || !digits(decimals) || point && decimals == "" || len(decimals) > places {
		return 0, fmt.Errorf("%q is no amount of dollars such as 0.25, with at most nine decimals", s)
	}
	n, err := strconv.ParseInt(whole+decimals+strings.Repeat("0", places-len(decimals)), 10, 64)
	if err != nil || n < 1 || n > maxDollars*int64(ledger.NanoPerUSD) {
		return 0, fmt.Errorf("%s is not above 0, and at most %d", s, maxDollars)
	}
	return ledger.Amount(n), nil
}

// caps are Caps that were read.
type caps struct{ Caps }

// lower gives p with what is above its cap lowered to it.
func (c *caps) lower(p Params) Params {
	if c.MaxOutput != nil {
		p.MaxOutput = min(p.MaxOutput, *c.MaxOutput)
	}
	if c.N != nil {
		p.N = min(p.N, *c.N)
	}
	if c.Temperature != nil {
		p.Temperature = min(p.Temperature, *c.Temperature)
	}
	if c.TopP != nil {
		p.TopP = min(p.TopP, *c.TopP)
	}
	return p
}

func newCaps(c *Caps) (*caps, error) {
	switch {
	case c == nil || *c == Caps{}:
		return nil, fmt.Errorf("a rewrite needs what to set")
	case c.MaxOutput != nil && (*c.MaxOutput < 1 || *c.MaxOutput > maxLimit):
		return nil, fmt.Errorf("max_output_tokens: %d is not within 1 to %d", *c.MaxOutput, int64(maxLimit))
	case c.N != nil && (*c.N < 1 || *c.N > maxLimit):
		return nil, fmt.Errorf("n: %d is not within 1 to %d", *c.N, int64(maxLimit))
	case c.Temperature != nil && !(*c.Temperature >= 0 && *c.Temperature <= maxSampling):
		return nil, fmt.Errorf("temperature: %v is not within 0 to %d", *c.Temperature, maxSampling)
	case c.TopP != nil && !(*c.TopP >= 0 && *c.TopP <= 1):
		return nil, fmt.Errorf("top_p: %v is not within 0 to 1", *c.TopP)
	}
	return &caps{*c}, nil
}

// Differences are the parameters that was lowered to, such as "n=1".
func (p Params) Differences(was Params) []string {
	var list []string
	add := func(what string, before, after float64) {
		if before != after {
			list = append(list, what+"="+number(after))
		}
	}
	add("max_output_tokens", float64(was.MaxOutput), float64(p.MaxOutput))
	add("n", float64(was.N), float64(p.N))
	add("temperature", was.Temperature, p.Temperature)
	add("top_p", was.TopP, p.TopP)
	return list
}
