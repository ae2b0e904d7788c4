package ui

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"purser/api/admin"
)

// addForms puts in what can be changed of a budget.
func (v *budgetView) addForms(b *admin.BudgetDetail, wrong *refused) {
	v.Edit = wrong.into(editForm(v.Path, b))
	v.Raise = wrong.into(raiseForm(v.Path, b))
	v.Trip = wrong.into(tripForm(v.Path, b))
	for _, k := range b.Breakers {
		if k.State != "closed" && v.Reset == nil {
			v.Reset = wrong.into(resetForm(v.Path, b, k))
		}
	}
	v.Delete = wrong.into(&form{ID: "delete", Action: v.Path, Submit: "Delete the budget", Fields: []field{doing("delete"), confirm("Delete " + b.ID)},
		Warning: "Requests are no longer limited by it, and its raises and breakers end. What was spent stays in the usage."})
	for _, x := range b.Raises {
		v.Raising = append(v.Raising, raiseRow{x, splitName(x.Split), &form{ID: "end-raise-" + x.ID, Action: v.Path, Submit: "End it", Quiet: true, Fields: []field{doing("end-raise"), {Name: "raise", Kind: "hidden", Value: x.ID}}}})
	}
}

func releaseForm(path string) *form {
	return &form{ID: "release", Action: path, Submit: "Give it back", Fields: []field{doing("release"), confirm("It was not spent")},
		Warning: "A restored backup withholds what may have been spent after it was made. Give it back only when you know that it was not, or what was."}
}

// doing says which change a form is for.
func doing(what string) field { return field{Name: "do", Kind: "hidden", Value: what} }

func editForm(path string, b *admin.BudgetDetail) *form {
	k := b.Breaker
	if k == nil {
		k = &admin.BreakerRule{}
	}
	var match, alerts []string
	for _, dim := range sortedKeys(b.Match) {
		match = append(match, dim+"="+listed(b.Match[dim]))
	}
	for _, a := range b.Alerts {
		alerts = append(alerts, strconv.Itoa(a))
	}
	return &form{ID: "edit", Action: path, Submit: "Change the budget", Fields: []field{
		doing("edit"), {Name: "version", Kind: "hidden", Value: strconv.FormatUint(b.Version, 10)},
		{Name: "limit", Label: "Limit", Kind: "number", Required: true, Value: b.Limit.String(), Hint: unitHint(b.Unit)},
		{Name: "alerts", Label: "Alerts at", Value: strings.Join(alerts, ", "), Words: []string{"alert"}, Hint: "Percent of the limit"},
		{Name: "match", Label: "Covers", Kind: "area", Wide: true, Value: strings.Join(match, "\n"), Hint: "One dimension=value to a line; several values by commas, one with a comma in it in quotes. Empty: every request"},
		{Name: "soft", Label: "Count, and never refuse", Kind: "check", Value: mark(b.Soft)},
	}, More: []field{
		{Name: "rate_times", Label: "Trip at this many times the usual rate", Kind: "number", Value: unlessZero(k.RateTimes), Hint: "2 or more; empty: never"},
		{Name: "overrun", Label: "Trip at this overrun", Kind: "number", Value: k.Overrun.String(), Hint: "Each time so much more than the holds was billed; " + unitHint(b.Unit)},
		{Name: "cool_down", Label: "Rest after a trip by itself", Value: k.CoolDown, Hint: "Such as 10m; empty: until it is reset"},
		{Name: "probes", Label: "Probes before it is closed", Kind: "number", Value: unlessZero(k.Probes), Hint: "Requests that must end well; empty: none"},
	}}
}

func unitHint(unit string) string {
	if unit == "usd" {
		return "dollars"
	}
	return "a whole count of " + unit
}

func unlessZero(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// editBudget changes the budget as it was when its form was made: what the form has not
// stays as it is, and somebody else's change in between is a conflict.
func editBudget(c *Call, path, id string, v url.Values) error {
	var was admin.BudgetDetail
	if err := c.Get(path, nil, &was); err != nil {
		return err
	}
	v.Set("id", id)
	b, err := budgetFrom(v)
	if err != nil {
		return err
	}
	b.Unit, b.Each, b.Window, b.Zone = was.Unit, was.Each, was.Window, was.Zone
	if b.Version, err = strconv.ParseUint(v.Get("version"), 10, 64); err != nil || b.Version == 0 {
		return invalid("The form does not say which version it changes. Load the page again.")
	}
	k := admin.BreakerRule{CoolDown: strings.TrimSpace(v.Get("cool_down"))}
	if k.RateTimes, err = whole("rate_times", v.Get("rate_times")); err != nil {
		return err
	}
	if k.Probes, err = whole("probes", v.Get("probes")); err != nil {
		return err
	}
	if text := strings.TrimSpace(v.Get("overrun")); text != "" {
		if k.Overrun, err = number("overrun", text); err != nil {
			return err
		}
	}
	if k != (admin.BreakerRule{}) {
		b.Breaker = &k
	}
	return c.Do(http.MethodPut, path, b, nil)
}

// whole is a whole number, 0 for none.
func whole(name, text string) (int, error) {
	list, err := wholes(name, text)
	switch {
	case err != nil:
		return 0, err
	case len(list) > 1:
		return 0, invalid(name + ": one number is enough")
	case len(list) == 1:
		return list[0], nil
	}
	return 0, nil
}

// splitFields ask for one account; none of a budget that has but one.
func splitFields(b *admin.BudgetDetail) (list []field) {
	for _, dim := range b.Each {
		var known []string
		for _, a := range b.Accounts {
			if x := a.Split[dim]; len(known) < shownAccounts {
				known = append(known, x)
			}
		}
		list = append(list, field{Name: "split-" + dim, Label: "For " + dim, Suggest: known, Words: []string{"split"}, Hint: "Empty: every account"})
	}
	return list
}

// splitFrom reads them; nil is every account.
func splitFrom(v url.Values) (out map[string]string) {
	for name := range v {
		if dim, ok := strings.CutPrefix(name, "split-"); ok && v.Get(name) != "" {
			if out == nil {
				out = map[string]string{}
			}
			out[dim] = v.Get(name)
		}
	}
	return out
}

func raiseForm(path string, b *admin.BudgetDetail) *form {
	return &form{ID: "raise", Action: path, Submit: "Raise the limit", Fields: append([]field{
		doing("raise"),
		{Name: "by", Label: "By", Kind: "number", Required: true, Hint: unitHint(b.Unit)},
		{Name: "until", Label: "Until", Required: true, Value: "24h", Words: []string{"time"}, Hint: "From now, such as 2h or 3d, or a time such as 2026-12-01T00:00:00Z. It ends by itself"},
		{Name: "reason", Label: "Reason"},
	}, splitFields(b)...)}
}

func raiseBudget(c *Call, path string, v url.Values) error {
	by, err := number("by", v.Get("by"))
	if err != nil {
		return err
	}
	until := untilFrom(c.Now, v.Get("until"))
	id := "raise-" + strconv.FormatInt(c.Now.UnixNano(), 36)
	return c.Do(http.MethodPut, path+"/raises/"+id, admin.Raise{By: json.Number(by), Until: until, Reason: v.Get("reason"), Split: splitFrom(v)}, nil)
}

// untilFrom reads how long from now, with days, or a moment, which is the API's to judge.
func untilFrom(now time.Time, text string) string {
	text = strings.TrimSpace(text)
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok && err != nil {
		var n int
		if n, err = strconv.Atoi(days); err == nil && n > 0 && n < 3650 {
			d = time.Duration(n) * 24 * time.Hour
		}
	}
	if err != nil || d <= 0 {
		return text
	}
	return now.Add(d).UTC().Format(time.RFC3339)
}

func tripForm(path string, b *admin.BudgetDetail) *form {
	return &form{ID: "trip", Action: path, Submit: "Open the breaker", Fields: append([]field{
		doing("trip"),
		{Name: "reason", Label: "Reason", Hint: "Callers that are refused are told"},
		{Name: "for", Label: "For", Hint: "Such as 30m, then probes are let through; empty: until it is reset"},
	}, splitFields(b)...), Warning: "Every request that the budget covers is refused, on every node, within a second."}
}

func tripBudget(c *Call, path string, v url.Values) error {
	return c.Do(http.MethodPost, path+"/trip", admin.BreakerChange{Reason: v.Get("reason"), For: strings.TrimSpace(v.Get("for")), Split: splitFrom(v)}, nil)
}

func resetForm(path string, b *admin.BudgetDetail, k admin.Breaker) *form {
	f := &form{ID: "reset", Action: path, Submit: "Reset the breaker", Fields: []field{doing("reset")}}
	for _, x := range splitFields(b) {
		x.Value = k.Split[strings.TrimPrefix(x.Name, "split-")]
		f.Fields = append(f.Fields, x)
	}
	f.Fields = append(f.Fields, field{Name: "close", Label: "Close it at once, without probes", Kind: "check"})
	return f
}

func resetBudget(c *Call, path string, v url.Values) error {
	return c.Do(http.MethodPost, path+"/reset", admin.BreakerChange{Split: splitFrom(v), Close: checked(v, "close")}, nil)
}
