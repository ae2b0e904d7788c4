package litellm

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestAStateSaysAllThatThereIsToBe(t *testing.T) {
	c := &Config{Routes: map[string]string{"gpt-4": "gpt-4o"}, Spread: map[string][]Deployment{"both": {{"m", "a", 3}, {"m", "b", 0}}}, Names: []string{"gpt-4o"}, Limits: []Limit{{ID: "litellm.usd", Unit: "usd", Limit: "100", Window: "month"}}}
	p := &People{
		Teams:   []Team{{ID: "search", Name: "Search", Models: []string{"gpt-4o", "beta-group"}}, {ID: "ads"}},
		Members: []Member{{ID: "ann", Email: "ann@x", Teams: []string{"search"}}},
		Limits:  []Limit{{ID: "team.search.usd", Match: map[string][]string{"team": {"search"}}, Unit: "usd", Limit: "5", Window: "day", Alerts: []int{80}}},
		Keys: []Key{{ID: "litellm-1", Hash: hashOf("sk"), Name: "ci", Bound: map[string]string{"team": "search"}, Models: []string{"gpt-4*"}, Blocked: true,
			Limits: []Limit{{ID: "key.litellm-1.rpm", Unit: "requests", Limit: "60", Window: "minute"}}}},
	}
	p.Compare(c)
	b, err := json.Marshal(State(c, p))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"budgets":{"litellm.usd":{"limit":100,"unit":"usd","window":"month"},"team.search.usd":{"alerts":[80],"limit":5,"match":{"team":["search"]},"unit":"usd","window":"day"}},` +
		`"keys":{"litellm-1":{"bound":{"team":"search"},"budgets":[{"limit":60,"unit":"requests","window":"minute"}],"models":["gpt-4*"],"name":"ci","sha256":"` + hashOf("sk") + `","suspended":true}},` +
		`"members":{"ann":{"email":"ann@x","teams":["search"]}},` +
		`"policies":{"litellm.models.team.search":{"description":"the models that this team may ask for","match":{"team":["search"]},"rules":[{"id":"models","message":"this model is not among those of your team","outcome":"deny","unless":{"models":["gpt-4o","beta-group"]}}]}},` +
		`"routes":{"both":{"candidates":[{"model":"m","upstream":"a","weight":3},{"model":"m","upstream":"b"}],"strategy":"weighted"},"gpt-4":{"model":"gpt-4o"}},"teams":{"ads":{},"search":{"name":"Search"}}}`
	if string(b) != want {
		t.Errorf("the state is\n%s\nwant\n%s", b, want)
	}
	if len(p.Report.Notes) != 1 || !strings.Contains(p.Report.Notes[0], `team search: may use "beta-group"`) {
		t.Errorf("notes %q", p.Report.Notes)
	}
	policy, err := json.Marshal(ModelPolicy("team", "search", []string{"a", "b"}))
	if err != nil || !slices.Equal(ModelsOf(policy), []string{"a", "b"}) || ModelsOf(json.RawMessage(`{"rules":[{"id":"x"}]}`)) != nil || ModelsOf(nil) != nil {
		t.Errorf("models of %s: %v", policy, err)
	}
}

func TestASoftBudgetIsALevelOfTheHardOne(t *testing.T) {
	for c, want := range map[[2]string]string{
		{"10", "8"}:      "usd false [80]",
		{"3", "1"}:       "usd false [33]",
		{"1000", "0.5"}:  "usd false [1]",
		{"10", "10"}:     "usd false [100]",
		{"10", "10.01"}:  "usd false [] none below",
		{"10", "0"}:      "usd false [] none below",
		{"0", "1"}:       "usd false [] none below",
		{"", "5"}:        "soft true []",
		{"", ""}:         "",
		{"10", ""}:       "usd false []",
		{"1e2", "50"}:    "usd false [50]",
		{"10", "9.9999"}: "usd false [99]",
	} {
		var r Report
		got := ""
		for _, l := range OwnerOf("team", "t", "team t").Limits(Amounts{Max: json.Number(c[0]), Soft: json.Number(c[1])}, &r) {
			got += fmt.Sprint(strings.TrimPrefix(l.ID, "team.t."), " ", l.Soft, " ", l.Alerts)
		}
		for _, n := range r.Notes {
			if strings.Contains(n, "none below") {
				got += " none below"
			}
		}
		if got != want {
			t.Errorf("max_budget %q, soft_budget %q: %q, want %q", c[0], c[1], got, want)
		}
	}
}

func TestIDsOfBudgetsFit(t *testing.T) {
	seen := map[string]bool{}
	for _, id := range []string{"a", strings.Repeat("x", 128), strings.Repeat("x", 127) + "y", "Ann@Example.com:" + strings.Repeat("z", 60), "größe"} {
		for _, l := range OwnerOf("member", id, "").Limits(Amounts{Max: "1", RPM: "1", TPM: "1", Parallel: "1"}, &Report{}) {
			if len(l.ID) > 64 || strings.Trim(l.ID, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" || seen[l.ID] {
				t.Errorf("%q of %q", l.ID, id)
			}
			seen[l.ID] = true
		}
	}
}
