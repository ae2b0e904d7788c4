package admin

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"purser/internal/access"
)

func get(t *testing.T, url, accept string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err := fmt.Sprint(err, res.Body.Close()); err != "<nil> <nil>" {
		t.Fatal(err)
	}
	return res, string(body)
}

// A filter of a dimension that is there several times takes any of the values.
func TestUsageQueriesSurviveTheWire(t *testing.T) {
	n, url := serve(t)
	c := &Client{URL: url, Token: token}
	q := UsageQuery{
		From: "2026-01-01", To: "2026-02-01", Group: []string{"team", "tag:job"}, Filter: map[string]string{"tag:plan": "a:b", "org": ""},
		AnyOf: map[string][]string{"customer": {"acme", "bolt", "c:d"}}, Limit: 7, Worth: true, Interval: "day", Zone: "Asia/Kolkata", Raw: true,
	}
	if _, err := c.Usage(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	q.Reach = access.Everything
	if fmt.Sprint(n.usage) != fmt.Sprint(q) {
		t.Errorf("asked %+v, the node saw %+v", q, n.usage)
	}
	for query, says := range map[string]string{
		"formt=csv": "unknown parameter", "format=xml": "none of json, csv and jsonl", "raw=1": "neither true nor false", "filter=team": "<dimension>:<value>", "limit=0": "positive",
	} {
		if res, body := get(t, url+"/admin/v1/usage?"+query, ""); res.StatusCode != 400 || !strings.Contains(body, says) {
			t.Errorf("%s: %d %s", query, res.StatusCode, body)
		}
	}
}

func TestUsageComesInTheFormAskedFor(t *testing.T) {
	_, url := serve(t)
	for _, c := range []struct{ query, accept, media, body string }{
		{"", "", "application/json", `{"from":`},
		{"", "text/csv", "text/csv", "rest,requests,"},
		{"", "text/html, application/x-ndjson;q=0.5", "application/x-ndjson", `{"from":`},
		{"?format=csv", "application/json", "text/csv", "rest,requests,"},
		{"?format=json", "text/csv", "application/json", `{"from":`},
	} {
		res, body := get(t, url+"/admin/v1/usage"+c.query, c.accept)
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != c.media || !strings.HasPrefix(body, c.body) {
			t.Errorf("%q accepting %q: %d %s %s", c.query, c.accept, res.StatusCode, res.Header.Get("Content-Type"), body)
		}
	}
}

// What a client named something is not run by the spreadsheet that shows it.
func TestTablesHaveNoFormulas(t *testing.T) {
	u := UsageReport{Rows: []UsageRow{
		{Start: "2026-01-01T00:00:00+01:00", Group: map[string]string{"customer": `=HYPERLINK("http://x","y")`, "tag:=a": "@SUM(1)"}, Cost: -5, Tokens: map[string]int64{"input": 3}},
		{Start: "2026-01-02T00:00:00+01:00", Group: map[string]string{"customer": "a,\"b\"\n", "tag:=a": "\tx"}, Outcomes: map[string]int64{"completed": 2}},
		{Rest: true, Group: map[string]string{"customer": "other", "tag:=a": "-1+1"}},
	}}
	var b strings.Builder
	if err := u.WriteCSV(&b, &UsageQuery{Group: []string{"customer", "tag:=a"}, Interval: "day"}); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	if err != nil || len(lines) != 4 {
		t.Fatalf("%v\n%s", err, b.String())
	}
	at := func(line int, column string) string {
		for i, name := range lines[0] {
			if name == column {
				return lines[line][i]
			}
		}
		t.Fatalf("no column %q in %q", column, lines[0])
		return ""
	}
	for _, c := range []struct {
		line         int
		column, want string
	}{
		{1, "customer", `'=HYPERLINK("http://x","y")`}, {1, "tag:=a", "'@SUM(1)"}, {1, "cost_nanousd", "-5"}, {1, "tokens.input", "3"}, {1, "start", "2026-01-01T00:00:00+01:00"},
		{2, "customer", "a,\"b\"\n"}, {2, "tag:=a", "'\tx"}, {2, "outcomes.completed", "2"}, {2, "tokens.input", "0"},
		{3, "tag:=a", "'-1+1"}, {3, "rest", "true"},
	} {
		if got := at(c.line, c.column); got != c.want {
			t.Errorf("line %d, %s is %q, want %q", c.line, c.column, got, c.want)
		}
	}
}
