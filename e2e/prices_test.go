package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"purser/api/admin"
	"purser/internal/record"
)

// TestAProvidersOwnCostIsTaken: an upstream that reports its costs, as OpenRouter
// does, is charged by them; each record has what the catalogue makes of the call
// beside it, and what is above a hold is overrun.
func TestAProvidersOwnCostIsTaken(t *testing.T) {
	r := newRig(t, rigOptions{
		provider: []string{"--report-cost"},
		config: "    provider: openrouter\n    cap_field: max_completion_tokens\nprices:\n  overrides: " + pricesFile(t, `providers:
  openrouter:
    models:
      gpt-4o: {input_usd_per_mtok: 3, cache_read_usd_per_mtok: 1.5, output_usd_per_mtok: 12}
      text-embedding-3-small: {input_usd_per_mtok: 1}
`) + "\n",
	})
	r.budget(usd("all", "50"))
	key := r.key(admin.NewKey{Name: "k", CacheOff: true}).Secret
	const chat = `{"model":"gpt-4o","max_completion_tokens":60,"messages":[{"role":"user","content":"%d"}]%s}`
	for i := range 20 {
		for path, body := range map[string]string{
			"/v1/chat/completions": fmt.Sprintf(chat, i, ""),
			"/v1/responses":        fmt.Sprintf(`{"model":"gpt-4o","max_output_tokens":60,"input":"%d"}`, i),
			"/v1/embeddings":       fmt.Sprintf(`{"model":"text-embedding-3-small","input":"number %d"}`, i),
		} {
			if status, answer, _ := r.post(path, key, body); status != 200 {
				t.Fatalf("%s: %d %s", path, status, answer)
			}
		}
		if status, answer, _ := r.ask(key, fmt.Sprintf(chat, i+1000, `,"stream":true`)); status != 200 || !strings.Contains(answer, "[DONE]") {
			t.Fatalf("stream: %d %s", status, answer)
		}
	}
	if status, answer, _ := r.ask(key, fmt.Sprintf(chat, 7777, ""), "x-sim-mode", "percent=100000"); status != 200 {
		t.Fatalf("a dear call: %d %s", status, answer)
	}
	account := r.settled("all")
	report, err := r.admin.Usage(context.Background(), admin.UsageQuery{Group: []string{"basis"}})
	if err != nil {
		t.Fatal(err)
	}
	r.stopNode()
	rows, records := r.billRows(), r.records()
	if a := compare(t, rows, records); a.different > 0 || a.unrecorded > 0 || a.billed != account.Spent || a.rows != 81 {
		t.Errorf("bill and records: %+v, spent %d", a, account.Spent)
	}
	var priced, overrun int64
	for id, rec := range records {
		priced += int64(rec.Priced)
		overrun += int64(rec.Overrun)
		if rec.Basis != record.ReportedCost || rec.Priced == 0 || rec.Priced == rec.Cost {
			t.Errorf("call %s: basis %v, cost %d, by the catalogue %d", id, rec.Basis, rec.Cost, rec.Priced)
		}
	}
	if len(report.Rows) != 1 || report.Rows[0].Group["basis"] != "reported_cost" || report.Total.Cost != account.Spent || report.Total.Priced != priced {
		t.Errorf("the report is %+v; spent %d, by the catalogue %d", report, account.Spent, priced)
	}
	if overrun == 0 || account.Overrun != overrun || report.Total.Overrun != overrun {
		t.Errorf("overrun is %d in the account, %d in the report and %d in the records", account.Overrun, report.Total.Overrun, overrun)
	}
}

// TestAContractHoldsLessAndKeepsTheListPrice: with a quarter off, holds of 0.10 USD
// at list prices are of 0.075 USD, so 10 and not 7 fit a cap of 0.75 USD; the
// provider bills by the same contract.
func TestAContractHoldsLessAndKeepsTheListPrice(t *testing.T) {
	prices := pricesFile(t, `providers:
  openai:
    models:
      gpt-4o:
        input_usd_per_mtok: 0
        output_usd_per_mtok: 1000
discounts:
  - {provider: openai, match: {equals: [gpt-4o]}, percent_off: 25}
`)
	r := newRig(t, rigOptions{
		provider: []string{"--output-min", "1000", "--output-max", "1000", "--prices", prices},
		config:   "prices:\n  overrides: " + prices + "\n",
	})
	r.budget(usd("cap", "0.75"))
	key := r.key(admin.NewKey{Name: "k", CacheOff: true}).Secret
	ran, refused := 0, 0
	for i := range 14 {
		status, answer, _ := r.ask(key, fmt.Sprintf(`{"model":"gpt-4o","service_tier":"default","max_completion_tokens":100,"messages":[{"role":"user","content":"%d"}]}`, i))
		switch status {
		case 200:
			ran++
		case 402:
			refused++
		default:
			t.Fatalf("%d %s", status, answer)
		}
	}
	account := r.settled("cap")
	report, err := r.admin.Usage(context.Background(), admin.UsageQuery{})
	if err != nil {
		t.Fatal(err)
	}
	const each, list = 75_000_000, 100_000_000
	if ran != 10 || refused != 4 || account.Spent != 10*each || sum(r.billRows()) != account.Spent {
		t.Errorf("%d ran, %d were refused, %d spent, %d billed", ran, refused, account.Spent, sum(r.billRows()))
	}
	if total := report.Total; total.Cost != 10*each || total.Priced != total.Cost || total.List != 10*list {
		t.Errorf("the report's total is %+v", total)
	}
}
