package admin

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"purser/internal/access"
	"purser/internal/statement"
)

// spendings knows of each target's spending.
type spendings struct{}

func within(r access.Reach) (ids []string) {
	for _, t := range targets {
		if r.Covers(ownedBy(t.id)) {
			ids = append(ids, t.id)
		}
	}
	return ids
}

func (spendings) ListAnomalies(_ context.Context, r access.Reach, _ int) (list []Anomaly, err error) {
	for _, id := range within(r) {
		list = append(list, Anomaly{ID: id})
	}
	return list, nil
}

func (spendings) ShowAnomaly(_ context.Context, r access.Reach, id string) (Anomaly, error) {
	if !slices.Contains(within(r), id) {
		return Anomaly{}, NotFound("no anomaly")
	}
	return Anomaly{ID: id}, nil
}

func (spendings) Project(_ context.Context, q ProjectionQuery) (list []Projection, err error) {
	for _, id := range within(q.Reach) {
		list = append(list, Projection{Value: id})
	}
	return list, nil
}

func (spendings) ProjectAccount(_ context.Context, b Budget, a Account) (Projection, error) {
	return Projection{Budget: b.ID, Split: a.Split}, nil
}

func (spendings) Statements(_ context.Context, q StatementQuery) (out StatementReport, err error) {
	out.Heading = statement.Heading{Dimension: "customer", By: []string{"model"}, Period: "2026-11"}
	if out.Complete = q.Month != "2026-10"; !out.Complete {
		out.Heading.Missing, out.Heading.Collapsed = []string{"n2"}, []string{"model"}
	}
	used := []statement.Used{{Owner: "<b>", Of: []string{"=1"}, Cost: 7}}
	for _, id := range within(q.Reach) {
		used = append(used, statement.Used{Owner: id, Of: []string{""}, Cost: 1})
	}
	out.All = statement.Make(used, out.Heading.Terms).All
	return out, nil
}

// TestStatementsInEachForm: each form has its type, its protection, and its text.
func TestStatementsInEachForm(t *testing.T) {
	h := newAPI(t, &node{}, nil).Handler()
	for query, want := range map[string]struct{ status, typ, text string }{
		"":                           {"200", "application/json", `"owner":"<b>"`},
		"?format=json":               {"200", "application/json", `"cost_nanousd":7`},
		"?format=csv":                {"200", "text/csv", "'=1"},
		"?format=html":               {"200", "text/html", "&lt;b&gt;"},
		"?format=csv&month=2026-10":  {"503", "application/json", "records of these nodes are missing: n2"},
		"?format=json&month=2026-10": {"200", "application/json", `"missing":["n2"],"collapsed":["model"],"complete":false`},
		"?format=html&month=2026-10": {"200", "text/html", "does not tell every model apart"},
		"?format=pdf":                {"400", "application/json", "none of json, csv and html"},
		"?montth=2026-11":            {"400", "application/json", "unknown parameter"},
		"?month=2026-11&by=a&":       {"200", "application/json", "2026-11"},
	} {
		w := send(t, h, http.MethodGet, "/admin/v1/statements"+query, "", map[string]string{"Authorization": "Bearer " + token})
		text := strings.ReplaceAll(strings.ReplaceAll(w.body.String(), `\u003c`, "<"), `\u003e`, ">")
		if http.StatusText(w.status) == "" || !strings.HasPrefix(w.header.Get("Content-Type"), want.typ) || (w.status == 200) != (want.status == "200") || !strings.Contains(text, want.text) {
			t.Errorf("%s: %d, %s: %s", query, w.status, w.header.Get("Content-Type"), text)
		}
		if want.typ == "text/html" && !strings.HasPrefix(w.header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("the page's policy is %q", w.header.Get("Content-Security-Policy"))
		}
	}
}

func TestMarkups(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "10": 100_000, "12.5%": 125_000, "-5": -50_000, "0.0001": 1, "1000": 10_000_000} {
		if got, fault := ParseMarkup(text); fault != nil || got != want {
			t.Errorf("%q is %d, %v, not %d", text, got, fault, want)
		}
	}
	for _, text := range []string{"a", "1001", "-101", "0.00001", "--1", "1e99"} {
		if got, fault := ParseMarkup(text); fault == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}

func TestForecastsAreAskedFor(t *testing.T) {
	for query, ok := range map[string]bool{"": true, "of=budgets": true, "group=team&limit=50": true, "of=all": false, "limit=0": false, "limit=51": false, "windows=day": false} {
		v, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, fault := parseProjection(v); (fault == nil) != ok {
			t.Errorf("%q: %v", query, fault)
		}
	}
}
