package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"purser/api/admin"
	"purser/internal/record"
)

// misbehaviours are the modes of the simulated provider that keep to the request's
// caps: in each, a route goes on to its next candidate or ends, and the budget holds.
var misbehaviours = []string{
	"429", "quota", "500", "502", "503", "529", "200", "reset", "cut", "no-done", "error-event", "no-usage", "null-usage", "dup-usage",
	"bill-timeout", "bill-reset", "bad-json", "long-length", "short-length", "gzip", "close", "idle-close",
}

// answeredElsewhere are those in which no byte reaches the client of a whole answer, so
// that the next candidate answers instead.
var answeredElsewhere = []string{"429", "quota", "500", "502", "503", "529", "reset", "cut", "bill-timeout", "bill-reset", "long-length"}

// routeRig is a node with an upstream for each misbehaviour, which is the first
// candidate of the route of its name; the second is Anthropic's, and behaves.
func routeRig(t *testing.T) *rig {
	var upstreams, routes strings.Builder
	routes.WriteString("routes:\n")
	for _, mode := range misbehaviours {
		fmt.Fprintf(&upstreams, "  - {name: bad-%s, base_url: PROVIDER/v1, key: sk-e2e, first_byte_timeout: 100ms, deployments: {gpt-4o-mini: gpt-4o-mini--sim-%s}}\n", mode, mode)
		fmt.Fprintf(&routes, "  r-%s: {retry_on: [error, timeout, rate_limit, unavailable], candidates: [{model: gpt-4o-mini, upstream: bad-%s}, {model: claude-haiku-4-5, upstream: ant}]}\n", mode, mode)
	}
	upstreams.WriteString("  - {name: ant, api: anthropic, base_url: PROVIDER/v1, key: sk-e2e, models: ['claude-*']}\n")
	r := newRig(t, rigOptions{config: upstreams.String()})
	state := filepath.Join(t.TempDir(), "state.yaml")
	if err := os.WriteFile(state, []byte(routes.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := r.command("apply", "-f", state, "--yes"); code != 0 {
		t.Fatalf("apply ended with %d: %s", code, out)
	}
	return r
}

func routeBody(route, stream string) string {
	return fmt.Sprintf(`{"model":%q,"max_completion_tokens":60,"stream":%s,"messages":[{"role":"user","content":"Tell me of pursers."}]}`, route, stream)
}

// TestAnotherProviderAnswersAnOpenAIClient in its dialect, whole and streamed, when the
// first has failed; headers, record and explanation say where the answer comes from.
func TestAnotherProviderAnswersAnOpenAIClient(t *testing.T) {
	r := routeRig(t)
	r.budget(usd("cap", "10"))
	key := r.key(admin.NewKey{Name: "route"})
	for _, mode := range answeredElsewhere {
		status, body, header := r.ask(key.Secret, routeBody("r-"+mode, "false"))
		if status != 200 || !strings.Contains(body, `"object":"chat.completion"`) || header.Get("x-purser-route") != "r-"+mode || header.Get("x-purser-model") != "claude-haiku-4-5" || header.Get("x-purser-translated") != "anthropic" {
			t.Errorf("%s: %d %v %s", mode, status, header, body)
		}
		if mode == "cut" || mode == "long-length" {
			continue // of a stream, bytes have gone to the client by then
		}
		status, body, _ = r.ask(key.Secret, routeBody("r-"+mode, "true"))
		if status != 200 || !strings.Contains(body, `"object":"chat.completion.chunk"`) || !strings.HasSuffix(strings.TrimSpace(body), "data: [DONE]") {
			t.Errorf("%s, streamed: %d %s", mode, status, body)
		}
	}
	body := filepath.Join(t.TempDir(), "body.json")
	if err := os.WriteFile(body, []byte(routeBody("r-500", "false")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := r.command("route", "explain", "--key", key.ID, "--body", body)
	if code != 0 || !strings.Contains(out, "claude-haiku-4-5") || !strings.Contains(out, "bad-500") || !strings.Contains(out, "fallback") {
		t.Errorf("explain ended with %d: %s", code, out)
	}
	if out, code := r.command("route", "explain", "r-429", "--key", key.ID, "--prompt", "Hello"); code != 0 || !strings.Contains(out, "bad-429") {
		t.Errorf("explain ended with %d: %s", code, out)
	}
	trace := filepath.Join(t.TempDir(), "trace.jsonl")
	if err := os.WriteFile(trace, []byte("{\"input_tokens\":100000,\"output_tokens\":100000}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code = r.command("route", "simulate", "r-500", "--trace", trace, "--provider", "bad-500=openai", "--provider", "ant=anthropic")
	if code != 0 || !strings.Contains(out, "gpt-4o-mini@bad-500") || !strings.Contains(out, "$0.075000") {
		t.Errorf("simulate ended with %d: %s", code, out)
	}
	r.stopNode()
	fellOver := 0
	for _, rec := range r.records() {
		if rec.Route.Name != "" && rec.Upstream == "ant" && len(rec.Route.Considered) == 2 && strings.Contains(rec.Route.Considered[0].Why, "passed over") {
			fellOver++
		}
	}
	if fellOver == 0 {
		t.Error("no record says that a candidate was passed over")
	}
}

// TestHardCapsHoldAcrossFailover: many clients at once, the first candidate failing in
// each of the provider's modes, until the budget is spent: the provider's bill is never
// above the cap, and every charge is one of its rows or the whole hold of a call whose
// end nobody knows.
func TestHardCapsHoldAcrossFailover(t *testing.T) {
	r := routeRig(t)
	r.budget(usd("cap", "0.02"))
	key := r.key(admin.NewKey{Name: "route"}).Secret
	var next, refused, answered atomic.Int64
	var clients sync.WaitGroup
	const most = 3000 // beyond what the cap pays for
	for range 8 {
		clients.Go(func() {
			for refused.Load() < 30 {
				n := next.Add(1)
				if n > most {
					return
				}
				status, body, _, err := r.try("/v1/chat/completions", key, routeBody("r-"+misbehaviours[int(n)%len(misbehaviours)], fmt.Sprint(n%3 == 0)), "x-purser-cache", "off")
				switch {
				case err != nil: // a stream that broke off
				case status == 402:
					refused.Add(1)
				case status == 200:
					answered.Add(1)
				case status < 429:
					t.Errorf("%d %s", status, body)
				}
			}
		})
	}
	clients.Wait()
	if refused.Load() == 0 || answered.Load() < 50 {
		t.Errorf("%d requests: %d answered, %d refused for the budget", next.Load(), answered.Load(), refused.Load())
	}
	a := r.settled("cap")
	r.eventually("no hold is left", func() error {
		if h := r.holds(); h != 0 {
			return fmt.Errorf("%d holds", h)
		}
		return nil
	})
	r.stopNode()
	records := r.records()
	got := compare(t, r.billRows(), records)
	if got.billed > a.Limit || a.Spent > a.Limit || got.billed > a.Spent || a.Spent != got.recorded || got.unrecorded != 0 {
		t.Errorf("billed %d, recorded %d, spent %d of %d, %d without a record", got.billed, got.recorded, a.Spent, a.Limit, got.unrecorded)
	}
	attempts := map[string]int{}
	for id, rec := range records {
		request, _, _ := strings.Cut(id, "-")
		if rec.Attempts > 2 {
			t.Errorf("%s: %d calls of two candidates", id, rec.Attempts)
		}
		if rec.Cost > 0 {
			attempts[request]++
		}
		if rec.Cost > 0 && rec.Basis == record.NoCharge {
			t.Errorf("%s: %+v", id, rec)
		}
	}
	if most := slices.Max(append(slices.Collect(maps.Values(attempts)), 0)); most != 2 {
		t.Errorf("a request was charged for %d calls at the most, not 2: nothing fell over after it may have been billed", most)
	}
}

// TestABudgetThatNearsItsLimitMovesRequests to the cheaper model, against the ledger's
// own account: none before the shift begins, most near its end, and the cap holds.
func TestABudgetThatNearsItsLimitMovesRequests(t *testing.T) {
	r := newRig(t, rigOptions{})
	if out, code := r.command("put", "route", "frugal", "-f", r.file("frugal.yaml",
		"strategy: budget_aware\nshift: {from: 50, until: 90}\nbaseline: gpt-4o\ncandidates: [{model: gpt-4o}, {model: gpt-4o-mini}]\n")); code != 0 {
		t.Fatalf("put ended with %d: %s", code, out)
	}
	r.budget(usd("cap", "0.03"))
	key := r.key(admin.NewKey{Name: "route"}).Secret
	refused := false
	for range 2000 {
		status, body, _ := r.ask(key, routeBody("frugal", "false"), "x-purser-cache", "off")
		if refused = status == 402; refused {
			break
		}
		if status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	a := r.settled("cap")
	r.stopNode()
	var list []*record.Record
	for _, rec := range r.records() {
		if rec.Outcome == record.Completed {
			list = append(list, rec)
		}
	}
	slices.SortFunc(list, func(a, b *record.Record) int { return strings.Compare(a.ID, b.ID) })
	early, late, sum := [2]int{}, [2]int{}, int64(0)
	for _, rec := range list {
		small := 0
		if strings.HasPrefix(rec.Served, "gpt-4o-mini") {
			small = 1
		}
		switch share := float64(sum) / float64(a.Limit); {
		case share < .40:
			early[small]++
		case share > .88:
			late[small]++
		}
		sum += int64(rec.Cost)
	}
	if early[0] < 5 || early[1] != 0 || late[1] < 5*max(late[0], 1) || !refused || a.Spent > a.Limit || sum != a.Spent {
		t.Errorf("large and small: %v early, %v late; spent %d of %d, recorded %d, refused: %v", early, late, a.Spent, a.Limit, sum, refused)
	}
}

// file writes a file for a command to read.
func (r *rig) file(name, text string) string {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}
