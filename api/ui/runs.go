package ui

import (
	"cmp"
	"net/url"
	"slices"
	"time"

	"purser/api/admin"
)

const (
	// runDays is how far back a run is looked for, unless a page says otherwise.
	runDays = 30
	// deepest is how deep a run's tree is shown; what is below stands beside the deepest.
	deepest = 24
)

// branch is a call of a run, with those that were made for it.
type branch struct {
	*admin.RunCall
	Below []*branch
	Sum   int64  // nano-dollars, with all below
	X, W  string // when it was, in the time of the run
}

// Title names it: its step, its agent, or the model.
func (b *branch) Title() string { return cmp.Or(b.Step, b.Agent, b.Model) }

// runView is an agent's run.
type runView struct {
	admin.RunTree
	Trees      []*branch
	Tokens     int64
	Failed     int
	Took       time.Duration
	Began      string
	Agents     []string
	Explorer   string
	Economics  string
	Everything string // its requests as a list

	began, end time.Time
}

// run shows the calls of a run as the tree that they say they are.
func run(c *Call) error {
	var v runView
	s := span{From: c.Now.AddDate(0, 0, -runDays), To: c.Now}
	if err := c.Get("/usage/runs/"+url.PathEscape(c.R.PathValue("run")), s.values(), &v.RunTree); err != nil {
		return err
	}
	v.measure(v.Roots)
	v.Took = v.end.Sub(v.began)
	v.Trees, _ = v.grow(v.Roots, 0)
	here := selection{Span: span{From: v.began, To: v.end.Add(time.Second)}, Filters: []filter{{"run", v.Run}}, By: []string{"model"}}
	v.Began, v.Explorer, v.Economics, v.Everything = v.began.Format(time.RFC3339), here.link("/ui/explorer"), here.link("/ui/economics"), here.link("/ui/requests")
	return c.Render("run", "Run "+v.Run, &v)
}

// measure finds when the run began and ended, and adds up.
func (v *runView) measure(calls []admin.RunCall) {
	for i := range calls {
		r := &calls[i]
		v.Tokens += r.Tokens
		if !slices.Contains(answered, r.Outcome) {
			v.Failed++
		}
		if r.Agent != "" && !slices.Contains(v.Agents, r.Agent) {
			v.Agents = append(v.Agents, r.Agent)
		}
		if at, err := time.Parse(time.RFC3339, r.At); err == nil {
			if v.began.IsZero() || at.Before(v.began) {
				v.began = at
			}
			if end := at.Add(time.Duration(r.Total)); end.After(v.end) {
				v.end = end
			}
		}
		v.measure(r.Children)
	}
}

// grow makes branches of calls, at a depth, and says what they cost with all below.
func (v *runView) grow(calls []admin.RunCall, depth int) (list []*branch, sum int64) {
	for i := range calls {
		r := &calls[i]
		below, more := v.grow(r.Children, depth+1)
		b := &branch{RunCall: r, Sum: r.Cost + more}
		sum += b.Sum
		if at, err := time.Parse(time.RFC3339, r.At); err == nil {
			b.X = units(share(int64(at.Sub(v.began)), int64(v.Took)))
			b.W = units(max(share(r.Total, int64(v.Took)), 0.004))
		}
		list = append(list, b)
		if depth < deepest {
			b.Below = below
		} else {
			list = append(list, below...)
		}
	}
	return list, sum
}
