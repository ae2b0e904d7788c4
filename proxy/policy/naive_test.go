package policy_test

import (
	"fmt"
	"math"
	"net"
	"regexp"
	"sort"
	"strings"
	"time"
)

// naive decides by walking the documents as they were written: maps, lists and
// texts. It shares nothing with the package under test, and is as slow as it is
// plain. Its third truth value is the error of a question that cannot be answered.
type naive struct {
	request map[string]any
	steps   []step // bounds, from cheapest to tightest
	now     int    // the step in use
	params  map[string]float64
	cels    map[string]func(*naive) (bool, error)
	touched bool // the bound was looked at
}

// step is a bound of input tokens; what the call costs follows from it and the
// parameters. A step below zero cannot be taken.
type step struct{ input float64 }

// cost is nano-dollars: both tell it by this formula, each in its own code.
func (n *naive) bound() (input, cost float64, err error) {
	n.touched = true
	for n.now < len(n.steps) && n.steps[n.now].input < 0 {
		n.now++
	}
	if n.now >= len(n.steps) {
		return 0, 0, fmt.Errorf("no bound")
	}
	in := n.steps[n.now].input
	return in, in*inPrice + n.params["max_output_tokens"]*n.params["n"]*outPrice, nil
}

const (
	inPrice  = 1_000
	outPrice = 4_000
)

type verdict struct {
	denied  string   // "policy/rule", or ""
	did     []string // "policy/rule effect", with "~" before those of shadow policies
	lowered map[string]float64
}

func (n *naive) decide(policies map[string]any) (v verdict) {
	var order []string
	for id := range policies {
		order = append(order, id)
	}
	sort.Slice(order, func(i, j int) bool {
		if a, b := float(object(policies[order[i]])["priority"]), float(object(policies[order[j]])["priority"]); a != b {
			return a < b
		}
		return order[i] < order[j]
	})
	defer func() { v.lowered = n.params }()
	for _, id := range order {
		p := object(policies[id])
		if !n.meant(p) {
			continue
		}
		shadow, step := "", n.now
		if p["mode"] == "shadow" {
			shadow = "~"
		}
		for _, r := range list(p["rules"]) {
			rule := object(r)
			name := id + "/" + rule["id"].(string)
			applies, err := n.answer(rule)
			effect := rule["outcome"].(string)
			if err != nil {
				effect = "undecided"
			} else if !applies {
				continue
			}
			if effect == "allow" {
				break
			}
			if effect == "rewrite" {
				before, after := n.params, map[string]float64{}
				changed := false
				for name, value := range before {
					after[name] = value
					if most, ok := object(rule["set"])[name]; ok && value > float(most) {
						after[name], changed = float(most), true
					}
				}
				if !changed {
					continue
				}
				if shadow == "" {
					n.params = after
				}
			}
			v.did = append(v.did, shadow+name+" "+map[string]string{"deny": "denied", "undecided": "undecided", "warn": "warned", "rewrite": "rewrote"}[effect])
			if effect == "deny" || effect == "undecided" {
				if shadow == "" {
					v.denied = name
					return v
				}
				break
			}
		}
		if shadow != "" {
			n.now = step
		}
	}
	return v
}

// answer asks a rule, again with each tighter bound while that can help the caller.
func (n *naive) answer(rule map[string]any) (applies bool, err error) {
	good := rule["outcome"] == "allow"
	for {
		n.touched = false
		applies, err = n.once(rule)
		if !n.touched || err == nil && applies == good {
			return applies, err
		}
		next := n.now + 1
		for next < len(n.steps) && (n.steps[next].input < 0 || n.steps[next].input >= n.steps[n.now].input) {
			next++
		}
		if next >= len(n.steps) {
			return applies, err
		}
		n.now = next
	}
}

func (n *naive) once(rule map[string]any) (bool, error) {
	when, unless := true, false
	var whenErr, unlessErr error
	strict := rule["outcome"] == "allow"
	if c, ok := rule["when"]; ok {
		when, whenErr = n.all(object(c), strict)
	}
	if whenErr == nil && !when {
		return false, nil
	}
	if c, ok := rule["unless"]; ok {
		unless, unlessErr = n.all(object(c), !strict)
	}
	switch {
	case unlessErr != nil:
		return false, unlessErr
	case unless:
		return false, nil
	}
	return when, whenErr
}

// all is whether every part of a condition holds. One that does not hold settles it,
// whatever cannot be answered.
func (n *naive) all(c map[string]any, strict bool) (bool, error) {
	var doubt error
	for name, value := range c {
		if name == "cel" || name == "over" {
			continue // asked last, and only where the others do not settle it
		}
		holds, err := n.part(name, value, strict)
		if err == nil && !holds {
			return false, nil
		}
		if err != nil {
			doubt = err
		}
	}
	for _, name := range []string{"over", "cel"} {
		if value, ok := c[name]; ok {
			holds, err := n.part(name, value, strict)
			if err == nil && !holds {
				return false, nil
			}
			if err != nil {
				doubt = err
			}
		}
	}
	return doubt == nil, doubt
}

func (n *naive) part(name string, value any, strict bool) (bool, error) {
	q := n.request
	route := object(q["route"])
	switch name {
	case "stream":
		return value == (q["stream"] == true), nil
	case "endpoints":
		return like(value, text(q["endpoint"])), nil
	case "providers":
		return like(value, text(route["provider"])), nil
	case "models":
		return like(value, text(q["model"])) || like(value, text(route["model"])), nil
	case "regions":
		return n.regions(value, list(route["regions"]), strict)
	case "addresses":
		return n.address(list(value))
	case "missing":
		for _, d := range list(value) {
			if n.dim(d.(string)) == "" {
				return true, nil
			}
		}
		return false, nil
	case "dims":
		for d, patterns := range object(value) {
			if v := n.dim(d); v == "" || !like(patterns, v) {
				return false, nil
			}
		}
		return true, nil
	case "times":
		for _, w := range list(value) {
			if n.within(object(w)) {
				return true, nil
			}
		}
		return false, nil
	case "over":
		return n.over(object(value))
	case "cel":
		return n.cels[value.(string)](n)
	}
	panic("the naive evaluator does not know " + name)
}

func (n *naive) regions(patterns any, where []any, strict bool) (bool, error) {
	if len(where) == 0 {
		where = []any{""}
	}
	fitting, doubtful := 0, 0
	for _, r := range where {
		if like(patterns, r.(string)) {
			fitting++
		} else if r == "" {
			doubtful++
		}
	}
	enough := 1
	if strict {
		enough = len(where)
	}
	if fitting >= enough {
		return true, nil
	}
	if fitting+doubtful >= enough {
		return false, fmt.Errorf("a region is not known")
	}
	return false, nil
}

func (n *naive) address(ranges []any) (bool, error) {
	ip := net.ParseIP(text(n.request["address"]))
	if ip == nil {
		return false, fmt.Errorf("no address")
	}
	for _, r := range ranges {
		if single := net.ParseIP(r.(string)); single != nil {
			if single.Equal(ip) {
				return true, nil
			}
			continue
		}
		_, block, err := net.ParseCIDR(r.(string))
		if err != nil {
			panic(err)
		}
		if block.Contains(ip) {
			return true, nil
		}
	}
	return false, nil
}

func (n *naive) dim(name string) string {
	switch name {
	case "key":
		return text(object(n.request["key"])["id"])
	case "model":
		return text(n.request["model"])
	case "provider":
		return text(object(n.request["route"])["provider"])
	}
	return text(object(n.request["dims"])[name])
}

// meant says whether the policy's match has the request.
func (n *naive) meant(p map[string]any) bool {
	for d, values := range object(p["match"]) {
		found := false
		for _, v := range list(values) {
			found = found || v == n.dim(d)
		}
		if !found {
			return false
		}
	}
	return true
}

// within lays the window out minute by minute over two weeks, so that what runs over
// the end of a week is there at its beginning.
func (n *naive) within(w map[string]any) bool {
	at, err := time.Parse(time.RFC3339, text(n.request["time"]))
	if err != nil {
		panic(err)
	}
	zone, err := time.LoadLocation(text(w["zone"]))
	if err != nil {
		panic(err)
	}
	local := at.In(zone)
	names := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	var week [14 * 1440]bool
	for day := range 14 {
		begins := w["days"] == nil
		for _, d := range list(w["days"]) {
			first, last, span := strings.Cut(d.(string), "-")
			if !span {
				last = first
			}
			for i, started := 0, false; i < 14; i++ {
				started = started || names[i%7] == first
				if started && names[i%7] == names[day%7] {
					begins = true
				}
				if started && names[i%7] == last {
					break
				}
			}
		}
		if !begins {
			continue
		}
		from, length := 0, 1440
		if w["from"] != nil {
			from = minutes(text(w["from"]))
			length = (minutes(text(w["to"])) - from + 1440) % 1440
			if minutes(text(w["to"])) == 1440 {
				length = 1440 - from
			}
		}
		for m := range length {
			if i := day*1440 + from + m; i < len(week) {
				week[i] = true
			}
		}
	}
	i := int(local.Weekday())*1440 + local.Hour()*60 + local.Minute()
	return week[7*1440+i] // the second week has what began in the first
}

func minutes(clock string) int {
	var h, m int
	if _, err := fmt.Sscanf(clock, "%d:%d", &h, &m); err != nil {
		panic(err)
	}
	return h*60 + m
}

func (n *naive) over(limits map[string]any) (bool, error) {
	for name, most := range limits {
		switch name {
		case "input_tokens", "cost_usd":
		case "max_output_tokens", "n", "temperature", "top_p":
			if v, ok := n.params[name]; ok && v > float(most) {
				return true, nil
			}
		default:
			if float(n.request[name]) > float(most) {
				return true, nil
			}
		}
	}
	if limits["input_tokens"] == nil && limits["cost_usd"] == nil {
		return false, nil
	}
	input, cost, err := n.bound()
	if err != nil {
		return false, err
	}
	if most, ok := limits["input_tokens"]; ok && input > float(most) {
		return true, nil
	}
	most, ok := limits["cost_usd"]
	return ok && cost > math.Round(float(most)*1e9), nil
}

// like says whether one of the patterns describes s, through a regular expression.
func like(patterns any, s string) bool {
	for _, p := range list(patterns) {
		e := "(?is)^" + strings.ReplaceAll(regexp.QuoteMeta(p.(string)), `\*`, ".*") + "$"
		if regexp.MustCompile(e).MatchString(s) {
			return true
		}
	}
	return false
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func float(v any) float64 {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case float64:
		return v
	}
	return 0
}
