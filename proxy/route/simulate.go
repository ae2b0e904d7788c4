package route

import (
	"fmt"

	"purser/ledger"
	"purser/proxy/policy"
	"purser/proxy/price"
)

// Asked is one request of the past: what it used, whoever answered it.
type Asked struct {
	At     ledger.Instant
	Dims   ledger.Dimensions
	Usage  price.Usage
	Stream bool
	Needs  []Need
	Tools  int
}

// Simulation is a route in use for requests of the past. It is not safe for concurrent
// use.
type Simulation struct {
	r      *Route
	rates  []*price.Rate // of each candidate; nil: it has no price and so is out
	budget ledger.Amount // nano-dollars that the requests may cost together; 0: there is none
	report Simulated
}

// Simulated is what it came to.
type Simulated struct {
	Requests int64                `json:"requests"`
	Unserved int64                `json:"unserved"` // no candidate might serve them
	Cost     ledger.Amount        `json:"cost_nanousd"`
	Of       []SimulatedCandidate `json:"candidates"` // in the order of the spec
}

// SimulatedCandidate is the part of one candidate.
type SimulatedCandidate struct {
	Name  string        `json:"name"`
	Led   int64         `json:"requests"`      // that went to it
	Cost  ledger.Amount `json:"cost_nanousd"`  // of those
	Alone ledger.Amount `json:"alone_nanousd"` // of all that it may serve, had it got them
}

// NewSimulation readies a route. Strategies that go by what a node measures or has
// learned cannot be simulated: an error says so.
func NewSimulation(r *Route, rates []*price.Rate, budget ledger.Amount) (*Simulation, error) {
	switch s := r.Strategy(); s {
	case Fastest, Learned:
		return nil, fmt.Errorf("a route of the strategy %s goes by more than what requests have used, and cannot be simulated from that", s)
	case Fallback, Weighted, Cheapest, BudgetAware, Rules:
	}
	s := &Simulation{r: r, rates: rates, budget: budget}
	for i := range r.spec.Candidates {
		s.report.Of = append(s.report.Of, SimulatedCandidate{Name: r.Named(i)})
	}
	return s, nil
}

// Add routes one request, whose number is its chance. Every candidate is taken to
// answer with as many tokens as the one that answered; what the provider's cache gave
// it is taken to be given by each that has a price for that.
func (s *Simulation) Add(a *Asked) {
	f := &Facts{
		Of: make([]Fact, len(s.rates)), Needs: a.Needs, Tokens: a.Usage.TotalInput(), Spent: -1, Random: mix(uint64(s.report.Requests) + 1),
		Input: &policy.Input{Dims: &a.Dims, At: a.At, Model: s.r.name, Stream: a.Stream, Tools: a.Tools,
			Params: policy.Params{MaxOutput: a.Usage.TotalOutput(), N: 1, Temperature: policy.Unset, TopP: policy.Unset}},
	}
	if dim, ok := s.r.Sticky(); ok {
		f.Sticky = a.Dims.Values[dim]
	}
	if s.budget > 0 {
		f.Spent = min(share(s.report.Cost, s.budget), millionth)
	}
	for i, rate := range s.rates {
		of := &f.Of[i]
		if rate == nil {
			of.Barred = "it has no price"
			continue
		}
		of.Provider, of.Model, of.Upstream, of.Window = rate.Provider, s.r.spec.Candidates[i].Model, s.r.spec.Candidates[i].Upstream, rate.ContextWindow
		of.Cost = rate.Cost(&a.Usage, price.Standard)
		of.Bounds = policy.Fixed{Input: f.Tokens, Cost: of.Cost}
	}
	d := s.r.Order(f)
	s.report.Requests++
	for _, p := range d.Order {
		s.report.Of[p.At].Alone += f.Of[p.At].Cost
	}
	if len(d.Order) == 0 {
		s.report.Unserved++
		return
	}
	lead := &s.report.Of[d.Order[0].At]
	lead.Led++
	lead.Cost += f.Of[d.Order[0].At].Cost
	s.report.Cost += f.Of[d.Order[0].At].Cost
}

// Report is what the requests until now came to.
func (s *Simulation) Report() Simulated { return s.report }
