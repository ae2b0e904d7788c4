package ui

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"purser/api/admin"
)

const (
	// shownAccounts bounds the accounts of one page; a search finds the others.
	shownAccounts = 100
	// shownRefusals bounds the refusals of one page.
	shownRefusals = 10
	// refusalSpan is how far back a page looks for refusals.
	refusalSpan = time.Hour
)

// whyRow is why requests are refused: a breaker that is not closed.
type whyRow struct {
	admin.Breaker
	Name string // of the account; "" for all
}

// holderRow is what one node has of a budget's accounts whose windows are open.
type holderRow struct {
	Node       string
	Spent, Out int64
	Held       *int64  // nil: not known
	Share      float64 // of what is out
}

// refusal is a usage record as far as the page of a budget shows it.
type refusal struct {
	ID         string            `json:"id"`
	At         string            `json:"at"`
	Dimensions map[string]string `json:"dimensions"`
	Model      string            `json:"model"`
	Code       string            `json:"code"`
	Hold       int64             `json:"hold_nanousd"`
}

type budgetView struct {
	budgetRow
	Total    accountRow // all open accounts together
	Shown    []accountRow
	Find     string
	More     int // accounts that are not shown
	Why      []whyRow
	Holders  []holderRow
	Refusals []refusal
	Explore  string // what was asked for under it
	MayWrite bool
	Raising  []raiseRow
	Edit     *form
	Raise    *form
	Trip     *form
	Reset    *form
	Delete   *form
	Release  *form
	Withheld int64
	Unread   bool // the reader may not see records
}

type raiseRow struct {
	admin.Raise
	Name string
	End  *form
}

func budgetPage(c *Call) error { return showBudget(c, nil) }

// showBudget shows one budget, and the form that was refused, if any.
func showBudget(c *Call, wrong *refused) error {
	var b admin.BudgetDetail
	if err := c.Get("/budgets/"+url.PathEscape(c.R.PathValue("id")), nil, &b); err != nil {
		return err
	}
	v := budgetView{budgetRow: rowOfBudget(&b), Find: c.Q.Get("find"), MayWrite: c.Can("budgets:write")}
	v.addAccounts(&b)
	v.Why, v.Holders, v.Explore = whyOf(&b), holdersOf(&b), exploring(&b)
	if err := v.addRefusals(c, &b); err != nil {
		return err
	}
	if v.MayWrite {
		v.addForms(&b, wrong)
	}
	if v.Withheld > 0 && c.CanAll("budgets:release") {
		v.Release = wrong.into(releaseForm(v.Path))
	}
	return c.RenderAs(wrong.status(), "budget", b.ID, &v)
}

func (v *budgetView) addAccounts(b *admin.BudgetDetail) {
	sum := admin.Account{Budget: b.ID, Unit: b.Unit, State: "open"}
	for i := range b.Accounts {
		a := rowOfAccount(&b.Accounts[i])
		v.Withheld += a.Withheld
		if a.State == "open" {
			for to, n := range map[*int64]int64{&sum.Limit: a.Limit, &sum.Available: a.Available, &sum.Outstanding: a.Outstanding, &sum.Spent: a.Spent, &sum.Presumed: a.Presumed, &sum.WrittenOff: a.WrittenOff, &sum.Overrun: a.Overrun} {
				*to += n
			}
			sum.WindowStart, sum.WindowEnd, sum.Forecast = a.WindowStart, a.WindowEnd, a.Account.Forecast
		}
		if strings.Contains(strings.ToLower(a.Name), strings.ToLower(v.Find)) {
			v.Shown = append(v.Shown, a)
		}
	}
	if v.Open != 1 {
		sum.Forecast = nil
	}
	v.Total = rowOfAccount(&sum)
	slices.SortStableFunc(v.Shown, func(x, y accountRow) int {
		return cmp.Or(cmp.Compare(y.WindowStart, x.WindowStart), cmp.Compare(y.Used+y.Held, x.Used+x.Held), cmp.Compare(x.Name, y.Name))
	})
	if v.More = len(v.Shown) - shownAccounts; v.More > 0 {
		v.Shown = v.Shown[:shownAccounts]
	}
}

// exploring is the explorer's address of the requests that a budget covers.
func exploring(b *admin.BudgetDetail) string {
	q := url.Values{}
	for _, dim := range sortedKeys(b.Match) {
		for _, value := range b.Match[dim] {
			q.Add("filter", dim+":"+value)
		}
	}
	if len(b.Each) > 0 {
		q.Set("by", b.Each[0])
	}
	return "/ui/explorer?" + q.Encode()
}

// whyOf is every breaker of a budget, and of its open accounts, that is not closed.
func whyOf(b *admin.BudgetDetail) (list []whyRow) {
	for _, k := range b.Breakers {
		list = append(list, whyRow{k, splitName(k.Split)})
	}
	for _, a := range b.Accounts {
		if a.State == "open" && a.Breaker.Cause == "exhausted" && len(list) < shownAccounts {
			list = append(list, whyRow{a.Breaker, splitName(a.Split)})
		}
	}
	return list
}

// holdersOf is where the money of the open accounts is, by node.
func holdersOf(b *admin.BudgetDetail) (list []holderRow) {
	by := map[string]*holderRow{}
	total := int64(0)
	for _, a := range b.Accounts {
		for _, l := range a.Leases {
			if a.State != "open" {
				continue
			}
			h := by[l.Node]
			if h == nil {
				h = &holderRow{Node: l.Node, Held: new(int64)}
				by[l.Node] = h
			}
			h.Spent, h.Out = h.Spent+l.Spent, h.Out+l.Out
			total += l.Out
			switch {
			case l.Held == nil:
				h.Held = nil
			case h.Held != nil:
				*h.Held += *l.Held
			}
		}
	}
	for _, node := range sortedKeys(by) {
		by[node].Share = share(by[node].Out, total)
		list = append(list, *by[node])
	}
	return list
}

// addRefusals reads the last requests that a budget refused, of those this one covers.
func (v *budgetView) addRefusals(c *Call, b *admin.BudgetDetail) error {
	q := url.Values{"filter": {"outcome:refused"}, "from": {c.Now.Add(-refusalSpan).UTC().Format(time.RFC3339)}, "newest": {"true"}, "limit": {strconv.Itoa(shownRefusals)}}
	for _, dim := range sortedKeys(b.Match) {
		for _, value := range b.Match[dim] {
			q["filter"] = append(q["filter"], dim+":"+value)
		}
	}
	err := c.Lines("/usage/records", q, func(line json.RawMessage) error {
		var r refusal
		if err := json.Unmarshal(line, &r); err != nil {
			return err
		}
		v.Refusals = append(v.Refusals, r)
		return nil
	})
	if v.Unread = absent(err); v.Unread {
		err = nil
	}
	return err
}

// changeBudget does what a form of the page asks for.
func changeBudget(c *Call) error {
	v, err := c.posted()
	if err != nil {
		return err
	}
	id, do := c.R.PathValue("id"), v.Get("do")
	path, done, to := "/budgets/"+url.PathEscape(id), "", budgetPath(id)
	switch do {
	case "edit":
		err, done = editBudget(c, path, id, v), "The budget is changed."
	case "raise":
		err, done = raiseBudget(c, path, v), "The limit is raised until "+v.Get("until")+"."
	case "end-raise":
		err, done = c.Do(http.MethodDelete, path+"/raises/"+url.PathEscape(v.Get("raise")), nil, nil), "The raise is ended."
	case "trip":
		err, done = tripBudget(c, path, v), "The breaker is open: requests are refused."
	case "reset":
		err, done = resetBudget(c, path, v), "The breaker is reset."
	case "delete":
		if err = confirmed(v); err == nil {
			err = c.Do(http.MethodDelete, path, nil, nil)
		}
		done, to = "The budget "+id+" is deleted.", "/ui/budgets"
	case "release":
		if err = confirmed(v); err == nil {
			err = c.Do(http.MethodPost, path+"/release", nil, nil)
		}
		done = "What was withheld is given back."
	default:
		return invalid("There is no such change.")
	}
	if err != nil {
		return again(err, do, v, func(r *refused) error { return showBudget(c, r) })
	}
	return c.Redirect(to, "good", done)
}
