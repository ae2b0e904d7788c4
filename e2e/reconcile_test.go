package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"purser/api/admin"
)

// TestTheProvidersReportAgrees: a report made of the simulated provider's bill and the
// records agree to the nano-dollar; one that says something else does not.
func TestTheProvidersReportAgrees(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.budget(usd("cap", "10"))
	key := r.key(admin.NewKey{Name: "reconciled"})
	for i := range 6 {
		model := []string{"gpt-4o-mini", "gpt-4o"}[i%2]
		body := fmt.Sprintf(`{"model":%q,"max_completion_tokens":30,"messages":[{"role":"user","content":"question %d"}]}`, model, i)
		if status, answer, _ := r.ask(key.Secret, body); status != 200 {
			t.Fatal(status, answer)
		}
	}
	report := func(more int64) string {
		text := "day,model,amount\n"
		for _, row := range r.billRows() {
			cost := int64(row.Cost) + more
			text += fmt.Sprintf("%s,%s,%d.%09d\n", row.At.UTC().Format("2006-01-02"), row.Model, cost/1e9, cost%1e9)
		}
		file := filepath.Join(t.TempDir(), "report.csv")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	out, code := r.command("reconcile", "import", report(0), "--provider", "openai", "--format", "csv", "--all", "--url", r.url, "--token", adminToken)
	if code != 0 || !strings.Contains(out, "gpt-4o-mini") || strings.Contains(out, "-$") || strings.Contains(out, "prices") {
		t.Errorf("%d\n%s", code, out)
	}
	adjustments := filepath.Join(t.TempDir(), "adjustments.jsonl")
	out, code = r.command("reconcile", "import", report(1000), "--provider", "openai", "--format", "csv", "--adjustments", adjustments, "--url", r.url, "--token", adminToken)
	if code != 0 || !strings.Contains(out, "prices") {
		t.Errorf("%d\n%s", code, out)
	}
	for range 2 { // what is posted twice counts once
		if out, code := r.command("reconcile", "import", report(1000), "--provider", "openai", "--format", "csv", "--post", "--url", r.url, "--token", adminToken); code != 0 {
			t.Errorf("%d\n%s", code, out)
		}
	}
	out, code = r.command("reconcile", "import", report(1000), "--provider", "openai", "--format", "csv", "--url", r.url, "--token", adminToken)
	if code != 0 || !strings.Contains(out, "2 of 2 rows agree") {
		t.Errorf("after it was adjusted: %d\n%s", code, out)
	}
	if b, err := os.ReadFile(adjustments); err != nil || strings.Count(string(b), `"amount_nanousd":3000,`) != 2 {
		t.Errorf("%v %s", err, b)
	}
}
