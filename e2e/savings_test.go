package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"purser/api/admin"
	"purser/internal/simprovider"
)

// TestSavingsAddUp: a mixed run is sent twice, with every lever and with none. What the
// provider bills less is what the records of the first run say was saved.
func TestSavingsAddUp(t *testing.T) {
	const rounds = 120
	run := func(levers bool) (billed int64, total admin.UsageRow) {
		// Answers of one length, so that what a call costs depends on the prompt alone.
		r := newRig(t, rigOptions{provider: []string{"--output-min", "40", "--output-max", "40"}})
		ctx := context.Background()
		put := func(kind, id, spec string) {
			t.Helper()
			if _, err := r.admin.PutObject(ctx, kind, id, nil, json.RawMessage(spec)); err != nil {
				t.Fatalf("%s %s: %v", kind, id, err)
			}
		}
		if levers {
			put("levers", "all", `{"compression":{"level":"near_lossless","min_tokens":0}}`)
			put("routes", "smart", `{"strategy":"cheapest","candidates":[{"model":"gpt-4o"},{"model":"gpt-4o-mini"}],"baseline":"gpt-4o"}`)
		} else {
			put("levers", "none", `{"cache":{"mode":"off"},"prompt_cache":{"mode":"off"}}`)
			put("routes", "smart", `{"model":"gpt-4o"}`)
		}
		put("templates", "support@1", `{"model":"gpt-4o-mini","system":"You answer questions about pens.","messages":[{"role":"user","content":"{{q}}"}],"variables":{"q":{}}}`)
		key, err := r.admin.CreateKey(ctx, admin.NewKey{Name: "savings"})
		if err != nil {
			t.Fatal(err)
		}
		for i, body := range mixedRun(rounds) {
			req, err := http.NewRequest(http.MethodPost, r.url+"/v1/chat/completions", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+key.Secret)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("request %d: %d %v %s", i, res.StatusCode, err, answer)
			}
		}
		report, err := r.admin.Usage(ctx, admin.UsageQuery{})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := simprovider.ReadBill(r.bill)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			// Without levers the provider's cache is none either: its reads are billed as
			// input, which is what the row costs and what reading saved.
			billed += int64(row.Cost)
		}
		return billed, report.Total
	}
	with, ledger := run(true)
	without, plain := run(false)
	if with != ledger.Cost || without != plain.Cost {
		t.Fatalf("billed %d and %d, recorded %d and %d", with, without, ledger.Cost, plain.Cost)
	}
	// The provider of the second run remembers prompts by itself: what that saved is in
	// the records of that run alone, and is not the levers' doing.
	bare := without + plain.Savings["native_cache"] + plain.Savings["template"]
	saved := ledger.Saved
	t.Logf("%d requests: billed $%.6f without levers, $%.6f with them; the records say that $%.6f was saved: %v", ledger.Requests,
		float64(bare)/1e9, float64(with)/1e9, float64(saved)/1e9, ledger.Savings)
	if off := bare - with - saved; off > bare/1000 || off < -bare/1000 {
		t.Errorf("the bills differ by %d, the records say %d: %d off, more than 0.1 %%", bare-with, saved, off)
	}
	for _, lever := range []string{"exact_cache", "compression", "routing"} {
		if ledger.Savings[lever] <= 0 {
			t.Errorf("%s saved nothing: %v", lever, ledger.Savings)
		}
	}
}

// mixedRun is requests of every kind, some of which come again.
func mixedRun(rounds int) (list []string) {
	quote := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return string(b)
	}
	rows := make([]map[string]any, 60)
	for i := range rows {
		rows[i] = map[string]any{"id": i, "name": fmt.Sprintf("row %d", i), "note": "the same long note that every row has"}
	}
	pretty, err := json.MarshalIndent(rows, "", "    ")
	if err != nil {
		panic(err)
	}
	manual := strings.Repeat("Every answer names the part of the manual that it rests on. ", 200)
	for i := range rounds {
		ask := func(model, system, text string) string {
			return fmt.Sprintf(`{"model":%q,"max_completion_tokens":64,"messages":[{"role":"system","content":%s},{"role":"user","content":%s}]}`, model, quote(system), quote(text))
		}
		list = append(list,
			ask("gpt-4o-mini", "Be brief.", fmt.Sprintf("Question %d?", i)),
			ask("gpt-4o-mini", "Be brief.", fmt.Sprintf("Question %d?", i%10)), // asked before
			ask("smart", "Be brief.", fmt.Sprintf("Routed question %d?", i)),
			ask("smart", manual, fmt.Sprintf("Long question %d?", i)), // whose beginning the provider remembers
			fmt.Sprintf(`{"purser_template":{"id":"support@1","variables":{"q":"Do they leak, %d?"}},"max_completion_tokens":64}`, i),
			fmt.Sprintf(`{"model":"gpt-4o-mini","max_completion_tokens":64,"messages":[{"role":"user","content":"Read it, %d."},{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"query","arguments":"{}"}},{"id":"c2","type":"function","function":{"name":"query","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":%s},{"role":"tool","tool_call_id":"c2","content":%s}]}`,
				i, quote(string(pretty)), quote(string(pretty))),
		)
	}
	return list
}
