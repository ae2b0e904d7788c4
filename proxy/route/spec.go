package route

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"purser/ledger"
	"purser/proxy/policy"
)

// Limits of a route.
const (
	// MaxCandidates is how many a route may have: each is priced for each request.
	MaxCandidates = 16
	// MaxAttempts is the most that one candidate is asked for one request.
	MaxAttempts = 5
	// MaxWeight is the largest weight.
	MaxWeight = 1_000_000

	maxTokens = 1 << 30
)

// Strategy says how candidates are put in order.
type Strategy string

// The strategies.
const (
	Fallback    Strategy = "fallback"     // as they are written
	Weighted    Strategy = "weighted"     // by chance, in proportion to their weights
	Cheapest    Strategy = "cheapest"     // by what the request is expected to cost
	Fastest     Strategy = "fastest"      // by how soon they lately began to answer
	BudgetAware Strategy = "budget_aware" // as they are written, and cheaper as a budget nears its limit
	Rules       Strategy = "rules"        // the first whose condition holds
	Learned     Strategy = "learned"      // by what a learner says
)

var strategies = []Strategy{Fallback, Weighted, Cheapest, Fastest, BudgetAware, Rules, Learned}

// Need is something that a request asks of a model.
type Need string

// The needs.
const (
	Tools      Need = "tools"
	Images     Need = "images"
	Files      Need = "files"
	JSONSchema Need = "json_schema"
)

var needs = []Need{Tools, Images, Files, JSONSchema}

// Cause is why an attempt gave no answer, as far as it matters to the next candidate.
type Cause string

// The causes.
const (
	Failing     Cause = "error"          // no answer, one that broke off, or a status that passes, but for those below
	Timeout     Cause = "timeout"        // no answer in time: the provider may bill it all the same
	RateLimited Cause = "rate_limit"     // status 429
	Unavailable Cause = "unavailable"    // its circuit breaker is open, or it refuses the credential or the model
	TooLong     Cause = "context_length" // it says that the prompt is too long
	Budget      Cause = "budget"         // a budget or limit of this gateway has no room for it
)

var causes = []Cause{Failing, Timeout, RateLimited, Unavailable, TooLong, Budget}

// usualCauses are those of a route that names none. A timeout is not among them:
// another attempt would make the caller wait, and perhaps pay, twice.
var usualCauses = []Cause{Failing, RateLimited, Unavailable, TooLong}

// Values of OnDenied.
const (
	Next   = "next"   // the candidate is passed over
	Refuse = "refuse" // the request is denied
)

// Candidate is one model that a route may lead to.
type Candidate struct {
	// ID names it within the route; default the model, with "@" and the upstream if
	// that is given.
	ID       string `json:"id,omitempty"`
	Model    string `json:"model"`              // as upstreams name it
	Upstream string `json:"upstream,omitempty"` // "" for the first that serves the model

	// Weight is its share of a weighted route, 0 to 1,000,000. 0: it is tried after all
	// others. Default 1 for each where no candidate has one, else 0.
	Weight int `json:"weight,omitempty"`
	// Quality is how good its answers are thought to be before anything is learned, 0
	// to 1.
	Quality float64 `json:"quality,omitempty"`
	// When is a condition in CEL over the facts that policies know, with route.* and
	// cost.* those of this candidate. "": always.
	When string `json:"when,omitempty"`
	// MaxInput is the longest prompt it is asked, in about tokens; 0 for the model's
	// context window.
	MaxInput int64 `json:"max_input_tokens,omitempty"`
	// Lacks is what it cannot do: requests which need that go elsewhere.
	Lacks []Need `json:"lacks,omitempty"`
}

// Shift says from and until which share of a budget a budget_aware route moves to
// cheaper candidates, in percent of what may be spent.
type Shift struct {
	From  int `json:"from,omitempty"`  // 1 to 99, default 80
	Until int `json:"until,omitempty"` // above From, to 100, default 100
}

// Spec is what an operator writes of a route.
type Spec struct {
	Strategy   Strategy    `json:"strategy,omitempty"` // default fallback
	Candidates []Candidate `json:"candidates,omitempty"`
	// Sticky is the dimension whose values keep to a candidate: session, run, member or
	// customer; "" for none.
	Sticky string `json:"sticky,omitempty"`
	// Baseline is the candidate that savings are counted against, by its ID; "" for none.
	Baseline string `json:"baseline,omitempty"`
	// MaxAttempts is how often each candidate is asked before the next, 1 to 5, default 1.
	MaxAttempts int `json:"max_attempts,omitempty"`
	// RetryOn are the causes for which the next candidate is tried; default error,
	// rate_limit, unavailable, context_length, and for budget_aware budget.
	RetryOn []Cause `json:"retry_on,omitempty"`
	// OnDenied says what happens where a policy or redaction forbids a candidate: next
	// (the default) or refuse.
	OnDenied string `json:"on_denied,omitempty"`
	// ExpectedOutput is how many tokens an answer is expected to have; default 512.
	ExpectedOutput int64  `json:"expected_output_tokens,omitempty"`
	Shift          *Shift `json:"shift,omitempty"` // of budget_aware
	// Learner is the learned artifact that scores the candidates, by its ID.
	Learner string `json:"learner,omitempty"`
}

// stickies are the dimensions that a route can stick to.
var stickies = map[string]ledger.Dim{
	"session": ledger.DimSession, "run": ledger.DimRun, "member": ledger.DimMember, "customer": ledger.DimCustomer,
}

// name is the candidate's ID.
func (c *Candidate) name() string {
	switch {
	case c.ID != "":
		return c.ID
	case c.Upstream != "":
		return c.Model + "@" + c.Upstream
	}
	return c.Model
}

// validate reports everything that is wrong but for conditions.
func (s *Spec) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !slices.Contains(strategies, s.Strategy) {
		bad("strategy: %q is not %s", policy.Clip(string(s.Strategy)), oneOf(strategies))
	}
	if _, ok := stickies[s.Sticky]; s.Sticky != "" && !ok {
		bad("sticky: %q is not session, run, member or customer", policy.Clip(s.Sticky))
	}
	if s.MaxAttempts < 0 || s.MaxAttempts > MaxAttempts {
		bad("max_attempts: %d is not within 1 to %d", s.MaxAttempts, MaxAttempts)
	}
	for _, c := range s.RetryOn {
		if !slices.Contains(causes, c) {
			bad("retry_on: %q is not %s", policy.Clip(string(c)), oneOf(causes))
		}
	}
	if s.OnDenied != "" && s.OnDenied != Next && s.OnDenied != Refuse {
		bad("on_denied: %q is not %s or %s", policy.Clip(s.OnDenied), Next, Refuse)
	}
	if s.ExpectedOutput < 0 || s.ExpectedOutput > maxTokens {
		bad("expected_output_tokens: %d is not within 1 to %d", s.ExpectedOutput, maxTokens)
	}
	if (s.Learner != "") != (s.Strategy == Learned) {
		bad("learner: it goes with the strategy %s, and that with it", Learned)
	}
	errs = append(errs, text("learner", s.Learner), s.validateShift(), s.validateCandidates())
	return errors.Join(errs...)
}

func (s *Spec) validateShift() error {
	if s.Shift == nil {
		return nil
	}
	if s.Strategy != BudgetAware {
		return fmt.Errorf("shift: it goes with the strategy %s", BudgetAware)
	}
	if from, until := s.shift(); from < 0 || until <= from || until > 100 {
		return fmt.Errorf("shift: %d to %d percent does not rise within 0 to 100", from, until)
	}
	return nil
}

// shift is where a budget_aware route begins and ends to move, in percent.
func (s *Spec) shift() (from, until int) {
	shift := Shift{}
	if s.Shift != nil {
		shift = *s.Shift
	}
	return cmp.Or(shift.From, 80), cmp.Or(shift.Until, 100)
}

func (s *Spec) validateCandidates() error {
	if n := len(s.Candidates); n == 0 || n > MaxCandidates {
		return fmt.Errorf("candidates: there are %d, not 1 to %d", n, MaxCandidates)
	}
	var errs []error
	known := map[string]bool{}
	conditions := false
	for i := range s.Candidates {
		c := &s.Candidates[i]
		for _, err := range policy.Apart(c.validate()) {
			errs = append(errs, fmt.Errorf("candidates[%d] (%s): %w", i, policy.Clip(c.name()), err))
		}
		if known[c.name()] {
			errs = append(errs, fmt.Errorf("candidates[%d] (%s): is there twice; give each an id", i, policy.Clip(c.name())))
		}
		known[c.name()] = true
		conditions = conditions || c.When != ""
	}
	if s.Baseline != "" && !known[s.Baseline] {
		errs = append(errs, fmt.Errorf("baseline: there is no candidate %q", policy.Clip(s.Baseline)))
	}
	if s.Strategy == Rules && !conditions {
		errs = append(errs, errors.New("candidates: with the strategy rules, at least one needs a condition, when"))
	}
	return errors.Join(errs...)
}

func (c *Candidate) validate() error {
	var errs []error
	if c.Model == "" {
		errs = append(errs, errors.New("model is missing"))
	}
	if c.Weight < 0 || c.Weight > MaxWeight {
		errs = append(errs, fmt.Errorf("weight: %d is not within 0 to %d", c.Weight, MaxWeight))
	}
	if !(c.Quality >= 0 && c.Quality <= 1) {
		errs = append(errs, fmt.Errorf("quality: %v is not within 0 to 1", c.Quality))
	}
	if c.MaxInput < 0 || c.MaxInput > maxTokens {
		errs = append(errs, fmt.Errorf("max_input_tokens: %d is not within 1 to %d", c.MaxInput, maxTokens))
	}
	for _, n := range c.Lacks {
		if !slices.Contains(needs, n) {
			errs = append(errs, fmt.Errorf("lacks: %q is not %s", policy.Clip(string(n)), oneOf(needs)))
		}
	}
	return errors.Join(append(errs, text("id", c.ID), text("model", c.Model), text("upstream", c.Upstream))...)
}

// text checks a name: one line, as long as a dimension's value may be.
func text(field, s string) error {
	if len(s) > ledger.MaxDimValue || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%s: is longer than %d bytes, not UTF-8, or has control characters", field, ledger.MaxDimValue)
	}
	return nil
}

func oneOf[T ~string](list []T) string {
	var b strings.Builder
	for i, s := range list {
		switch {
		case i == len(list)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(s))
	}
	return b.String()
}
