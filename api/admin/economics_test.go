package admin

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"purser/internal/access"
)

// earnings remember what they were asked, and answer with whose requests are counted.
type earnings struct {
	units    UnitsQuery
	outcomes OutcomeQuery
	revenue  RevenueQuery
	body     string
	csv      bool
	err      error
}

// Units implements Economics.
func (e *earnings) Units(_ context.Context, q UnitsQuery) (UnitsReport, error) {
	e.units = q
	half, cost := 0.5, Money(7)
	r := UnitsReport{Rows: []UnitsRow{}, Complete: true}
	for _, target := range targets {
		if q.Reach.Covers(ownedBy(target.id)) {
			r.Rows = append(r.Rows, UnitsRow{Group: map[string]string{"team": target.id}})
		}
	}
	if q.Reach.All {
		u := Units{Requests: 2, Cost: 14, Outcomes: &half, PerOutcome: &cost}
		r.Rows = append(r.Rows, UnitsRow{Group: map[string]string{"team": "=1+1"}, Units: u, Intervals: []UnitsInterval{{Start: "2026-01-01T00:00:00Z", Units: u}}})
	}
	return r, e.err
}

// ImportOutcomes implements Outcomes.
func (e *earnings) ImportOutcomes(_ context.Context, body []byte, csv bool) (Imported, error) {
	e.body, e.csv = string(body), csv
	return Imported{Recorded: 1, Invalid: 1, Problems: []ImportFault{{Line: 3, Message: "no"}}}, e.err
}

// ImportRevenue implements Outcomes.
func (e *earnings) ImportRevenue(ctx context.Context, body []byte, csv bool) (Imported, error) {
	return e.ImportOutcomes(ctx, body, csv)
}

// ListOutcomes implements Outcomes.
func (e *earnings) ListOutcomes(_ context.Context, q OutcomeQuery) (OutcomeList, error) {
	e.outcomes = q
	return OutcomeList{Total: 4}, e.err
}

// ListRevenue implements Outcomes.
func (e *earnings) ListRevenue(_ context.Context, q RevenueQuery) (RevenueList, error) {
	e.revenue = q
	return RevenueList{Total: 5}, e.err
}

func earning(t *testing.T) (*earnings, string) {
	t.Helper()
	e := &earnings{}
	return e, serveAPI(t, newAPI(t, &node{}, func(p *Parts) { p.Outcomes, p.Economics = e, e }))
}

// TestQuestionsAboutUnitsSurviveTheWire, and only who may read revenue everywhere asks
// for it.
func TestQuestionsAboutUnitsSurviveTheWire(t *testing.T) {
	e, url := earning(t)
	c := &Client{URL: url, Token: token}
	q := UnitsQuery{Outcome: "a&b", UsageQuery: UsageQuery{From: "2026-01-01", To: "2026-02-01", Group: []string{"plan", "tag:job"}, Filter: map[string]string{"team": "x"}, Interval: "week", Zone: "Asia/Kolkata", Limit: 7}}
	if _, err := c.Units(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	q.Reach, q.Revenue = access.Everything, true
	if fmt.Sprint(e.units) != fmt.Sprint(q) {
		t.Errorf("asked %+v, the node saw %+v", q, e.units)
	}
	for query, says := range map[string]string{"colour=x": "unknown parameter", "format=jsonl": "json or csv", "worth=true": "usage alone", "limit=0": "positive"} {
		if res, body := get(t, url+"/admin/v1/economics/units?"+query, ""); res.StatusCode != 400 || !strings.Contains(body, says) {
			t.Errorf("%s: %d %s", query, res.StatusCode, body)
		}
	}
}

// TestUnitsAsCSV: what is not known is empty, and no text is a formula.
func TestUnitsAsCSV(t *testing.T) {
	_, url := earning(t)
	for query, line := range map[string]string{
		"group=team":              "'=1+1,false,2,14,0.5,,,,,,,,,,7",
		"group=team&interval=day": "'=1+1,2026-01-01T00:00:00Z,false,2,14,0.5,,,,,,,,,,7",
	} {
		res, body := get(t, url+"/admin/v1/economics/units?"+query, "text/csv")
		lines, err := csv.NewReader(strings.NewReader(body)).ReadAll()
		if err != nil || res.Header.Get("Content-Type") != "text/csv" || res.Header.Get(completeHeader) != "true" {
			t.Fatalf("%s: %v %v", query, err, res.Header)
		}
		if last := strings.Join(lines[len(lines)-1], ","); !strings.HasPrefix(last, line) || len(lines[0]) != len(lines[len(lines)-1]) {
			t.Errorf("%s: %s\n%s", query, strings.Join(lines[0], ","), last)
		}
	}
}

// TestImportsGoByTheirMediaType, and what is not kept is in the answer.
func TestImportsGoByTheirMediaType(t *testing.T) {
	e, url := earning(t)
	c := &Client{URL: url, Token: token}
	out, err := c.ImportOutcomes(t.Context(), "text/csv; charset=utf-8", []byte("id,name\n"))
	if err != nil || out.Invalid != 1 || out.Problems[0].Line != 3 || e.body != "id,name\n" || !e.csv {
		t.Errorf("%+v %v %+v", out, err, e)
	}
	if out, err = c.ImportRevenue(t.Context(), "application/json", []byte("[]")); err != nil || out.Recorded != 1 || e.csv {
		t.Errorf("%+v %v %+v", out, err, e)
	}
	if _, err = c.ImportOutcomes(t.Context(), "application/xml", nil); err == nil || !strings.Contains(err.Error(), "text/csv") {
		t.Errorf("%v", err)
	}
	if _, err = c.ImportOutcomes(t.Context(), "text/csv", make([]byte, maxImport+1)); err == nil || !strings.Contains(err.Error(), "in parts") {
		t.Errorf("%v", err)
	}
	e.err = Conflict("no")
	if _, err = c.ImportRevenue(t.Context(), "text/csv", nil); err == nil || err.Error() != "no" {
		t.Errorf("%v", err)
	}
}

// TestListsOfWhatWasHad.
func TestListsOfWhatWasHad(t *testing.T) {
	e, url := earning(t)
	c := &Client{URL: url, Token: token}
	o := OutcomeQuery{From: "a", To: "b", Name: "n", ID: "i&", Limit: 3}
	if list, err := c.ListOutcomes(t.Context(), o); err != nil || list.Total != 4 || e.outcomes != o {
		t.Errorf("%+v %v", e.outcomes, err)
	}
	r := RevenueQuery{From: "a", To: "b", Customer: "c", Limit: 3}
	if list, err := c.ListRevenue(t.Context(), r); err != nil || list.Total != 5 || e.revenue != r {
		t.Errorf("%+v %v", e.revenue, err)
	}
	for _, path := range []string{"outcomes?colour=x", "revenue?colour=x", "outcomes?limit=0", "revenue?limit=10001"} {
		if res, body := get(t, url+"/admin/v1/"+path, ""); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
}
