package ui

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"purser/api/admin"
)

// economicsView is what the page shows; nil is what this API has not, or not for the reader.
type economicsView struct {
	selection
	Ranges     []tab
	Chips      []chip
	Groups     []tab
	Class      string
	Names      []string
	Efficiency *admin.EfficiencyReport
	Standings  []standing
	Saving     int64 // of the findings whose saving is known
	Units      *admin.UnitsReport
	Exports    []export
	Lacking    *admin.UsageReport // what is missing of either
}

// standing is a part of what was spent.
type standing struct {
	Name, Class, What string
	segment
	Amount int64
	Share  float64
}

// unitGroups are what units are grouped by first.
var unitGroups = []string{"customer", "feature", "team", "agent", "plan", "cohort"}

// economics shows what was had for the money.
func economics(c *Call) error {
	v := economicsView{Class: c.Q.Get("class"), Names: dimensions}
	var err error
	if v.selection, err = c.selected(); err != nil {
		return err
	}
	if len(v.By) == 0 {
		v.By = []string{"customer"}
	}
	if err := v.judge(c); err != nil && !absent(err) {
		return err
	}
	var u admin.UnitsReport
	q := v.values()
	q.Set("group", strings.Join(v.By, ","))
	q.Set("limit", strconv.Itoa(maxGroups))
	switch err := c.Get("/economics/units", q, &u); {
	case err == nil:
		v.Units = &u
	case !absent(err):
		return err
	}
	if e, u := v.Efficiency, v.Units; u != nil && !u.Complete {
		v.Lacking = &admin.UsageReport{Nodes: u.Nodes}
	} else if e != nil && !e.Complete {
		v.Lacking = &admin.UsageReport{Nodes: e.Nodes}
	}
	v.links()
	return c.Render("economics", "Economics", &v)
}

// judge asks for the efficiency of the selection.
func (v *economicsView) judge(c *Call) error {
	q := v.values()
	if v.Class != "" {
		q.Set("class", v.Class)
	}
	e, err := c.efficiency(q)
	if err != nil {
		return err
	}
	v.Efficiency = e
	at := 0.0
	for _, s := range []standing{
		{Name: "Confirmed", Class: "good", What: "a success or a value was reported", Amount: e.Sum.Confirmed},
		{Name: "Not judged", Class: "c0", What: "no outcome was reported, and nothing speaks against it", Amount: e.Sum.Unjudged},
		{Name: "Fruitless", Class: "c1", What: "failures were reported", Amount: e.Sum.Fruitless},
		{Name: "Waste", Class: "bad", What: "evidence says that it bought nothing", Amount: e.Sum.Wasted},
	} {
		s.Share = share(s.Amount, e.Sum.Total)
		s.X, s.W = units(at), units(s.Share)
		at += s.Share
		v.Standings = append(v.Standings, s)
	}
	for _, f := range e.Findings {
		if f.Saving != nil {
			v.Saving += *f.Saving
		}
	}
	return nil
}

// links makes what leads from the page to others like it.
func (v *economicsView) links() {
	for _, r := range ranges {
		other := v.selection
		other.Span = span{Key: r.key}
		v.Ranges = append(v.Ranges, tab{r.name, other.link("/ui/economics", "class", v.Class), r.key == v.Span.Key})
	}
	for _, f := range v.Filters {
		v.Chips = append(v.Chips, chip{f, v.without(f).link("/ui/economics", "class", v.Class)})
	}
	for _, by := range unitGroups {
		other := v.selection
		other.By = []string{by}
		v.Groups = append(v.Groups, tab{by, other.link("/ui/economics", "class", v.Class) + "#units", slices.Equal(v.By, other.By)})
	}
	q := v.values()
	q.Set("group", strings.Join(v.By, ","))
	q.Set("format", "csv")
	v.Exports = []export{{"CSV", "/ui/download/economics/units?" + q.Encode(), "this table"}}
}

// ClassLink is where a class of waste is shown with more of its requests.
func (v *economicsView) ClassLink(class string) string {
	return v.link("/ui/economics", "class", class)
}

// Down is the page about one value of a dimension.
func (v *economicsView) Down(by, value string) string {
	return v.narrowed(filter{by, value}).link("/ui/economics")
}

// Named is the group of a row.
func (v *economicsView) Named(r admin.UnitsRow) string {
	names := make([]string, len(v.By))
	for i, f := range v.By {
		names[i] = cmp.Or(r.Group[f], none)
	}
	return strings.Join(names, " · ")
}
