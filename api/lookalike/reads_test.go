package lookalike

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
	"purser/internal/access"
	"purser/internal/attempts"
)

// reports answer every question about usage with rows of its groups.
type reports struct {
	admin.Reports
	asked []admin.UsageQuery
}

func (r *reports) Usage(_ context.Context, q admin.UsageQuery) (admin.UsageReport, error) {
	r.asked = append(r.asked, q)
	row := admin.UsageRow{Requests: 3, Cost: 1_234_567_890, Tokens: map[string]int64{"input": 10, "cache_read": 5, "cache_write_5m": 2, "output": 7, "output_reasoning": 1, "audio_in": 4}}
	out := admin.UsageReport{Total: row}
	if len(q.Group) > 0 {
		row.Group = map[string]string{}
		for _, g := range q.Group {
			row.Group[g] = "a " + g
		}
		out.Rows = []admin.UsageRow{row}
	}
	return out, nil
}

type budgets struct{ admin.Budgets }

func (budgets) ShowBudgets(context.Context, string, admin.Read) ([]admin.BudgetDetail, admin.Age, error) {
	of := func(id, limit, window string, match map[string][]string) admin.BudgetDetail {
		return admin.BudgetDetail{Budget: admin.Budget{ID: id, Unit: "usd", Limit: json.Number(limit), Window: window, Match: match}, Accounts: []admin.Account{{Spent: 1_230_000_001}}}
	}
	soft := of("soft", "1", "day", nil)
	soft.Soft = true
	each := of("each", "1", "day", nil)
	each.Each = []string{"customer"}
	return []admin.BudgetDetail{
		of("all", "500", "month", nil), of("team", "12.345", "week", map[string][]string{"team": {"search"}}), of("ann", "0.5", "day", map[string][]string{"member": {"ann"}}),
		soft, each, of("hourly", "1", "hour", nil), of("total", "1", "total", nil), of("customer", "1", "day", map[string][]string{"customer": {"acme"}}),
		of("two", "1", "day", map[string][]string{"team": {"a", "b"}}),
	}, 0, nil
}

type objects struct{ admin.Objects }

func (objects) ObjectKinds() []string { return nil }

const token = "a-token-of-the-test"

// none are the admin tokens beside the configured one.
type none struct{}

func (none) Tokens() *access.Tokens { return nil }
func (none) CreateToken(context.Context, *access.Token) (string, error) {
	return "", errors.New("not asked")
}
func (none) RevokeToken(context.Context, string) (*access.Token, error) {
	return nil, errors.New("not asked")
}
func (none) EndSession(context.Context, access.Hash, time.Time) error { return errors.New("not asked") }

func serve(t *testing.T) (*reports, string) {
	t.Helper()
	r := &reports{}
	own, err := admin.New(token, admin.Parts{
		Budgets: budgets{}, Objects: objects{}, Reports: r, Requests: struct{ admin.Requests }{}, Exports: struct{ admin.Exports }{}, Keys: struct{ admin.Keys }{}, Cluster: struct{ admin.Cluster }{},
		Tokens: none{}, Hierarchy: struct{ admin.Hierarchy }{}, Attempts: &attempts.Table{},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(New(own.Handler(), func() time.Time { return time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC) }).Handler())
	t.Cleanup(s.Close)
	return r, s.URL
}

func get(t *testing.T, url, header, value string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(header, value)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatalf("%d %s: %v", res.StatusCode, b, err)
	}
	return res.StatusCode, out
}

func day(d int) int64 { return time.Date(2026, 3, d, 0, 0, 0, 0, time.UTC).Unix() }

func TestCostsComeInBucketsOfDays(t *testing.T) {
	r, url := serve(t)
	status, out := get(t, fmt.Sprintf("%s/v1/organization/costs?start_time=%d&limit=2&group_by[]=project_id&project_ids=p", url, day(8)+3600), "Authorization", "Bearer "+token)
	if status != 200 || out["object"] != "page" || out["has_more"] != true || out["next_page"] != fmt.Sprint(day(10)) {
		t.Fatalf("%d %v", status, out)
	}
	data := out["data"].([]any)
	first := data[0].(map[string]any)
	if len(data) != 2 || first["start_time"] != float64(day(8)) || first["end_time"] != float64(day(9)) {
		t.Errorf("buckets %v", data)
	}
	want := map[string]any{
		"object": "organization.costs.result", "amount": map[string]any{"value": 1.23456789, "currency": "usd"}, "line_item": nil, "quantity": nil, "quantity_unit": nil,
		"api_source": nil, "project_id": "a project", "user_id": nil, "api_key_id": nil,
	}
	if got := first["results"].([]any)[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("result %v, want %v", got, want)
	}
	if q := r.asked[0]; q.From != "2026-03-08T00:00:00Z" || q.To != "2026-03-09T00:00:00Z" || q.Filter["project"] != "p" || fmt.Sprint(q.Group) != "[project]" {
		t.Errorf("asked %+v", q)
	}
	// The last page ends with the bucket that is under way.
	status, out = get(t, fmt.Sprintf("%s/v1/organization/costs?start_time=%d&page=%d", url, day(8), day(10)), "Authorization", "Bearer "+token)
	if data := out["data"].([]any); status != 200 || out["has_more"] != false || out["next_page"] != nil || len(data) != 1 {
		t.Errorf("last page: %d %v", status, out)
	}
}

func TestUsageCountsTokensAsOpenAIDoes(t *testing.T) {
	_, url := serve(t)
	status, out := get(t, fmt.Sprintf("%s/v1/organization/usage/completions?start_time=%d&end_time=%d&bucket_width=1h&group_by=model,api_key_id", url, day(9), day(9)+3600), "Authorization", "Bearer "+token)
	data := out["data"].([]any)
	if status != 200 || len(data) != 1 {
		t.Fatalf("%d %v", status, out)
	}
	got := data[0].(map[string]any)["results"].([]any)[0]
	want := map[string]any{
		"object": "organization.usage.completions.result", "input_tokens": 21.0, "input_cached_tokens": 5.0, "input_audio_tokens": 4.0, "output_tokens": 8.0, "output_audio_tokens": 0.0,
		"num_model_requests": 3.0, "batch": nil, "service_tier": nil, "project_id": nil, "user_id": nil, "api_key_id": "a key", "model": "a model",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("result %v\nwant %v", got, want)
	}
}

func TestSpendLimitsAreTheHardBudgetsOfMoney(t *testing.T) {
	_, url := serve(t)
	status, out := get(t, url+"/v1/organizations/spend_limits/effective", "x-api-key", token)
	if status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	var got []string
	for _, line := range out["data"].([]any) {
		m := line.(map[string]any)
		scope := m["scope"].(map[string]any)
		got = append(got, fmt.Sprintf("%v %v %v %v %v %v", m["id"], scope["type"], scope["id"], m["amount"], m["period"], m["period_to_date_spend"]))
	}
	want := []string{"all organization <nil> 50000 monthly 123.0000001", "team workspace search 1234.5 weekly 123.0000001", "ann user ann 50 daily 123.0000001"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("limits\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	_, out = get(t, url+"/v1/organizations/spend_limits", "x-api-key", token)
	if first := out["data"].([]any)[0].(map[string]any); first["period_to_date_spend"] != nil {
		t.Errorf("what was spent is in the plain list: %v", first)
	}
}

func TestNobodyReadsWithoutTheAdminToken(t *testing.T) {
	_, url := serve(t)
	for path, kind := range map[string]string{
		"/v1/organization/costs?start_time=1": "invalid_request_error", "/v1/organization/usage/completions?start_time=1": "invalid_request_error", "/v1/organizations/spend_limits": "authentication_error",
	} {
		for _, h := range [][2]string{{"Authorization", "Bearer wrong"}, {"Authorization", token}, {"x-api-key", "wrong"}, {"X-Nothing", "x"}} {
			status, out := get(t, url+path, h[0], h[1])
			if status != 401 || out["error"].(map[string]any)["type"] != kind || out["data"] != nil {
				t.Errorf("%s with %v: %d %v", path, h, status, out)
			}
		}
	}
}

func TestQuestionsThatAreNotServedAreRefusedByName(t *testing.T) {
	_, url := serve(t)
	for path, says := range map[string]string{
		"/v1/organization/costs":                                          "start_time is missing",
		"/v1/organization/costs?start_time=x":                             "start_time",
		"/v1/organization/costs?start_time=-5":                            "start_time",
		"/v1/organization/costs?start_time=99999999999999":                "start_time",
		"/v1/organization/costs?start_time=5&end_time=4":                  "end_time is not after",
		"/v1/organization/costs?start_time=5&limit=181":                   "limit is a number from 1 to 180",
		"/v1/organization/costs?start_time=5&page=3":                      "page is the next_page",
		"/v1/organization/costs?start_time=5&bucket_width=1h":             "bucket_width",
		"/v1/organization/costs?start_time=5&group_by=line_item":          `group_by "line_item"`,
		"/v1/organization/costs?start_time=5&project_ids=a&project_ids=b": "project_ids takes one",
		"/v1/organization/costs?start_time=5&sort=x":                      `parameter "sort"`,
		"/v1/organization/users":                                          "there are GET costs",
		"/v1/organizations/workspaces":                                    "there are GET spend_limits",
		"/v1/organizations/spend_limits?scope=x":                          `parameter "scope"`,
	} {
		status, out := get(t, url+path, "Authorization", "Bearer "+token)
		if b, _ := json.Marshal(out); status < 400 || status >= 500 || !strings.Contains(strings.ReplaceAll(string(b), `\"`, `"`), says) {
			t.Errorf("%s: %d %s, want %q", path, status, b, says)
		}
	}
}
