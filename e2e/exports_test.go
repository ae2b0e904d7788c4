package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
	"purser/internal/focus"
)

// finops has the FinOps Foundation's validator, and DuckDB.
var finops = folder{"clients/finops", "requirements.txt", [][]string{
	{"python3", "-m", "venv", "--clear", "venv"},
	{filepath.Join("venv", "bin", "pip"), "install", "--quiet", "--require-hashes", "--requirement", "requirements.txt"},
	{filepath.Join("venv", "bin", "pip"), "install", "--quiet", "--require-hashes", "--no-deps", "--no-build-isolation", "--ignore-requires-python", "--requirement", "validator.txt"},
	{filepath.Join("venv", "bin", "python"), "adapt.py"},
}}

// exporter is a node that was used, and what it exported.
type exporter struct {
	*rig
	dir    string
	billed int64 // by the provider
	report admin.UsageReport
}

// newExporter sends requests of every kind and exports them in every form.
func newExporter(t *testing.T) *exporter {
	x := &exporter{rig: newRig(t, rigOptions{}), dir: t.TempDir()}
	x.budget(usd("cap", "500"))
	key := x.key(admin.NewKey{Name: "exports"})
	team := x.key(admin.NewKey{Name: "team", Bound: map[string]string{"team": "search", "org": "acme"}})
	for i, body := range mixedRun(8) {
		if strings.Contains(body, "purser_template") {
			continue // there are none
		}
		secret, headers := key.Secret, []string{"x-purser-customer", fmt.Sprintf("customer-%d", i%3)}
		if i%2 == 0 {
			secret = team.Secret
			headers = []string{"x-purser-feature", "=HYPERLINK(\"http://evil\")", "x-purser-run", fmt.Sprintf("run-%d", i%4), "x-purser-tag-job", "nightly"}
		}
		body = strings.ReplaceAll(body, `"model":"smart"`, `"model":"gpt-4o"`)
		if status, answer, _ := x.ask(secret, body, headers...); status != 200 {
			t.Fatalf("request %d: %d %s", i, status, answer)
		}
	}
	x.holds()
	x.billed = sum(x.billRows())
	var err error
	if x.report, err = x.admin.Usage(context.Background(), admin.UsageQuery{}); err != nil {
		t.Fatal(err)
	}
	if x.report.Total.Cost != x.billed {
		t.Fatalf("the provider billed %d, the records say %d", x.billed, x.report.Total.Cost)
	}
	for _, args := range [][]string{
		{"focus", "--out", "focus-1.2.csv"}, {"focus", "--format", "parquet", "--out", "focus-1.2.parquet"},
		{"focus", "--version", "1.3", "--out", "focus-1.3.csv"}, {"focus", "--version", "1.4", "--format", "parquet", "--out", "focus-1.4.parquet"},
		{"focus", "--rows", "request", "--out", "single-1.2.csv"}, {"cbf", "--out", "cbf.csv"}, {"vantage", "--out", "vantage.csv"},
		{"focus", "--format", "parquet", "--out", "focus/"}, {"usage", "--out", "usage/"},
	} {
		args[len(args)-1] = x.dir + "/" + args[len(args)-1]
		if out, err := x.purser(append([]string{"export"}, args...)...); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	return x
}

// purser runs a command against the node.
func (x *exporter) purser(args ...string) (string, error) {
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), "PURSER_URL="+x.url, "PURSER_ADMIN_TOKEN="+x.admin.Token)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// put makes an export that is kept up.
func (x *exporter) put(id, spec string) (string, error) {
	file := filepath.Join(x.t.TempDir(), "export.json")
	if err := os.WriteFile(file, []byte(spec), 0o600); err != nil {
		x.t.Fatal(err)
	}
	return x.purser("put", "export", id, "-f", file)
}

// TestExportsAddUp: what files come to is what the ledger says, and so the provider's bill.
func TestExportsAddUp(t *testing.T) {
	x := newExporter(t)
	want := focus.Decimal{Units: big.NewInt(x.billed), Scale: 9}
	for file, version := range map[string]string{"focus-1.2.csv": "1.2", "focus-1.2.parquet": "1.2", "focus-1.3.csv": "1.3", "focus-1.4.parquet": "1.4", "single-1.2.csv": "1.2"} {
		out, err := x.purser("export", "validate", "--json", "--version", version, filepath.Join(x.dir, file))
		if err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
			continue
		}
		var r focus.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		got, err := focus.ParseDecimal(r.Sums["BilledCost"])
		if err != nil || got.Cmp(want) != 0 || r.Rows == 0 {
			t.Errorf("%s: %d rows come to %s, billed were %s", file, r.Rows, r.Sums["BilledCost"], want)
		}
	}
	manifests, err := filepath.Glob(filepath.Join(x.dir, "focus", "*", "*.manifest.json"))
	if err != nil || len(manifests) != 1 {
		t.Fatalf("%v, %v", manifests, err)
	}
	var m struct {
		Total struct {
			Cost int64 `json:"cost_nanousd"`
		} `json:"total"`
	}
	if b, err := os.ReadFile(manifests[0]); err != nil || json.Unmarshal(b, &m) != nil || m.Total.Cost != x.billed {
		t.Errorf("the manifest says %d, billed were %d: %v", m.Total.Cost, x.billed, err)
	}
	// What a spreadsheet would run is a text in every CSV file.
	for _, file := range []string{"focus-1.2.csv", "cbf.csv", "vantage.csv"} {
		b, err := os.ReadFile(filepath.Join(x.dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(",=")) || bytes.Contains(b, []byte(",\"=")) || !bytes.Contains(b, []byte("=HYPERLINK")) {
			t.Errorf("%s has a formula, or lost the text that looks like one", file)
		}
	}
	x.limits(t)
	x.adjusted(t)
}

// adjusted: what is known later, and re-tagging, are in the next file.
func (x *exporter) adjusted(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	if _, err := x.admin.PostAdjustment(ctx, admin.NewAdjustment{ID: "invoice-1", At: time.Now().Format(time.RFC3339), Amount: "-0.000000123", Dimensions: map[string]string{"customer": "customer-1"}, Note: "=the invoice says less"}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.admin.PutObject(ctx, "mappings", "merge", nil, json.RawMessage(`{"rules":[{"when":{"customer":["customer-*"]},"set":{"customer":"everyone"}}]}`)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(x.dir, "adjusted.csv")
	if out, err := x.purser("export", "focus", "--out", file); err != nil {
		t.Fatal(out)
	}
	out, err := x.purser("export", "validate", "--json", file)
	var r focus.Report
	if err != nil || json.Unmarshal([]byte(out), &r) != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := focus.Decimal{Units: big.NewInt(x.billed - 123), Scale: 9}
	if got, err := focus.ParseDecimal(r.Sums["BilledCost"]); err != nil || got.Cmp(want) != 0 {
		t.Errorf("adjusted by -123 it comes to %s, want %s", r.Sums["BilledCost"], want)
	}
	b, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(b, []byte("Adjustment,,'=the invoice says less,One-Time")) || bytes.Contains(b, []byte("customer-1")) || !bytes.Contains(b, []byte(",everyone,")) {
		t.Errorf("the adjustment, or the rule of tags, is not in the file: %v", err)
	}
	if raw, err := x.purser("export", "focus", "--raw"); err != nil || !strings.Contains(raw, "customer-1") {
		t.Errorf("raw rows follow the rule of tags: %v", err)
	}
}

// limits: whoever reaches a part has that part in their files, and what cannot be
// exported is refused with a reason.
func (x *exporter) limits(t *testing.T) {
	t.Helper()
	token, err := x.admin.CreateAdminToken(context.Background(), admin.NewAdminToken{Name: "search", Role: "team_admin", Teams: []string{"search"}})
	if err != nil {
		t.Fatal(err)
	}
	mine := *x
	client := *x.admin
	client.Token = token.Secret
	rig := *x.rig
	rig.admin, mine.rig = &client, &rig
	all, err := x.purser("export", "usage", "--format", "csv")
	if err != nil {
		t.Fatal(all)
	}
	part, err := mine.purser("export", "usage", "--format", "csv")
	if err != nil {
		t.Fatal(part)
	}
	if a, p := strings.Count(all, "req_"), strings.Count(part, "req_"); p == 0 || p >= a || strings.Contains(part, "customer-1") {
		t.Errorf("of %d records, the admin of one team gets %d", a, p)
	}
	if out, err := mine.purser("export", "status"); err == nil || !strings.Contains(out, "exports:read") {
		t.Errorf("a team's admin sees the exports that are kept up: %s", out)
	}
	for _, args := range [][]string{{"--version", "1.9"}, {"--from", "2020-01-01"}, {"--rows", "minute"}, {"--from", "2026-13-40"}} {
		if out, err := x.purser(append([]string{"export", "focus"}, args...)...); err == nil || len(out) < 40 {
			t.Errorf("export focus %v: %v %s", args, err, out)
		}
	}
}

// TestExportsAreKeptUp: the node that leads writes them, and says so where it cannot.
func TestExportsAreKeptUp(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, rigOptions{config: "exports:\n  dir: " + dir + "\n  secrets:\n    s3_access: AKIDEXAMPLE\n    s3_secret: a-secret-of-a-bucket\n"})
	x := &exporter{rig: r, dir: dir}
	for id, spec := range map[string]string{
		"finance": `{"format":"focus","file":"parquet","every":"hour","to":{"dir":"finance"}}`,
		"lake":    `{"format":"usage","to":{"s3":{"endpoint":"http://127.0.0.1:1","allow_http":true,"path_style":true,"region":"eu-central-1","bucket":"finance","access_key":"s3_access","secret_key":"s3_secret"}}}`,
	} {
		if out, err := x.put(id, spec); err != nil {
			t.Fatalf("%s: %v\n%s", id, err, out)
		}
	}
	x.eventually("the exports are looked after", func() error {
		list, err := x.admin.ExportState(context.Background())
		if err != nil {
			return err
		}
		if len(list) != 2 || list[0].State != "written" || list[1].State != "failing" || !strings.Contains(list[1].Error, "127.0.0.1:1") {
			return fmt.Errorf("%+v", list)
		}
		return nil
	})
	out, err := x.purser("export", "status")
	if err != nil || !strings.Contains(out, "finance  written") || !strings.Contains(out, "lake     failing") || strings.Contains(out, "a-secret-of-a-bucket") {
		t.Errorf("%v\n%s", err, out)
	}
	res, err := http.Get(x.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Contains(b, []byte("purser_exports_failing 1")) {
		t.Errorf("the metric does not say that one fails: %v", err)
	}
	// A later place that would lead out of the folder, or a key in clear, is refused.
	for _, spec := range []string{`{"format":"focus","to":{"dir":"../elsewhere"}}`, `{"format":"focus","to":{"s3":{"region":"eu","bucket":"finance","access_key":"AKIAIOSFODNN7EXAMPLE","secret_key":"s3_secret"}}}`} {
		if out, err := x.put("bad", spec); err == nil || strings.Contains(out, "AKIA") {
			t.Errorf("%s: %v %s", spec, err, out)
		}
	}
}

// unsatisfiable is what the validator's rules for FOCUS 1.2 find in every file: InvoiceId
// must be null where there is no invoice, and the rule that it must not be null where
// there is one is held against all rows alike. Their parent asks for one of the two.
var unsatisfiable = []string{"InvoiceId-C-005-C"}

// TestFOCUSValidator: the FinOps Foundation's own validator passes what is written.
func TestFOCUSValidator(t *testing.T) {
	python := finopsPython(t)
	x := newExporter(t)
	run := func(files ...string) (list []struct {
		File    string
		Rows    int
		Model   string
		Passed  int
		Skipped int
		Failed  []string
	}) {
		t.Helper()
		out := python(append([]string{"validate.py", "1.2"}, files...)...)
		for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
			list = append(list, struct {
				File    string
				Rows    int
				Model   string
				Passed  int
				Skipped int
				Failed  []string
			}{})
			if err := json.Unmarshal([]byte(line), &list[len(list)-1]); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
		}
		return list
	}
	good := filepath.Join(x.dir, "focus-1.2.csv")
	b, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(x.dir, "broken.csv")
	if err := os.WriteFile(broken, bytes.Replace(b, []byte(",USD,"), []byte(",US$,"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	mixed, err := filepath.Abs("../internal/focus/testdata/mixed-1.2.csv") // with corrections and presumed amounts
	if err != nil {
		t.Fatal(err)
	}
	results := run(good, filepath.Join(x.dir, "focus-1.2.parquet"), filepath.Join(x.dir, "single-1.2.csv"), mixed, broken)
	for _, r := range results[:4] {
		t.Logf("%s: %d rows, model %s: %d rules passed, %d are not checked, %v cannot hold", filepath.Base(r.File), r.Rows, r.Model, r.Passed, r.Skipped, r.Failed)
		if !slices.Equal(r.Failed, unsatisfiable) || r.Passed < 250 || r.Rows == 0 {
			t.Errorf("%s: %d rules passed, failed are %v", r.File, r.Passed, r.Failed)
		}
	}
	if !slices.Contains(results[4].Failed, "BillingCurrency-C-003-M") {
		t.Errorf("a file that is broken passes: %v", results[4].Failed)
	}
}

// TestWarehouse: the queries of docs/warehouse run, and their sums are the bill.
func TestWarehouse(t *testing.T) {
	python := finopsPython(t)
	x := newExporter(t)
	sql, err := filepath.Abs("../docs/warehouse/duckdb.sql")
	if err != nil {
		t.Fatal(err)
	}
	var answers map[string][]map[string]*string
	if err := json.Unmarshal([]byte(python("warehouse.py", "run", x.dir, sql)), &answers); err != nil {
		t.Fatal(err)
	}
	sumOf := func(query, column string) focus.Decimal {
		t.Helper()
		total := focus.Decimal{Units: big.NewInt(0), Scale: 9}
		for _, row := range answers[query] {
			d, err := focus.ParseDecimal(*row[column])
			if err != nil {
				t.Fatalf("%s: %v", query, err)
			}
			d, _ = d.At(9)
			total.Units = new(big.Int).Add(total.Units, d.Units)
		}
		return total
	}
	want := focus.Decimal{Units: big.NewInt(x.billed), Scale: 9}
	if got := sumOf("records", "cost"); got.Cmp(want) != 0 {
		t.Errorf("the records come to %s, billed were %s", got, want)
	}
	for _, q := range []string{"total", "spend_by_customer_and_month", "cache_savings", "daily_spend"} {
		if got := sumOf(q, "billed"); got.Cmp(want) != 0 {
			t.Errorf("%s comes to %s, billed were %s", q, got, want)
		}
	}
	if got, want := sumOf("total", "avoided"), (focus.Decimal{Units: big.NewInt(x.report.Total.Saved), Scale: 9}); got.Cmp(want) != 0 || want.Units.Sign() <= 0 {
		t.Errorf("avoided are %s, the records say %s", got, want)
	}
	if len(answers["top_runs"]) != 2 || len(answers["unit_cost"]) < 2 || len(answers["allocation"]) != 6 {
		t.Errorf("runs %v, unit costs %v, allocation %v", answers["top_runs"], answers["unit_cost"], answers["allocation"])
	}
	for _, row := range answers["margin"] {
		if row["margin"] != nil || row["cost"] == nil {
			t.Errorf("a margin without revenue: %v", row)
		}
	}
	// The other dialects have the same queries, and are well formed.
	for _, dialect := range []string{"bigquery", "snowflake", "clickhouse"} {
		sql, err := filepath.Abs("../docs/warehouse/" + dialect + ".sql")
		if err != nil {
			t.Fatal(err)
		}
		var names map[string]any
		if err := json.Unmarshal([]byte(python("warehouse.py", "read", dialect, sql)), &names); err != nil {
			t.Fatal(err)
		}
		for name := range answers {
			if _, ok := names[name]; !ok {
				t.Errorf("%s has no query %s", dialect, name)
			}
		}
	}
}

// finopsPython installs what there is for finance, and runs its programs.
func finopsPython(t *testing.T) func(args ...string) string {
	dir, err := finops.install(t)
	var away unreachable
	if errors.As(err, &away) {
		t.Skip(away)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func(args ...string) string {
		t.Helper()
		cmd := exec.Command(filepath.Join(dir, "venv", "bin", "python"), args...)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%.4000s", args, err, said.String())
		}
		return string(out)
	}
}
