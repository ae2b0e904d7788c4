package ui

import (
	"cmp"
	"slices"
	"time"
)

// mostOfRun is how many requests of a run are shown.
const mostOfRun = 2000

// branch is a request of a run, with those that were made for it.
type branch struct {
	*request
	Below []*branch
	Sum   int64   // nano-dollars, with all below
	Share float64 // of the run
	X, W  string  // when it was, in the time of the run

	up    *branch // nil of a root
	depth int
}

// deepest is how deep the tree is shown; what is below stands beside the deepest.
const deepest = 24

// runView is the tree of an agent's run.
type runView struct {
	Run        string
	Roots      []*branch
	Requests   int
	More       bool // there are requests that are not shown
	Cost       int64
	Saved      int64
	Tokens     int64
	Failed     int
	Began      string
	Took       time.Duration
	Explorer   string
	Economics  string
	Agents     []string
	Everything string // all its requests as a list
}

// run shows the requests of a run as the tree that they say they are.
func run(c *Call) error {
	s := selection{Span: span{From: c.Now.AddDate(0, 0, -runDays), To: c.Now}, Filters: []filter{{"run", c.R.PathValue("run")}}}
	list, more, err := c.latest(&s, mostOfRun)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return notFound("No request of this run is known, or none that is yours to see.")
	}
	slices.Reverse(list)
	v := runView{Run: s.Filters[0].Value, More: more, Requests: len(list), Began: list[0].When()}
	v.plant(list)
	around := selection{Span: span{From: list[0].At, To: list[0].At.Add(v.Took + time.Second)}, Filters: s.Filters, By: []string{"model"}}
	v.Explorer, v.Economics, v.Everything = around.link("/ui/explorer"), around.link("/ui/economics"), around.link("/ui/requests")
	return c.Render("run", "Run "+v.Run, &v)
}

// runDays is how far back a run is looked for.
const runDays = 30

// plant makes the tree of requests, which are in the order of their times. A request's
// parent is the latest one before it whose id, step or agent it names.
func (v *runView) plant(list []*request) {
	began := list[0].At
	end := began
	for _, r := range list {
		if t := r.At.Add(time.Duration(r.Total)); t.After(end) {
			end = t
		}
		v.Cost, v.Saved, v.Tokens = v.Cost+r.Cost, v.Saved+r.Saved(), v.Tokens+r.Tokens()
		if !slices.Contains(answered, r.Outcome) {
			v.Failed++
		}
		if a := r.Dimensions["agent"]; a != "" && !slices.Contains(v.Agents, a) {
			v.Agents = append(v.Agents, a)
		}
	}
	v.Took = end.Sub(began)
	known := map[string]*branch{}
	order := make([]*branch, 0, len(list))
	for _, r := range list {
		b := &branch{request: r, Sum: r.Cost}
		b.X, b.W = units(share(int64(r.At.Sub(began)), int64(v.Took))), units(max(share(r.Total, int64(v.Took)), 0.004))
		above := known[r.Parent]
		if above != nil && above.depth == deepest {
			above = above.up
		}
		if above != nil {
			b.up, b.depth = above, above.depth+1
			above.Below = append(above.Below, b)
		} else {
			v.Roots = append(v.Roots, b)
		}
		for _, name := range []string{r.Dimensions["agent"], r.Step, r.ID} {
			if name != "" {
				known[name] = b
			}
		}
		order = append(order, b)
	}
	// Children come after their parents, so that from the end on every sum is whole.
	for i := len(order) - 1; i >= 0; i-- {
		for _, below := range order[i].Below {
			order[i].Sum += below.Sum
		}
		order[i].Share = share(order[i].Sum, v.Cost)
	}
}

// Title names a branch: its step, its agent, or the model.
func (b *branch) Title() string {
	return cmp.Or(b.Step, b.Dimensions["agent"], b.Called())
}
