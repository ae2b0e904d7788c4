package ui

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"purser/api/admin"
)

// budgetRow is a budget in the list.
type budgetRow struct {
	admin.BudgetDetail
	Path   string
	Covers string      // which requests
	Full   *accountRow // the fullest account of those whose window is open
	Open   int         // accounts of open windows
	State  string      // of the breakers: closed, open, half_open
}

// accountRow is an account with what is drawn of it.
type accountRow struct {
	admin.Account
	Name                 string // the values of its split
	Used, Held, Forecast float64
	Text                 string // what the bar says
}

type budgetsView struct {
	Rows     []budgetRow
	Find     string
	MayWrite bool
}

// budgetsPage lists the budgets, the fullest first.
func budgetsPage(c *Call) error {
	if c.Q.Has("new") {
		return showNewBudget(c, nil)
	}
	var list struct{ Budgets []admin.BudgetDetail }
	if err := c.Get("/budgets", nil, &list); err != nil {
		return err
	}
	v := budgetsView{Find: c.Q.Get("find"), MayWrite: c.Can("budgets:write")}
	for i := range list.Budgets {
		if r := rowOfBudget(&list.Budgets[i]); strings.Contains(strings.ToLower(r.ID+" "+r.Covers), strings.ToLower(v.Find)) {
			v.Rows = append(v.Rows, r)
		}
	}
	fullness := func(r budgetRow) float64 {
		if r.Full == nil {
			return -1
		}
		return r.Full.Used + r.Full.Held
	}
	slices.SortStableFunc(v.Rows, func(a, b budgetRow) int {
		return cmp.Or(cmp.Compare(rankOf(b.State), rankOf(a.State)), cmp.Compare(fullness(b), fullness(a)), cmp.Compare(a.ID, b.ID))
	})
	return c.Render("budgets", "Budgets", &v)
}

// rankOf puts what needs a look first.
func rankOf(state string) int { return slices.Index([]string{"closed", "half_open", "open"}, state) }

func budgetPath(id string) string { return "/ui/budgets/" + url.PathEscape(id) }

func rowOfBudget(b *admin.BudgetDetail) budgetRow {
	r := budgetRow{BudgetDetail: *b, Path: budgetPath(b.ID), Covers: coversText(b.Match), State: "closed"}
	for i := range b.Breakers {
		if rankOf(b.Breakers[i].State) > rankOf(r.State) {
			r.State = b.Breakers[i].State
		}
	}
	for i := range b.Accounts {
		a := rowOfAccount(&b.Accounts[i])
		if a.State != "open" {
			continue
		}
		r.Open++
		if rankOf(a.Breaker.State) > rankOf(r.State) {
			r.State = a.Breaker.State
		}
		if r.Full == nil || a.Used+a.Held > r.Full.Used+r.Full.Held {
			r.Full = &a
		}
	}
	return r
}

func rowOfAccount(a *admin.Account) accountRow {
	r := accountRow{Account: *a, Name: splitName(a.Split), Used: share(a.Spent+a.WrittenOff, a.Limit), Held: share(a.Outstanding, a.Limit)}
	if a.Limit == 0 {
		r.Used = 1
	}
	r.Text = percent(r.Used) + " spent"
	if a.Outstanding > 0 {
		r.Text += ", " + percent(r.Held) + " at nodes"
	}
	if a.Forecast != nil && a.Forecast.ExhaustsAt != nil {
		r.Forecast = 1
		r.Text += ", will be exhausted before its window ends if it goes on like this"
	}
	return r
}

// splitName is the values of a split, by dimension.
func splitName(split map[string]string) string {
	var list []string
	for _, name := range sortedKeys(split) {
		list = append(list, name+" "+split[name])
	}
	return strings.Join(list, ", ")
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// coversText says which requests a budget covers.
func coversText(match map[string][]string) string {
	if len(match) == 0 {
		return "every request"
	}
	var list []string
	for _, dim := range sortedKeys(match) {
		list = append(list, dim+" "+strings.Join(match[dim], " or "))
	}
	return strings.Join(list, "; ")
}

// newBudgetForm asks for a budget.
func newBudgetForm() *form {
	return &form{ID: "new", Action: "/ui/budgets", Submit: "Create the budget", Fields: []field{
		{Name: "id", Label: "Name", Required: true, Words: []string{"budget"}, Hint: "a-z, 0-9, “.”, “_”, “-”; it stays for good"},
		{Name: "limit", Label: "Limit", Kind: "number", Required: true, Hint: "Dollars, such as 25 or 0.50; else a whole count"},
		{Name: "unit", Label: "Counts", Kind: "select", Required: true, Value: "usd", Options: []option{{"usd", "dollars"}, {"tokens", "tokens"}, {"requests", "requests"}, {"slots", "requests at once"}}},
		{Name: "window", Label: "Window", Kind: "select", Required: true, Value: "month", Options: options("month", "week", "day", "hour", "minute", "total")},
		{Name: "match", Label: "Covers", Kind: "area", Wide: true, Hint: "One dimension=value to a line, such as team=search; several values by commas. Empty: every request"},
	}, More: []field{
		{Name: "each", Label: "One account for each", Suggest: splits, Hint: "Dimensions, such as customer: each value gets the limit"},
		{Name: "zone", Label: "Time zone", Words: []string{"time"}, Hint: "IANA name, such as Europe/Berlin; UTC if empty"},
		{Name: "alerts", Label: "Alerts at", Words: []string{"alert"}, Hint: "Percent of the limit, such as 50, 80, 95"},
		{Name: "soft", Label: "Count, and never refuse", Kind: "check"},
	}}
}

// splits are the dimensions that budgets can split by and keys can ask for; tag:<name> is another.
var splits = []string{"org", "team", "project", "member", "key", "customer", "feature", "agent", "run", "session", "prompt", "model", "provider", "env"}

func showNewBudget(c *Call, wrong *refused) error {
	if !c.Can("budgets:write") {
		return &fault{status: http.StatusForbidden, code: "forbidden", message: "You may not make budgets: budgets:write is missing."}
	}
	return c.RenderAs(wrong.status(), "newbudget", "New budget", wrong.into(newBudgetForm()))
}

// createBudget makes a budget that is not there yet.
func createBudget(c *Call) error {
	v, err := c.posted()
	if err != nil {
		return err
	}
	b, err := budgetFrom(v)
	if err == nil {
		err = c.DoIf(http.MethodPut, "/budgets/"+url.PathEscape(b.ID), http.Header{"If-None-Match": {"*"}}, b, nil)
	}
	if err != nil {
		return again(err, "new", v, func(r *refused) error { return showNewBudget(c, r) })
	}
	return c.Redirect(budgetPath(b.ID), "good", "The budget "+b.ID+" is in force.")
}

// budgetFrom reads a budget from a form, as it was written: what it means is the API's
// to say.
func budgetFrom(v url.Values) (b admin.Budget, err error) {
	b = admin.Budget{
		ID: strings.TrimSpace(v.Get("id")), Unit: v.Get("unit"), Window: v.Get("window"),
		Zone: strings.TrimSpace(v.Get("zone")), Each: textList(v.Get("each")), Soft: checked(v, "soft"),
	}
	if b.ID == "" {
		return b, invalid("id: a budget needs a name")
	}
	if b.Limit, err = number("limit", v.Get("limit")); err != nil {
		return b, err
	}
	if b.Alerts, err = wholes("alerts", v.Get("alerts")); err != nil {
		return b, err
	}
	match, err := pairs("match", v.Get("match"))
	if err != nil {
		return b, err
	}
	for dim, values := range match {
		if b.Match == nil {
			b.Match = map[string][]string{}
		}
		if b.Match[dim], err = valueList(values); err != nil {
			return b, err
		}
	}
	return b, nil
}
