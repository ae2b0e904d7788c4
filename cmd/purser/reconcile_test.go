package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"purser/api/admin"
)

// usageOf answers questions about usage with what is recorded on a day.
func usageOf(t *testing.T, complete bool, by map[string][]admin.UsageRow) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("filter") != "provider=openai" && !strings.Contains(r.URL.RawQuery, "provider") {
			t.Errorf("asked %s", r.URL.RawQuery)
		}
		day, _, _ := strings.Cut(q.Get("from"), "T")
		_ = json.NewEncoder(w).Encode(admin.UsageReport{Rows: by[day], Complete: complete})
	}))
	t.Cleanup(server.Close)
	return server
}

func group(model, basis string) map[string]string {
	return map[string]string{"model": model, "model_served": "", "basis": basis, "tier": "default"}
}

func TestAReportIsCompared(t *testing.T) {
	server := usageOf(t, true, map[string][]admin.UsageRow{
		"2026-11-25": {{Group: group("model-a", "reported"), Requests: 9, Cost: 1_234_500_000}, {Group: group("model-b", "full_hold"), Requests: 1, Cost: 90_000}},
	})
	file := filepath.Join(t.TempDir(), "adjustments.jsonl")
	cmd := reconcileImportCmd{remote: remote{URL: server.URL, Token: "t"}, File: "../../internal/reconcile/testdata/openai.json", Provider: "openai", Adjustments: file}
	out, err := printed(t, func() error { return cmd.Run(t.Context()) })
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"model-b", "-$0.000030", "no_usage up to $0.000030", "web search", "1 of 3 rows agree", `"eur"`} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if strings.Contains(out, "model-a") && !strings.Contains(out, "left out") {
		t.Errorf("a row that agrees is shown:\n%s", out)
	}
	b, err := os.ReadFile(file)
	if err != nil || strings.Count(string(b), "\n") != 2 || !strings.Contains(string(b), `"amount_nanousd":-30000`) {
		t.Errorf("%v %s", err, b)
	}
	if _, err := printed(t, func() error { return cmd.Run(t.Context()) }); err == nil {
		t.Error("the file was written over")
	}
}

func TestMissingRecordsAreNotAdjusted(t *testing.T) {
	server := usageOf(t, false, nil)
	file := filepath.Join(t.TempDir(), "adjustments.jsonl")
	cmd := reconcileImportCmd{remote: remote{URL: server.URL, Token: "t"}, File: "../../internal/reconcile/testdata/openai.json", Provider: "openai", Adjustments: file}
	out, err := printed(t, func() error { return cmd.Run(t.Context()) })
	if err != nil || !strings.Contains(out, "records are missing") {
		t.Errorf("%v %s", err, out)
	}
	if b, err := os.ReadFile(file); err != nil || len(b) != 0 {
		t.Errorf("%v %s", err, b)
	}
}

func TestTooManyGroupsAreNotGuessed(t *testing.T) {
	server := usageOf(t, true, map[string][]admin.UsageRow{"2026-11-25": {{Group: group("other", "other"), Requests: 1, Cost: 1}}})
	cmd := reconcileImportCmd{remote: remote{URL: server.URL, Token: "t"}, File: "../../internal/reconcile/testdata/openai.json", Provider: "openai"}
	if _, err := printed(t, func() error { return cmd.Run(t.Context()) }); err == nil || !strings.Contains(err.Error(), "more groups") {
		t.Error(err)
	}
}

func TestModelsThatAreNotToldApartAreNotGuessed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(admin.UsageReport{Complete: true, Collapsed: []string{"model_served"}, Rows: []admin.UsageRow{{Group: group("other", "reported"), Requests: 1, Cost: 1}}})
	}))
	defer server.Close()
	cmd := reconcileImportCmd{remote: remote{URL: server.URL, Token: "t"}, File: "../../internal/reconcile/testdata/openai.json", Provider: "openai"}
	if _, err := printed(t, func() error { return cmd.Run(t.Context()) }); err == nil || !strings.Contains(err.Error(), "model_served apart") {
		t.Error(err)
	}
}
