package admin

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"purser/internal/access"
)

// Forecasts say what windows will come to.
type Forecasts interface {
	// Project says it of everything within the reach, or of the values of a dimension that
	// spent most.
	Project(ctx context.Context, q ProjectionQuery) ([]Projection, error)
	// ProjectAccount says it of an account of a budget in dollars.
	ProjectAccount(ctx context.Context, b Budget, a Account) (Projection, error)
}

// ProjectionQuery asks what a calendar window will come to.
type ProjectionQuery struct {
	Window string // day, week or month; empty: month
	Zone   string // IANA name of the zone whose window it is; empty: UTC
	Group  string // a dimension; empty: everything
	Limit  int    // most values of it; 0: 20
	Reach  access.Reach
}

// Projection is what a window has come to, and will. Amounts that nothing can be said of
// are null.
type Projection struct {
	Budget    string            `json:"budget,omitempty"`
	Split     map[string]string `json:"split,omitempty"`
	Dimension string            `json:"dimension,omitempty"`
	Value     string            `json:"value,omitempty"`

	Window string `json:"window"`
	From   string `json:"from"` // RFC 3339
	To     string `json:"to"`

	Spent    Money  `json:"spent_nanousd"`
	Expected *Money `json:"expected_nanousd"` // at the end of the window
	Low      *Money `json:"low_nanousd"`      // with High an interval that is to hold in four cases of five
	High     *Money `json:"high_nanousd"`
	Limit    *Money `json:"limit_nanousd,omitempty"`

	Shape string `json:"shape,omitempty"` // hour_of_week, hour_of_day or recent_hours
	Hours int    `json:"hours"`           // of history that it goes by
	Why   string `json:"why,omitempty"`   // nothing can be said

	// Complete says that no record is known to be missing of what it goes by.
	Complete bool `json:"complete"`
}

const (
	// maxProjected bounds the accounts whose windows are projected at once, and the values
	// of a dimension.
	maxProjected     = 50
	defaultProjected = 20
)

func (a *API) forecasts(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	q, of, fault := parseProjection(r.URL.Query())
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	q.Reach = reach
	var out []Projection
	var err error
	if of != "budgets" {
		if out, err = a.Forecasts.Project(r.Context(), q); err != nil {
			a.fail(w, r, err)
			return
		}
	}
	if of == "budgets" || of == "" && q.Group == "" {
		budgets, err := a.projectBudgets(r.Context(), reach, q.Limit)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		out = append(out, budgets...)
	}
	a.reply(w, r, http.StatusOK, map[string]any{"forecasts": append([]Projection{}, out...)}, nil)
}

func parseProjection(v url.Values) (q ProjectionQuery, of string, fault *Fault) {
	q = ProjectionQuery{Window: v.Get("window"), Zone: v.Get("zone"), Group: v.Get("group"), Limit: defaultProjected}
	for name := range v {
		if !slices.Contains([]string{"window", "zone", "group", "limit", "of"}, name) {
			return q, "", Invalid("unknown parameter " + strconv.Quote(name) + "; known are window, zone, group, limit and of")
		}
	}
	if of = v.Get("of"); of != "" && of != "budgets" && of != "spending" {
		return q, "", Invalid("of " + strconv.Quote(of) + " is neither budgets nor spending")
	}
	if s := v.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxProjected {
			return q, "", Invalid("limit " + strconv.Quote(s) + " is not 1 to " + strconv.Itoa(maxProjected))
		}
		q.Limit = n
	}
	return q, of, nil
}

// projectBudgets is of the accounts within the reach that have spent most of their limits,
// in windows of a day and more.
func (a *API) projectBudgets(ctx context.Context, reach access.Reach, limit int) ([]Projection, error) {
	list, _, err := a.Budgets.ShowBudgets(ctx, "", Stale)
	if err != nil {
		return nil, err
	}
	type account struct {
		budget Budget
		Account
	}
	var of []account
	for _, b := range a.shown(list, reach) {
		if b.Unit != "usd" || !slices.Contains([]string{"day", "week", "month"}, b.Window) {
			continue
		}
		for _, x := range b.Accounts {
			of = append(of, account{b.Budget, x})
		}
	}
	share := func(x *account) float64 { return float64(x.Spent+x.WrittenOff) / float64(max(x.Limit, 1)) }
	slices.SortStableFunc(of, func(x, y account) int { return cmp.Compare(share(&y), share(&x)) })
	var out []Projection
	for _, x := range of[:min(len(of), limit)] {
		p, err := a.Forecasts.ProjectAccount(ctx, x.budget, x.Account)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// Forecasts asks what windows will come to: of is budgets, spending or empty for both.
func (c *Client) Forecasts(ctx context.Context, q ProjectionQuery, of string) ([]Projection, error) {
	var out struct{ Forecasts []Projection }
	err := c.call(ctx, http.MethodGet, "/forecasts?"+c.query(map[string]string{"window": q.Window, "zone": q.Zone, "group": q.Group, "limit": number(q.Limit), "of": of}), nil, &out)
	return out.Forecasts, err
}
