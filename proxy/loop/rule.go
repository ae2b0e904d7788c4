package loop

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"purser/ledger"
)

// Modes of a rule.
const (
	Watch   = "watch"   // tell, and let pass
	Enforce = "enforce" // refuse
)

// Spec is what an object of the kind "loop" says. Zero fields have the defaults of
// [Spec.Rule].
type Spec struct {
	// Match is the requests it is for: dimension to the values it may have. None
	// means every request that has a run or a session.
	Match map[string][]string `json:"match,omitempty"`
	// Mode is watch, the default, or enforce.
	Mode string `json:"mode,omitempty"`
	// Repeats is how many times in a row a step may be made; default 8, 3 to 1000.
	Repeats int `json:"repeats,omitempty"`
	// Similarity is from which part of their words on two steps are alike, in
	// percent; default 90, 50 to 100.
	Similarity int `json:"similarity,omitempty"`
	// Polling are patterns of the names of tools that wait for something; default
	// *status*, *poll*, *wait* and *sleep*. PollingRepeats is how often they may be
	// called; default 60, 3 to 10000.
	Polling        []string `json:"polling,omitempty"`
	PollingRepeats int      `json:"polling_repeats,omitempty"`
	// Window is how long an answer counts that only this node remembers; default
	// 10m, 10s to 24h.
	Window string `json:"window,omitempty"`
	// BurnTimes trips a minute that costs so many times the average of those before,
	// and at least BurnFloor dollars; 0 for never, else 2 to 10000. BurnFloor is 1
	// by default.
	BurnTimes int     `json:"burn_times,omitempty"`
	BurnFloor Dollars `json:"burn_floor,omitempty"`
	// CoolDown is how long a run is refused; default 10m, 1s to 24h.
	CoolDown string `json:"cool_down,omitempty"`
	// Forgiven are runs and sessions that an operator has reset, the latest last.
	Forgiven []Forgiven `json:"forgiven,omitempty"`
}

// Forgiven is one run or session, of every key, that begins anew.
type Forgiven struct {
	Dim   string `json:"dim"` // run or session
	Value string `json:"value"`
	At    string `json:"at"` // RFC 3339
}

// Forgive adds one that begins anew, in the place of the oldest where there are too
// many.
func (s *Spec) Forgive(f Forgiven) {
	s.Forgiven = append(slices.DeleteFunc(slices.Clone(s.Forgiven), func(o Forgiven) bool {
		return o.Dim == f.Dim && o.Value == f.Value
	}), f)
	if more := len(s.Forgiven) - MaxForgiven; more > 0 {
		s.Forgiven = s.Forgiven[more:]
	}
}

// Limits of a spec.
const (
	maxPolling  = 64
	MaxForgiven = 64
	maxPattern  = 128
	maxMatch    = 16
	maxValues   = 256
)

// Dollars is an amount as it was written: a text, or a number, which is read as its
// digits.
type Dollars string

// UnmarshalJSON implements json.Unmarshaler.
func (d *Dollars) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '"' {
		if string(b) != "null" {
			*d = Dollars(b)
		}
		return nil
	}
	return json.Unmarshal(b, (*string)(d))
}

// Validate says what is wrong with it, by the names of its fields.
func (s *Spec) Validate() error {
	_, err := s.Rule("")
	return err
}

// Rule is a spec, read.
type Rule struct {
	Name           string
	Match          []ledger.Condition
	Enforce        bool
	Repeats        int
	Similarity     float64
	Polling        []string
	PollingRepeats int
	Window         ledger.Instant
	BurnTimes      int
	BurnFloor      ledger.Amount // nano-dollars
	CoolDown       ledger.Instant
	forgiven       map[Forgiven]ledger.Instant // without At
}

var pollingDefault = []string{"*status*", "*poll*", "*wait*", "*sleep*"}

// Rule reads the spec.
func (s *Spec) Rule(name string) (*Rule, error) {
	var errs []error
	bound := func(what string, v, otherwise, low, high int) int {
		if v == 0 {
			return otherwise
		}
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("%s is %d, not within %d to %d", what, v, low, high))
		}
		return v
	}
	span := func(what, text string, otherwise, low, high time.Duration) ledger.Instant {
		if text == "" {
			return ledger.Instant(otherwise)
		}
		d, err := time.ParseDuration(text)
		if err != nil || d < low || d > high {
			errs = append(errs, fmt.Errorf("%s %q is not a duration within %v to %v", what, text, low, high))
		}
		return ledger.Instant(d)
	}
	r := &Rule{
		Name: name, Enforce: s.Mode == Enforce, Polling: s.Polling,
		Repeats:        bound("repeats", s.Repeats, 8, 3, 1000),
		Similarity:     float64(bound("similarity", s.Similarity, 90, 50, 100)) / 100,
		PollingRepeats: bound("polling_repeats", s.PollingRepeats, 60, 3, 10_000),
		BurnTimes:      bound("burn_times", s.BurnTimes, 0, 2, 10_000),
		Window:         span("window", s.Window, 10*time.Minute, 10*time.Second, 24*time.Hour),
		CoolDown:       span("cool_down", s.CoolDown, 10*time.Minute, time.Second, 24*time.Hour),
		BurnFloor:      ledger.NanoPerUSD,
	}
	if s.Mode != "" && s.Mode != Watch && s.Mode != Enforce {
		errs = append(errs, fmt.Errorf("mode %q is neither watch nor enforce", s.Mode))
	}
	if len(s.Polling) == 0 {
		r.Polling = pollingDefault
	}
	errs = append(errs, checkPatterns(s.Polling), r.readMatch(s.Match), r.readFloor(string(s.BurnFloor)), r.readForgiven(s.Forgiven))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return r, nil
}

func checkPatterns(patterns []string) error {
	if len(patterns) > maxPolling {
		return fmt.Errorf("polling has %d patterns, the most is %d", len(patterns), maxPolling)
	}
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil || p == "" || len(p) > maxPattern {
			return fmt.Errorf("polling: %q is no pattern such as get_*_status", p)
		}
	}
	return nil
}

func (r *Rule) readMatch(match map[string][]string) error {
	if len(match) > maxMatch {
		return fmt.Errorf("match has %d dimensions, the most is %d", len(match), maxMatch)
	}
	for name, values := range match {
		ref, err := ledger.ParseDimRef(name)
		if err != nil {
			return fmt.Errorf("match: %w", err)
		}
		if len(values) == 0 || len(values) > maxValues {
			return fmt.Errorf("match: %s has %d values, not 1 to %d", name, len(values), maxValues)
		}
		r.Match = append(r.Match, ledger.Condition{Dim: ref, Values: values})
	}
	return nil
}

// readFloor reads dollars, to the cent.
func (r *Rule) readFloor(text string) error {
	if text == "" {
		return nil
	}
	whole, cents, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole+(cents + "00")[:2], 10, 64)
	if err != nil || len(cents) > 2 || n < 0 || n > 100_000_000 {
		return fmt.Errorf("burn_floor %q is not dollars such as 0.50, of at most a million", text)
	}
	r.BurnFloor = ledger.Amount(n) * ledger.NanoPerUSD / 100
	return nil
}

func (r *Rule) readForgiven(list []Forgiven) error {
	if len(list) > MaxForgiven {
		return fmt.Errorf("forgiven has %d entries, the most is %d", len(list), MaxForgiven)
	}
	for _, f := range list {
		at, err := time.Parse(time.RFC3339Nano, f.At)
		if err != nil || f.Dim != "run" && f.Dim != "session" || f.Value == "" || len(f.Value) > ledger.MaxDimValue {
			return fmt.Errorf("forgiven: %+v is not a run or session and a time", f)
		}
		if r.forgiven == nil {
			r.forgiven = map[Forgiven]ledger.Instant{}
		}
		who := Forgiven{Dim: f.Dim, Value: f.Value}
		r.forgiven[who] = max(r.forgiven[who], ledger.Instant(at.UnixNano()))
	}
	return nil
}

// Covers reports whether the rule is for requests of these dimensions.
func (r *Rule) Covers(d *ledger.Dimensions) bool {
	for i := range r.Match {
		c := &r.Match[i]
		found := false
		for _, v := range c.Values {
			found = found || v == d.Get(c.Dim)
		}
		if !found {
			return false
		}
	}
	return true
}

// polls reports whether every one of these tools is there to wait with.
func (r *Rule) polls(tools []string) bool {
	for _, name := range tools {
		found := false
		for _, p := range r.Polling {
			ok, err := path.Match(p, strings.ToLower(name))
			found = found || err == nil && ok
		}
		if !found {
			return false
		}
	}
	return len(tools) > 0
}
