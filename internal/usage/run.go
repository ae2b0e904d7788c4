package usage

import (
	"purser/internal/record"
	"purser/ledger"
)

// Call is one request of an agent's run, as a tree of them shows it.
type Call struct {
	ID     string
	At     ledger.Instant
	Step   string
	Parent string // as the client named it
	Agent  string
	Model  string

	Outcome record.Outcome // of its last record
	Class   record.Class
	Records int64
	Calls   int           // of upstreams
	Cost    ledger.Amount // of all its records, nano-dollars
	Tokens  int64         // of all meters of its records that are tokens
	Total   int64         // nanoseconds
	Under   int           // the place of the call it was made for; -1 for none that is known
}

// Run is the calls of an agent's run, in the order of their arrival.
type Run struct {
	Calls []Call
	Cost  ledger.Amount // nano-dollars, corrections among them
	More  bool          // there were more calls than Most
	Most  int

	byID, byStep, byAgent map[string]int // the latest of each
}

// NewRun is a run that shows so many calls.
func NewRun(most int) *Run {
	return &Run{Most: most, byID: map[string]int{}, byStep: map[string]int{}, byAgent: map[string]int{}}
}

// Add adds a record of the run; they come in order. A parent is the request of that id, or
// else the latest one before that had it as its step, or came from the agent of that name.
// What names none of these begins a tree of its own: there are no circles.
func (u *Run) Add(r *record.Record) {
	u.Cost += r.Cost
	if r.Kind != record.KindRequest {
		return
	}
	i, known := u.byID[r.ID]
	if !known {
		if len(u.Calls) >= u.Most {
			u.More = true
			return
		}
		i = len(u.Calls)
		agent := r.Dims.Values[ledger.DimAgent]
		u.Calls = append(u.Calls, Call{ID: r.ID, At: arrival(r), Step: r.Step, Parent: r.Parent, Agent: agent, Under: u.above(r.Parent)})
		u.byID[r.ID] = i
		if r.Step != "" {
			u.byStep[r.Step] = i
		}
		if agent != "" {
			u.byAgent[agent] = i
		}
	}
	c := &u.Calls[i]
	c.Model = Field{dim: ledger.DimRef{Dim: ledger.DimModel}}.of(r)
	c.Outcome, c.Class, c.Total = r.Outcome, r.Class(), r.Total
	c.Calls = max(c.Calls, r.Attempts)
	c.Records++
	c.Cost += r.Cost
	c.Tokens += r.Usage.TotalInput() + r.Usage.TotalOutput()
}

// above is the place of the call that a parent names.
func (u *Run) above(parent string) int {
	if parent == "" {
		return -1
	}
	for _, of := range [...]map[string]int{u.byID, u.byStep, u.byAgent} {
		if i, ok := of[parent]; ok {
			return i
		}
	}
	return -1
}
