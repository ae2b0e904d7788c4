package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
)

const outcomesConfig = `outcomes:
  stripe:
    enabled: true
    secrets: [whsec_e2e_of_one_run_2f81]
    customers: {cus_9: hooli}
    prices: {ticket: "0.50"}
  langfuse:
    enabled: true
    scores: {tone: {categories: {kind: 1, rude: 0}}}
`

// reported posts to a node and gives the status and the body.
func (r *rig) reported(url, path, key, body string, headers ...string) (int, string) {
	r.t.Helper()
	at := *r
	at.url = url
	status, answer, _ := at.post(path, key, body, headers...)
	return status, answer
}

// costing asks a node as a customer, and gives what it cost.
func (r *rig) costing(url, key, model, text string, headers ...string) (cost int64, id string) {
	r.t.Helper()
	at := *r
	at.url = url
	var status int
	var header http.Header
	body := fmt.Sprintf(`{"model":%q,"max_completion_tokens":30,"messages":[{"role":"user","content":%q}]}`, model, text)
	at.eventually("it is answered", func() error {
		if status, _, header = at.ask(key, body, headers...); status != http.StatusOK {
			return fmt.Errorf("status %d", status)
		}
		return nil
	})
	cost, err := strconv.ParseInt(header.Get("x-purser-cost-nanousd"), 10, 64)
	if err != nil || cost <= 0 {
		r.t.Fatalf("it cost %q", header.Get("x-purser-cost-nanousd"))
	}
	return cost, header.Get("x-purser-request-id")
}

// stripeSigned is the header that Stripe signs an event with.
func stripeSigned(secret, body string, at time.Time) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", at.Unix(), body)
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil)))
}

// TestUnitsOfThreeNodes: requests go through some nodes and outcomes through others; any
// node says the same, exact to the nano-dollar, also after one is gone that took outcomes.
func TestUnitsOfThreeNodes(t *testing.T) {
	r := newRig(t, rigOptions{cluster: true, config: outcomesConfig, provider: []string{"--output-max", "40"}})
	second, third := r.join("e2e-2"), r.join("e2e-3")
	r.votes("e2e-1", "e2e-2", "e2e-3")
	r.budget(usd("cap", "100"))
	key := r.key(admin.NewKey{Name: "acme", CacheOff: true, Bound: map[string]string{"org": "acme"}})
	other := r.key(admin.NewKey{Name: "umbrella", CacheOff: true, Bound: map[string]string{"org": "umbrella"}})
	urls := []string{r.url, second.url, third.url}

	for _, url := range urls {
		for _, secret := range []string{key.Secret, other.Secret} {
			r.eventually("the node knows the key", func() error {
				if status, answer := r.reported(url, "/v1/outcomes", secret, `{}`); status != http.StatusBadRequest {
					return fmt.Errorf("%d: %s", status, answer)
				}
				return nil
			})
		}
	}
	// What has yet to be asked can be reported; what another says of it does not count.
	for _, o := range []struct {
		url, key, body, want string
		status               int
	}{
		{third.url, key.Secret, `{"id":"two","name":"ticket","success":false,"join":{"run":"run-2"}}`, `"state":"recorded"`, 200},
		{second.url, other.Secret, `{"id":"two","name":"ticket","success":true,"value":"1000","join":{"run":"run-2"}}`, `"state":"recorded"`, 200},
	} {
		if status, answer := r.reported(o.url, "/v1/outcomes", o.key, o.body); status != o.status || !strings.Contains(answer, o.want) {
			t.Fatalf("%s is answered with %d: %s", o.body, status, answer)
		}
	}
	cost := map[string]int64{} // by customer, and by model
	var requests []string
	spend := func(i int, customer, model, run string) {
		c, id := r.costing(urls[i%3], key.Secret, model, fmt.Sprintf("question %d of %s", i, run), "x-purser-customer", customer, "x-purser-run", run)
		cost[customer] += c
		cost[model] += c
		requests = append(requests, id)
	}
	for i, model := range []string{"gpt-4.1-nano", "gpt-4.1", "gpt-4.1-nano"} {
		spend(i, "globex", model, "run-1")
	}
	spend(4, "initech", "gpt-4.1-nano", "run-2")
	spend(5, "initech", "gpt-4.1-nano", "run-2")
	spend(6, "hooli", "gpt-4.1-nano", "")
	spend(7, "=cmd()", "gpt-4.1-nano", "") // of no outcome
	day := time.Now().UTC().Format(time.DateOnly)

	one := `{"id":"one","name":"ticket","success":true,"quality":0.5,"value":"0.02","currency":"USD","join":{"run":"run-1"}}`
	stripe := func(id string) string {
		return fmt.Sprintf(`{"object":"event","type":"v1.billing.meter_event","data":{"object":{"object":"billing.meter_event","event_name":"ticket","identifier":%q,"payload":{"stripe_customer_id":"cus_9","value":"2"},"timestamp":%d}}}`, id, time.Now().Unix())
	}
	event := stripe("m1")
	for _, o := range []struct {
		url, path, body, signature, want string
		status                           int
	}{
		{second.url, "/v1/outcomes", one, "", `"state":"recorded"`, 200},
		{third.url, "/v1/outcomes", one, "", `"state":"known"`, 200},
		{r.url, "/v1/outcomes", strings.Replace(one, "0.02", "0.03", 1), "", `"differs":"value"`, 409},
		{r.url, "/v1/outcomes", `[` + one + `,{"id":"x","name":"ticket","join":{}}]`, "", "none of the list is kept", 400},
		{r.url, "/v1/outcomes", strings.Replace(one, "USD", "EUR", 1), "", "USD", 400},
		{third.url, "/v1/outcomes", fmt.Sprintf(`{"id":"q","name":"thumbs","quality":1,"join":{"request_id":%q}}`, requests[0]), "", `"state":"recorded"`, 200},
		{r.url, "/v1/outcomes/stripe", event, stripeSigned("whsec_e2e_of_one_run_2f81", event, time.Now()), `"state":"recorded"`, 200},
		{second.url, "/v1/outcomes/stripe", event, stripeSigned("whsec_e2e_of_one_run_2f81", event, time.Now()), `"state":"known"`, 200},
		{second.url, "/v1/outcomes/stripe", stripe("m2"), stripeSigned("whsec_e2e_of_one_run_2f81", event, time.Now()), "signature", 401},
		{second.url, "/v1/outcomes/stripe", event, stripeSigned("whsec_of_somebody_else", event, time.Now()), "signature", 401},
		{second.url, "/v1/outcomes/stripe", event, stripeSigned("whsec_e2e_of_one_run_2f81", event, time.Now().Add(-time.Hour)), "another time", 401},
		{r.url, "/v1/outcomes/langfuse", `{"id":"s1","name":"tone","value":"kind","traceId":"run-1"}`, "", `"id":"langfuse:s1"`, 200},
		{r.url, "/v1/outcomes/langfuse", `{"name":"tone","value":"odd","traceId":"run-1"}`, "", "configured", 400},
	} {
		headers := []string{}
		if o.signature != "" {
			headers = []string{"Stripe-Signature", o.signature, "Authorization", ""}
		}
		if status, answer := r.reported(o.url, o.path, key.Secret, o.body, headers...); status != o.status || !strings.Contains(answer, o.want) {
			t.Errorf("%s %s is answered with %d: %s", o.path, o.body, status, answer)
		}
	}
	revenue := r.file("revenue.csv", "id,customer,plan,cohort,from,to,amount\ninv-1,globex,pro,2026-01,"+day+","+nextDay()+",24.00\ninv-2,initech,free,2026-01,"+day+","+nextDay()+",0\ninv-3,hooli,pro,2026-02,"+day+","+nextDay()+",1.5.0\n")
	if out, code := r.command("revenue", "import", revenue); code != 1 || !strings.Contains(out, "line 4: amount") || !strings.Contains(out, "2 recorded") {
		t.Errorf("the import ended with %d: %s", code, out)
	}
	outcomes := r.file("outcomes.csv", "id,name,success,customer,at\ncsv-1,ticket,true,hooli,"+day+"T00:00:01Z\ncsv-1,ticket,false,hooli,"+day+"T00:00:01Z\n")
	if out, code := r.command("outcomes", "import", outcomes); code != 1 || !strings.Contains(out, "line 3: this id is kept with another success") || !strings.Contains(out, "1 recorded") {
		t.Errorf("the import ended with %d: %s", code, out)
	}
	if out, code := r.command("outcomes", "show", "two"); code != 0 || strings.Count(out, "run-2") != 2 {
		t.Errorf("show ended with %d: %s", code, out)
	}

	q := admin.UnitsQuery{Outcome: "ticket", UsageQuery: admin.UsageQuery{From: day, To: nextDay(), Group: []string{"customer"}}}
	check := func(ask *admin.Client) error {
		report, err := ask.Units(t.Context(), q)
		if err != nil {
			return err
		}
		rows := map[string]admin.UnitsRow{}
		for _, row := range report.Rows {
			rows[row.Group["customer"]] = row
		}
		g, i, h := rows["globex"], rows["initech"], rows["hooli"]
		switch {
		case slices.ContainsFunc(report.Nodes, func(a admin.NodeAnswer) bool { return a.Err != "" }):
			return fmt.Errorf("nodes are missing: %+v", report.Nodes)
		case g.Cost != cost["globex"] || i.Cost != cost["initech"] || h.Cost != cost["hooli"] || rows["=cmd()"].Cost != cost["=cmd()"]:
			return fmt.Errorf("costs %d, %d, %d are not %v", g.Cost, i.Cost, h.Cost, cost)
		case g.PerOutcome == nil || *g.PerOutcome != cost["globex"] || *g.Successes != 1 || *g.Value != 20_000_000 || *g.ValueProfit != 20_000_000-cost["globex"]:
			return fmt.Errorf("globex: %s", text(g))
		case i.PerSuccess != nil || *i.Failures != 1 || i.Value != nil || *i.Coverage.Outcomes != 1:
			return fmt.Errorf("initech: %s", text(i))
		case *h.Outcomes != 3 || *h.Value != 1_000_000_000 || *h.Successes != 1 || *h.PerOutcome != (cost["hooli"]*2+3)/6:
			return fmt.Errorf("hooli: %s", text(h))
		case rows["=cmd()"].Outcomes != nil || rows["=cmd()"].PerOutcome != nil || *rows["=cmd()"].Coverage.Outcomes != 0:
			return fmt.Errorf("what is of no outcome: %s", text(rows["=cmd()"]))
		case *g.Revenue != 24_000_000_000 || *g.Profit != 24_000_000_000-cost["globex"] || *i.Revenue != 0 || i.Margin != nil || *i.Profit != -cost["initech"] || h.Revenue != nil || h.Margin != nil:
			return fmt.Errorf("margins: %s, %s, %s", text(g), text(i), text(h))
		case *report.Total.Outcomes != 5 || *report.Total.Value != 1_020_000_000 || *report.Unjoined != 1:
			return fmt.Errorf("total: %s, %d are of nothing", text(report.Total), *report.Unjoined)
		}
		return nil
	}
	for _, ask := range []*admin.Client{r.admin, second.admin, third.admin} {
		r.eventually("a node says the same", func() error { return check(ask) })
	}

	// Divided among models, by cost, the outcome of a run is one outcome.
	q.Group, q.Filter = []string{"model"}, map[string]string{"customer": "globex"}
	report, err := second.admin.Units(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var value, money int64
	var parts float64
	for _, row := range report.Rows {
		value, money, parts = value+*row.Value, money+*row.Revenue, parts+*row.Outcomes
		if row.Shared != *row.Outcomes {
			t.Errorf("%s is not said to share", text(row))
		}
	}
	if len(report.Rows) != 2 || value != 20_000_000 || money != 24_000_000_000 || parts != 1 {
		t.Errorf("%s", text(report))
	}

	q.Group, q.Filter = []string{"plan"}, nil
	if report, err = r.admin.Units(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	plans := map[string]int64{}
	for _, row := range report.Rows {
		plans[row.Group["plan"]] = row.Cost
	}
	if want := map[string]int64{"pro": cost["globex"], "free": cost["initech"], "unallocated": cost["hooli"] + cost["=cmd()"]}; !maps.Equal(plans, want) {
		t.Errorf("by plan %v, want %v", plans, want)
	}

	// Who runs a team reaches none of these requests, and reads no revenue.
	limited := r.mint(admin.NewAdminToken{Name: "limited", Role: "team_admin", Teams: []string{"ads"}})
	if _, err := r.as(limited.Secret).Units(t.Context(), q); err == nil || !strings.Contains(err.Error(), "revenue:read") {
		t.Errorf("plans are shown: %v", err)
	}
	q.Group = []string{"customer"}
	if report, err = r.as(limited.Secret).Units(t.Context(), q); err != nil || len(report.Rows) != 0 || report.Total.Cost != 0 || report.Names != nil || !report.Hidden {
		t.Errorf("%s %v", text(report), err)
	}

	if out, code := r.command("economics", "units", "--by", "customer", "--from", day, "--csv"); code != 0 || !strings.Contains(out, "\n'=cmd(),") || strings.Contains(out, "\n=cmd") {
		t.Errorf("CSV ended with %d: %s", code, out)
	}
	if out, code := r.command("economics", "units", "--by", "customer", "--from", day, "--to", nextDay(), "--outcome", "ticket"); code != 0 || !slices.Contains(strings.Fields(out), "globex") || !strings.Contains(out, "$24.000000") {
		t.Errorf("the table ended with %d: %s", code, out)
	}

	// The second node took an outcome, and is gone with its disk: its copies are left.
	q.Group = []string{"customer"}
	r.kill(second)
	r.eventuallyWithin(2*patience, "the third node says the same without the second", func() error { return check(third.admin) })
}

func nextDay() string { return time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly) }

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
