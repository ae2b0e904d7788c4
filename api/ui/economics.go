package ui

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// efficiencySum is what some records come to, in nano-dollars.
type efficiencySum struct {
	Records   int64    `json:"records"`
	Wasteful  int64    `json:"wasteful"`
	Total     int64    `json:"total_nanousd"`
	Justified int64    `json:"justified_nanousd"`
	Confirmed int64    `json:"confirmed_nanousd"`
	Fruitless int64    `json:"fruitless_nanousd"`
	Unjudged  int64    `json:"unjudged_nanousd"`
	Wasted    int64    `json:"wasted_nanousd"`
	Score     *float64 `json:"score"` // nil: nothing was spent
}

// efficiency is what a page reads of the API's report: of every dollar, was it justified.
type efficiency struct {
	Sum      efficiencySum `json:"sum"`
	Findings []struct {
		Class    string     `json:"class"`
		Lever    string     `json:"lever"`
		Wasted   int64      `json:"wasted_nanousd"`
		Records  int64      `json:"records"`
		Saving   *int64     `json:"saving_nanousd"`
		Requests []evidence `json:"requests"`
	} `json:"findings"`
	Ranks []struct {
		By   string `json:"by"`
		Rows []struct {
			Value string `json:"value"`
			efficiencySum
		} `json:"rows"`
	} `json:"ranks"`
	Request []struct {
		ID        string     `json:"id"`
		Cost      int64      `json:"cost_nanousd"`
		Justified int64      `json:"justified_nanousd"`
		Standing  string     `json:"standing"`
		Parts     []evidence `json:"parts"`
	} `json:"request"`
	Notes []string `json:"notes"`
}

// evidence is what one class of waste takes of one request, and why.
type evidence struct {
	ID      string `json:"id"`
	At      string `json:"at"`
	Class   string `json:"class"`
	Lever   string `json:"lever"`
	Wasted  int64  `json:"wasted_nanousd"`
	Cost    int64  `json:"cost_nanousd"`
	Repeats string `json:"repeats"`
	Why     string `json:"why"`
}

// unitsRow is what was had for the money of one group. What is not known is nil.
type unitsRow struct {
	Group      map[string]string `json:"group"`
	Rest       bool              `json:"rest"`
	Requests   int64             `json:"requests"`
	Cost       int64             `json:"cost_nanousd"`
	Outcomes   *float64          `json:"outcomes"`
	Successes  *float64          `json:"successes"`
	Quality    *float64          `json:"quality"`
	PerOutcome *int64            `json:"cost_per_outcome_nanousd"`
	PerSuccess *int64            `json:"cost_per_success_nanousd"`
	Value      *int64            `json:"value_nanousd"`
	Revenue    *int64            `json:"revenue_nanousd"`
	Margin     *float64          `json:"gross_margin"`
	Profit     *int64            `json:"gross_profit_nanousd"`
	BreakEven  *int64            `json:"break_even_price_nanousd"`
	Coverage   struct {
		Outcomes *float64 `json:"outcomes"`
	} `json:"coverage"`
}

// unitsReport is the API's report of units.
type unitsReport struct {
	Rows   []unitsRow `json:"rows"`
	Total  unitsRow   `json:"total"`
	Hidden bool       `json:"revenue_hidden"`
}

// economicsView is what the page shows; nil is what this API has not, or not for the reader.
type economicsView struct {
	selection
	Ranges     []tab
	Chips      []chip
	Groups     []tab
	Class      string
	Names      []string
	Efficiency *efficiency
	Standings  []standing
	Saving     int64 // of the findings whose saving is known
	Units      *unitsReport
	Exports    []export
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
	var u unitsReport
	q := v.values()
	q.Set("group", strings.Join(v.By, ","))
	q.Set("limit", strconv.Itoa(maxGroups))
	switch err := c.Get("/economics/units", q, &u); {
	case err == nil:
		v.Units = &u
	case !absent(err):
		return err
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
func (v *economicsView) Named(r unitsRow) string {
	names := make([]string, len(v.By))
	for i, f := range v.By {
		names[i] = cmp.Or(r.Group[f], none)
	}
	return strings.Join(names, " · ")
}
