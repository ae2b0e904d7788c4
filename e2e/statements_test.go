package e2e

import (
	"context"
	"encoding/json"
	"io"
	"testing"

	"purser/api/admin"
)

// TestStatementsFollowTheRulesOfTags: what a rule makes somebody's is in their statement and
// in the forecast, as it is in the report, though it was recorded as another's.
func TestStatementsFollowTheRulesOfTags(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.budget(usd("cap", "10"))
	key := r.key(admin.NewKey{Name: "retagged"})
	for _, customer := range []string{"acme-eu", "acme-us", ""} {
		if status, answer, _ := r.ask(key.Secret, `{"model":"gpt-4o-mini","max_completion_tokens":30,"messages":[{"role":"user","content":"hello"}]}`, "x-purser-customer", customer); status != 200 {
			t.Fatal(status, answer)
		}
	}
	rules := `{"rules":[{"when":{"customer":["acme-eu","acme-us"]},"set":{"customer":"acme"}}]}`
	if _, err := r.admin.PutObject(context.Background(), "mappings", "merged", nil, json.RawMessage(rules)); err != nil {
		t.Fatal(err)
	}
	report, err := r.admin.Usage(context.Background(), admin.UsageQuery{Group: []string{"customer"}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{}
	for _, row := range report.Rows {
		want[row.Group["customer"]] = row.Cost
	}
	if len(want) != 2 || want["acme"] == 0 {
		t.Fatalf("the report has %v", want)
	}
	var got struct {
		Unshared   int64 `json:"unshared_nanousd"`
		Statements []struct {
			Owner string
			Cost  int64 `json:"cost_nanousd"`
		}
	}
	if err := r.admin.Statements(context.Background(), admin.StatementQuery{}, "json", func(in io.Reader) error { return json.NewDecoder(in).Decode(&got) }); err != nil {
		t.Fatal(err)
	}
	if len(got.Statements) != 1 || got.Statements[0].Owner != "acme" || got.Statements[0].Cost != want["acme"] || got.Unshared != want[admin.Unallocated] {
		t.Errorf("statements %+v, and the report has %v", got, want)
	}
	list, err := r.admin.Forecasts(context.Background(), admin.ProjectionQuery{Group: "customer"}, "spending")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if p.Spent != want[p.Value] {
			t.Errorf("the forecast has %q at %d, the report %v", p.Value, p.Spent, want)
		}
	}
}
