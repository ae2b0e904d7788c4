package ui

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"purser/api/admin"
)

// overviewView is what the overview shows. What the reader may not see, or the API has
// not, is nil or empty.
type overviewView struct {
	Today, Month   admin.UsageRow
	Before         int64 // what was spent yesterday until the same time
	LastMonth      int64 // and in the month before, until the same day
	Report         *admin.UsageReport
	Chart          *chart
	Caps           []capacity
	MoreCaps       int
	Levers         []lever
	Top            []ranking
	Alerts         []admin.Alert
	Anomalies      []admin.Anomaly
	Projection     *admin.Projection // of this month
	Nodes          []admin.Member
	Status         *admin.Status
	Latest         []*request
	Budgets, Usage bool     // that the reader may ask about them
	Faults         []string // what could not be had, and why
}

// capacity is one account of a budget, and how full it is.
type capacity struct {
	admin.Account
	Used, Held, Expected float64 // of the limit
	Name                 string
	Text                 string // for who cannot see the bar
	Resets               string
}

// ranking is the groups of one dimension that cost the most.
type ranking struct {
	By   string
	Link string
	Rows []rank
}

// rank is one of them.
type rank struct {
	Name, Link string
	Cost       int64
	Share      float64
}

const (
	// mostCaps is how many accounts the overview has: the fullest.
	mostCaps = 6
	// mostLatest is how many requests and alerts it has.
	mostLatest = 8
	mostRanks  = 5
)

// overview shows where the money goes at this moment. What cannot be had at present is said,
// and the rest is shown: it is looked at when something is wrong.
func overview(c *Call) error {
	var v overviewView
	asks := []func(*Call) error{v.spending, v.caps, v.alerts, v.unusual, v.nodes, v.latest}
	errs := c.together(append(asks, v.tops()...)...)
	for _, err := range errs {
		var f *fault
		switch {
		case err == nil || absent(err):
		case errors.As(err, &f) && f.status == http.StatusUnauthorized:
			return err
		default:
			if text := c.u.told(c.R, err).message; !slices.Contains(v.Faults, text) {
				v.Faults = append(v.Faults, text)
			}
		}
	}
	v.Top = slices.DeleteFunc(v.Top, func(r ranking) bool { return len(r.Rows) == 0 })
	return c.Render("overview", "Overview", &v)
}

// today is the usage since midnight, UTC.
func (c *Call) today() (out admin.UsageReport, err error) {
	return c.between(midnight(c.Now), c.Now)
}

func midnight(t time.Time) time.Time { return begin(t.UTC(), "day") }

// between is the usage between two moments, all together.
func (c *Call) between(from, to time.Time) (out admin.UsageReport, err error) {
	s := selection{Span: span{From: from, To: to}}
	return c.usage(&s, nil, nil)
}

// spending is what was spent today and this month, and the same time before.
func (v *overviewView) spending(c *Call) error {
	today, err := c.today()
	if err != nil {
		return err
	}
	v.Usage, v.Today, v.Report = true, today.Total, &today
	day := midnight(c.Now)
	month := begin(day, "month")
	last := month.AddDate(0, -1, 0)
	until := last.Add(c.Now.Sub(month))
	if until.After(month) {
		until = month // the month before was shorter
	}
	between := func(from, to time.Time, into func(admin.UsageRow)) func(*Call) error {
		return func(c *Call) error {
			r, err := c.between(from, to)
			if err == nil {
				into(r.Total)
			}
			return err
		}
	}
	err = errors.Join(c.together(
		between(day.Add(-24*time.Hour), c.Now.Add(-24*time.Hour), func(r admin.UsageRow) { v.Before = r.Cost }),
		between(month, c.Now, func(r admin.UsageRow) { v.Month = r }),
		between(last, until, func(r admin.UsageRow) { v.LastMonth = r.Cost }),
	)...)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(v.Month.Savings)) {
		v.Levers = append(v.Levers, lever{name, v.Month.Savings[name], share(v.Month.Savings[name], v.Month.Baseline)})
	}
	slices.SortStableFunc(v.Levers, func(a, b lever) int { return cmp.Compare(b.Saved, a.Saved) })
	return nil
}

// tops are who and what cost the most in the last day, and the chart of it.
func (v *overviewView) tops() (asks []func(*Call) error) {
	by := []string{"model", "customer", "team"}
	v.Top = make([]ranking, len(by))
	for i, name := range by {
		asks = append(asks, func(c *Call) error { return v.top(c, &v.Top[i], name) })
	}
	return asks
}

func (v *overviewView) top(c *Call, top *ranking, by string) error {
	day, err := spanOf(url.Values{}, c.Now)
	if err != nil {
		return err
	}
	s := selection{Span: day}
	r, err := c.usage(&s, []string{by}, url.Values{"limit": {strconv.Itoa(maxSeries)}})
	if err != nil {
		return err
	}
	here := selection{Span: day, By: []string{by}}
	top.By, top.Link = by, here.link("/ui/explorer")
	var names []string
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Rest || row.Cost <= 0 {
			continue
		}
		names = append(names, group(row, []string{by}))
		if len(top.Rows) < mostRanks {
			down := here.narrowed(filter{by, row.Group[by]})
			down.By = down.next(here.By)
			top.Rows = append(top.Rows, rank{group(row, []string{by}), down.link("/ui/explorer"), row.Cost, share(row.Cost, r.Total.Cost)})
		}
	}
	if by != "model" {
		return nil
	}
	rows, err := c.overTime(&s, []string{by})
	if err != nil {
		return err
	}
	v.Chart = drawn("Cost by model, the last 24 hours", rows, []string{by}, names, &day, metricOf("cost"))
	return nil
}

// caps are the fullest accounts of the budgets, and what their windows will come to.
func (v *overviewView) caps(c *Call) error {
	if err := v.fullest(c); err != nil && !absent(err) {
		return err
	}
	return v.projected(c)
}

func (v *overviewView) fullest(c *Call) error {
	var out struct{ Budgets []admin.BudgetDetail }
	if err := c.Get("/budgets", url.Values{"stale": {"ok"}}, &out); err != nil {
		return err
	}
	v.Budgets = true
	for _, b := range out.Budgets {
		for _, a := range b.Accounts {
			v.Caps = append(v.Caps, capacityOf(a))
		}
	}
	slices.SortStableFunc(v.Caps, func(a, b capacity) int { return cmp.Or(cmp.Compare(b.Used, a.Used), cmp.Compare(b.Held, a.Held)) })
	if len(v.Caps) > mostCaps {
		v.MoreCaps, v.Caps = len(v.Caps)-mostCaps, v.Caps[:mostCaps]
	}
	return nil
}

// capacityOf says how full an account is, and how full it is to be at its window's end
// if it goes on as of late.
func capacityOf(a admin.Account) capacity {
	used := a.Spent + a.WrittenOff
	c := capacity{Account: a, Used: share(used, a.Limit), Held: share(a.Outstanding, a.Limit), Name: a.Budget, Resets: a.WindowEnd}
	for _, name := range slices.Sorted(maps.Keys(a.Split)) {
		c.Name += " · " + cmp.Or(a.Split[name], none)
	}
	c.Text = c.Name + ": " + amount(a.Unit, used) + " of " + amount(a.Unit, a.Limit) + " used, " + percent(c.Used)
	if f := a.Forecast; f != nil && f.WindowEnd != nil {
		end, err := time.Parse(time.RFC3339, *f.WindowEnd)
		if age := time.Duration(f.Basis.AgeSeconds * float64(time.Second)); err == nil {
			if since, err := time.Parse(time.RFC3339, f.Basis.Since); err == nil {
				last := since.Add(time.Duration(f.Basis.SpanSeconds*float64(time.Second)) + age)
				c.Expected = c.Used + float64(f.RatePerHour)*end.Sub(last).Hours()/float64(max(1, a.Limit))
			}
		}
	}
	return c
}

// amount is an amount in the unit of a budget.
func amount(unit string, n int64) string {
	if unit == "usd" {
		return money(n)
	}
	return strings.TrimSpace(count(n) + " " + unit)
}

// projected says what this month, and the windows of the accounts that are shown, will come to.
func (v *overviewView) projected(c *Call) error {
	list, err := c.projections(mostCaps)
	if err != nil {
		return err
	}
	for _, p := range list {
		if p.Expected == nil {
			continue
		}
		if p.Budget == "" && p.Window == "month" {
			v.Projection = &p
		}
		for i := range v.Caps {
			if a := &v.Caps[i]; p.Budget != "" && a.Budget == p.Budget && maps.Equal(a.Split, p.Split) {
				a.Expected = share(*p.Expected, a.Limit)
			}
		}
	}
	return nil
}

// unusual are the newest anomalies.
func (v *overviewView) unusual(c *Call) (err error) {
	v.Anomalies, err = c.anomalies(mostRanks)
	return err
}

// alerts are the newest.
func (v *overviewView) alerts(c *Call) error {
	if !c.CanAll("webhooks:read") {
		return nil
	}
	var out struct{ Alerts []admin.Alert }
	err := c.Get("/alerts", url.Values{"limit": {strconv.Itoa(mostLatest)}, "stale": {"ok"}}, &out)
	v.Alerts = out.Alerts
	return err
}

// nodes are who belongs to the cluster, as this node hears.
func (v *overviewView) nodes(c *Call) error {
	if !c.CanAll("cluster:read") || !c.CanAll("status:read") {
		return nil
	}
	var status admin.Status
	if err := c.Get("/status", url.Values{"stale": {"ok"}}, &status); err != nil {
		return err
	}
	v.Status = &status
	var members admin.Members
	err := c.Get("/cluster", url.Values{"stale": {"ok"}}, &members) // a node alone has none
	v.Nodes = members.Nodes
	return err
}

// latest are the newest requests.
func (v *overviewView) latest(c *Call) error {
	list, _, err := c.newest()
	v.Latest = list
	return err
}

// newest are the newest requests of the last day.
func (c *Call) newest() ([]*request, bool, error) {
	s := selection{Span: span{From: c.Now.Add(-24 * time.Hour), To: c.Now.Add(time.Second)}}
	return c.latest(&s, mostLatest)
}

// latestPart is the part of the overview with the newest requests, made anew.
func latestPart(c *Call) error {
	var v overviewView
	if err := v.latest(c); err != nil {
		return err
	}
	return c.Part("overview", "latest", &v)
}
