package policy

// Step is what one rule said of a request, or why a policy was not asked.
type Step struct {
	Policy  string  `json:"policy"`
	Rule    string  `json:"rule,omitempty"` // "": the whole policy was not asked
	Mode    Mode    `json:"mode"`
	Outcome Outcome `json:"outcome,omitempty"`
	Result  Result  `json:"result"`
	Why     string  `json:"why"`
}

// Result is how a step ended.
type Result string

// The results.
const (
	Applied   Result = "applied"
	Not       Result = "not"         // the rule does not apply
	Undecided Result = "undecided"   // which denies, in an enforced policy
	Unmatched Result = "unmatched"   // the policy is not for such requests
	Unreached Result = "not_reached" // the request was denied before
)

var results = [...]Result{no: Not, yes: Applied, unknown: Undecided}

func (p *compiled) mode() Mode {
	if p.shadow {
		return Shadow
	}
	return Enforce
}

func (p *compiled) step(u *rule, a answer, why string) Step {
	if why == "" {
		why = "always"
	}
	return Step{Policy: p.id, Rule: u.id, Mode: p.mode(), Outcome: u.outcome, Result: results[a], Why: why}
}

// Explain is [Set.Decide], and what each rule said, in order. The decision and the
// explanation come from one asking.
func (s *Set) Explain(in *Input) (Decision, []Step) {
	if s == nil {
		return Decision{Params: in.Params}, nil
	}
	r := &in.run
	r.begin(in)
	var steps []Step
	denied := false
	for i := range s.policies {
		p := &s.policies[i]
		switch {
		case !p.matches(in.Dims):
			steps = append(steps, Step{Policy: p.id, Mode: p.mode(), Result: Unmatched, Why: p.mismatch(in)})
		case denied:
			steps = append(steps, Step{Policy: p.id, Mode: p.mode(), Result: Unreached, Why: "the request is denied"})
		default:
			denied = p.ask(r, &steps)
		}
	}
	d := Decision{Params: r.params, Rulings: in.rulings}
	if denied {
		d.Denied = &in.rulings[len(in.rulings)-1]
	}
	return d, steps
}

// mismatch says which dimension is another.
func (p *compiled) mismatch(in *Input) string {
	for _, m := range p.match {
		only := compiled{match: []dimValues{m}}
		if !only.matches(in.Dims) {
			return m.dim.String() + " is " + quoted(in.Dims.Get(m.dim)) + ", none of the policy's"
		}
	}
	return ""
}

func quoted(s string) string {
	if s == "" {
		return "not set"
	}
	return `"` + s + `"`
}
