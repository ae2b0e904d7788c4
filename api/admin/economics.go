package admin

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"purser/internal/access"
	"purser/internal/sheet"
)

// Economics says what was had for the money.
type Economics interface {
	Units(context.Context, UnitsQuery) (UnitsReport, error)
}

// UnitsQuery asks for unit costs and margins. It groups as usage does, and by plan and
// cohort, which are those of the customer in what it paid.
type UnitsQuery struct {
	UsageQuery
	Outcome string // only outcomes of this name; empty: of any
	Revenue bool   // of who asks: they may read revenue. It is the caller's and not sent
}

// Units is what was had for the money of one group. A half that is not known is null and
// never 0. Outcomes are numbers with decimals, since one of requests in several groups is
// divided among these.
type Units struct {
	Requests int64 `json:"requests"`
	Cost     Money `json:"cost_nanousd"` // of all requests

	Outcomes  *float64 `json:"outcomes"`
	Shared    float64  `json:"shared_outcomes,omitempty"` // of these, parts of outcomes that several groups share
	Successes *float64 `json:"successes"`
	Failures  *float64 `json:"failures"`
	Quality   *float64 `json:"quality"` // mean, 0 to 1
	Value     *Money   `json:"value_nanousd"`

	Coverage Coverage `json:"coverage"`

	PerOutcome *Money   `json:"cost_per_outcome_nanousd"`        // of the requests with outcomes
	PerLoaded  *Money   `json:"loaded_cost_per_outcome_nanousd"` // of all requests
	PerSuccess *Money   `json:"cost_per_success_nanousd"`
	PerQuality *Money   `json:"cost_per_quality_nanousd"` // of one outcome of quality 1
	PerDollar  *float64 `json:"value_per_dollar"`
	Price      *Money   `json:"price_nanousd"` // value of one outcome

	ValueMargin *float64 `json:"value_margin"`
	ValueProfit *Money   `json:"value_profit_nanousd"`
	Revenue     *Money   `json:"revenue_nanousd"`
	Margin      *float64 `json:"gross_margin"`
	Profit      *Money   `json:"gross_profit_nanousd"`

	BreakEvenPrice    *Money   `json:"break_even_price_nanousd"` // of one outcome
	BreakEvenOutcomes *float64 `json:"break_even_outcomes"`      // that what was paid is enough for
}

// Coverage is the share of the cost, 0 to 1, that is of requests of which something is
// known: what is said of outcomes, successes and so on says nothing of the rest.
type Coverage struct {
	Outcomes *float64 `json:"outcomes"`
	Success  *float64 `json:"success"`
	Quality  *float64 `json:"quality"`
	Value    *float64 `json:"value"`
	Revenue  *float64 `json:"revenue"`
}

// UnitsRow is one group.
type UnitsRow struct {
	Group map[string]string `json:"group,omitempty"`
	Rest  bool              `json:"rest,omitempty"` // of all groups beyond the limit: each value is "other"
	Units
	Intervals []UnitsInterval `json:"intervals,omitempty"`
	Trends    []UnitsTrend    `json:"trends,omitempty"` // with an interval
}

// UnitsInterval is a group in one interval.
type UnitsInterval struct {
	Start string `json:"start"` // RFC 3339 in the zone asked for
	Units
}

// UnitsTrend is where a measure of a group goes: the median of the slopes between all pairs of
// intervals that have one, with 95 % bounds.
type UnitsTrend struct {
	Measure   string     `json:"measure"` // the name of the field, in dollars where that is in nano-dollars
	Intervals int        `json:"intervals"`
	Slope     float64    `json:"slope"` // for one interval
	Low       float64    `json:"low"`
	High      float64    `json:"high"`
	BreakEven *BreakEven `json:"break_even,omitempty"` // of a margin, where a clear trend leads there
}

// BreakEven is when a margin is 0 if its trend goes on.
type BreakEven struct {
	At      string `json:"at"`
	Soonest string `json:"soonest"`
	Latest  string `json:"latest,omitempty"` // "": not soon
}

// OutcomeCount is how often outcomes of a name were reported.
type OutcomeCount struct {
	Name     string `json:"name"`
	Reports  int64  `json:"reports"`
	Outcomes int64  `json:"outcomes"`
}

// UnitsReport is the answer to a UnitsQuery; Rows add up to Total.
type UnitsReport struct {
	From  string     `json:"from"`
	To    string     `json:"to"`
	Rows  []UnitsRow `json:"rows"`
	Total UnitsRow   `json:"total"`

	Names     []OutcomeCount `json:"outcomes,omitempty"`       // that can be of the time, for who reaches everything
	Unjoined  *int64         `json:"unjoined,omitempty"`       // reports that are of no request of the time, for the same
	Conflicts int            `json:"conflicts,omitempty"`      // ids of which nodes have different things
	Hidden    bool           `json:"revenue_hidden,omitempty"` // who asks may not read revenue

	Nodes    []NodeAnswer `json:"nodes,omitempty"`
	Complete bool         `json:"complete"`
}

func (a *API) units(w http.ResponseWriter, r *http.Request, c caller) {
	v := r.URL.Query()
	form, fault := formOf(v.Get("format"), r.Header.Get("Accept"))
	if fault == nil && form == formLines {
		fault = Invalid("unit economics are answered as json or csv")
	}
	q := UnitsQuery{Outcome: v.Get("outcome")}
	if fault == nil {
		v.Del("format")
		v.Del("outcome")
		q.UsageQuery, fault = parseUsageQuery(v)
	}
	if fault == nil && q.Worth {
		fault = Invalid("worth is a parameter of usage alone")
	}
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	q.Reach = c.reach
	may := access.Can(c.subject, access.RevenueRead, a.instant())
	q.Revenue = may.Allowed && may.Reach.All
	out, err := a.Economics.Units(r.Context(), q)
	if err != nil || form == formJSON {
		a.reply(w, r, http.StatusOK, out, err)
		return
	}
	w.Header().Set(completeHeader, strconv.FormatBool(out.Complete))
	a.lines(w, r, mediaTypes[formCSV], "unit economics", func(to io.Writer) error { return out.WriteCSV(to, &q) })
}

// WriteCSV writes a line for each group, or with an interval for each group and interval, a
// header first. What is not known is empty. Texts are written by [Cell].
func (u *UnitsReport) WriteCSV(to io.Writer, q *UnitsQuery) error {
	w := csv.NewWriter(to)
	var head []string
	for _, g := range q.Group {
		head = append(head, sheet.Text(g))
	}
	if q.Interval != "" {
		head = append(head, "start")
	}
	head = append(head, "rest")
	for _, c := range unitColumns {
		head = append(head, c.name)
	}
	err := w.Write(head)
	line := func(row *UnitsRow, start string, of *Units) {
		cells := make([]string, 0, len(head))
		for _, g := range q.Group {
			cells = append(cells, sheet.Text(row.Group[g]))
		}
		if q.Interval != "" {
			cells = append(cells, start)
		}
		cells = append(cells, strconv.FormatBool(row.Rest))
		for _, c := range unitColumns {
			cells = append(cells, c.of(of))
		}
		if err == nil {
			err = w.Write(cells)
		}
	}
	for i := range u.Rows {
		row := &u.Rows[i]
		for k := range row.Intervals {
			line(row, row.Intervals[k].Start, &row.Intervals[k].Units)
		}
		if q.Interval == "" {
			line(row, "", &row.Units)
		}
	}
	if w.Flush(); err == nil {
		err = w.Error()
	}
	if err != nil {
		return fmt.Errorf("write unit economics as CSV: %w", err)
	}
	return nil
}

type unitColumn struct {
	name string
	of   func(*Units) string
}

func nanos(of func(*Units) *Money) func(*Units) string {
	return func(u *Units) string {
		if v := of(u); v != nil {
			return strconv.FormatInt(*v, 10)
		}
		return ""
	}
}

func decimal(of func(*Units) *float64) func(*Units) string {
	return func(u *Units) string {
		if v := of(u); v != nil {
			return strconv.FormatFloat(*v, 'g', 12, 64)
		}
		return ""
	}
}

var unitColumns = []unitColumn{
	{"requests", func(u *Units) string { return strconv.FormatInt(u.Requests, 10) }},
	{"cost_nanousd", func(u *Units) string { return strconv.FormatInt(u.Cost, 10) }},
	{"outcomes", decimal(func(u *Units) *float64 { return u.Outcomes })},
	{"successes", decimal(func(u *Units) *float64 { return u.Successes })},
	{"failures", decimal(func(u *Units) *float64 { return u.Failures })},
	{"quality", decimal(func(u *Units) *float64 { return u.Quality })},
	{"value_nanousd", nanos(func(u *Units) *Money { return u.Value })},
	{"coverage_outcomes", decimal(func(u *Units) *float64 { return u.Coverage.Outcomes })},
	{"coverage_success", decimal(func(u *Units) *float64 { return u.Coverage.Success })},
	{"coverage_quality", decimal(func(u *Units) *float64 { return u.Coverage.Quality })},
	{"coverage_value", decimal(func(u *Units) *float64 { return u.Coverage.Value })},
	{"coverage_revenue", decimal(func(u *Units) *float64 { return u.Coverage.Revenue })},
	{"cost_per_outcome_nanousd", nanos(func(u *Units) *Money { return u.PerOutcome })},
	{"loaded_cost_per_outcome_nanousd", nanos(func(u *Units) *Money { return u.PerLoaded })},
	{"cost_per_success_nanousd", nanos(func(u *Units) *Money { return u.PerSuccess })},
	{"cost_per_quality_nanousd", nanos(func(u *Units) *Money { return u.PerQuality })},
	{"value_per_dollar", decimal(func(u *Units) *float64 { return u.PerDollar })},
	{"price_nanousd", nanos(func(u *Units) *Money { return u.Price })},
	{"value_margin", decimal(func(u *Units) *float64 { return u.ValueMargin })},
	{"value_profit_nanousd", nanos(func(u *Units) *Money { return u.ValueProfit })},
	{"revenue_nanousd", nanos(func(u *Units) *Money { return u.Revenue })},
	{"gross_margin", decimal(func(u *Units) *float64 { return u.Margin })},
	{"gross_profit_nanousd", nanos(func(u *Units) *Money { return u.Profit })},
	{"break_even_price_nanousd", nanos(func(u *Units) *Money { return u.BreakEvenPrice })},
	{"break_even_outcomes", decimal(func(u *Units) *float64 { return u.BreakEvenOutcomes })},
}

// Units asks for unit costs and margins.
func (c *Client) Units(ctx context.Context, q UnitsQuery) (out UnitsReport, err error) {
	err = c.call(ctx, http.MethodGet, "/economics/units?"+q.encode(), nil, &out)
	return out, err
}

func (q *UnitsQuery) encode() string {
	path := q.UsageQuery.encode()
	if q.Outcome != "" {
		path += "&" + query(map[string]string{"outcome": q.Outcome}, 0)
	}
	return path
}
