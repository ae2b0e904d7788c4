package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
	"purser/internal/record"
)

// asked is one call of TestOracleBill.
type asked struct {
	path, body string
	provider   string // as the calculator knows it
	flavor     string // of its extractors
	model      string
	known      bool // the calculator knows everything the call is charged by

	id, answer string
}

// billedCalls draws calls of every endpoint, whole and streamed, over what moves
// the usage: caching, thinking, tools, tiers, several answers.
func billedCalls(seed uint64, rounds int) (all []asked) {
	d := rand.New(rand.NewPCG(seed, 1))
	long := strings.Repeat("The purser keeps the ship's money. ", 400) // enough to be cached
	for i := range rounds {
		text := fmt.Sprintf("%s %d", long[:d.IntN(2)*d.IntN(len(long))], i/3)
		stream := d.IntN(2) == 0
		add := func(provider, flavor, path, model, body string, known bool) {
			if stream && path != "/v1/embeddings" && provider != "google" {
				body = body[:len(body)-1] + `,"stream":true}`
				if flavor == "chat" {
					body = body[:len(body)-1] + `,"stream_options":{"include_usage":true}}`
				}
			}
			all = append(all, asked{path: path, body: body, provider: provider, flavor: flavor, model: model, known: known})
		}
		one := func(names ...string) string { return names[d.IntN(len(names))] }
		quoted, cap := fmt.Sprintf("%q", text), 20+d.IntN(400)

		model := one("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-5", "gpt-5-mini", "o3", "o4-mini")
		more := one("", `,"n":2`, `,"tools":[{"type":"function","function":{"name":"look","parameters":{"type":"object","properties":{"at":{"type":"string"}}}}}],"tool_choice":"required"`)
		add("openai", "chat", "/v1/chat/completions", model, fmt.Sprintf(`{"model":%q,"max_completion_tokens":%d,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":%s}]%s}`, model, cap, quoted, more), true)
		add("openai", "chat", "/v1/chat/completions", "gpt-5", fmt.Sprintf(`{"model":"gpt-5","max_completion_tokens":%d,"service_tier":%q,"messages":[{"role":"user","content":%s}]}`, cap, one("flex", "priority"), quoted), false)
		add("openai", "chat", "/v1/completions", "gpt-3.5-turbo-instruct", fmt.Sprintf(`{"model":"gpt-3.5-turbo-instruct","max_tokens":%d,"prompt":"again %d"}`, cap, i), true)
		model = one("text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002")
		add("openai", "embeddings", "/v1/embeddings", model, fmt.Sprintf(`{"model":%q,"input":[%s,"two"]}`, model, quoted), true)
		model = one("gpt-4o", "gpt-4.1-mini", "gpt-5", "gpt-5-nano", "o3")
		add("openai", "responses", "/v1/responses", model, fmt.Sprintf(`{"model":%q,"max_output_tokens":%d,"input":%s}`, model, cap, quoted), true)
		add("openai", "responses", "/v1/responses", "gpt-4o", fmt.Sprintf(`{"model":"gpt-4o","max_output_tokens":%d,"input":%s,"tools":[{"type":"web_search"}]}`, cap, quoted), false)

		model = one("claude-haiku-4-5", "claude-sonnet-4-5")
		more = one("", `,"thinking":{"type":"enabled","budget_tokens":1024}`)
		add("anthropic", "default", "/v1/messages", model, fmt.Sprintf(`{"model":%q,"max_tokens":%d,"messages":[{"role":"user","content":[{"type":"text","text":%s,"cache_control":{"type":"ephemeral","ttl":%q}}]}]%s}`, model, cap+1100, quoted, one("5m", "1h"), more), true)
		add("anthropic", "default", "/v1/messages", model, fmt.Sprintf(`{"model":%q,"max_tokens":%d,"messages":[{"role":"user","content":%s}],"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":2}]}`, model, cap, quoted), true)
		add("anthropic", "default", "/v1/messages", "claude-opus-4-8", fmt.Sprintf(`{"model":"claude-opus-4-8","max_tokens":%d,"messages":[{"role":"user","content":%s}]%s}`, cap, quoted, one("", `,"speed":"fast"`, `,"inference_geo":"us"`)), false)

		model = one("gemini-2.0-flash", "gemini-2.5-flash", "gemini-2.5-flash-lite")
		path := "/v1beta/models/" + model + ":generateContent"
		if stream {
			path = "/v1beta/models/" + model + ":streamGenerateContent?alt=sse"
		}
		add("google", "default", path, model, fmt.Sprintf(`{"contents":[{"role":"user","parts":[{"text":%s}]}],"generationConfig":{"maxOutputTokens":%d}}`, quoted, cap), true)
	}
	return all
}

// TestOracleBill asks the simulated provider through the node: each record costs
// what the provider billed for that call and, where @pydantic/genai-prices knows
// everything it is charged by, what that makes of the answer the client got.
func TestOracleBill(t *testing.T) {
	const rounds = 45
	t.Logf("seed %d", *firstSeed)
	r := newRig(t, rigOptions{config: "  - name: anthropic\n    api: anthropic\n    base_url: PROVIDER/v1\n    key: sk-e2e\n" + geminiUpstream + "cache:\n  enabled: false\n", purse: "  admission_wait: 5s\n"})
	r.budget(usd("cap", "1000"))
	key := r.key(admin.NewKey{Name: "oracle"}).Secret
	calls := billedCalls(*firstSeed, rounds)
	for i := range calls {
		c := &calls[i]
		status, answer, header := r.post(c.path, key, c.body)
		if status != 200 {
			t.Fatalf("%s: status %d %s", c.body, status, answer)
		}
		c.id, c.answer = header.Get("x-purser-request-id")+"-1", answer
	}
	records := r.agree(t)
	for id, rec := range records {
		if rec.Basis != record.Reported {
			t.Errorf("%s: basis %d, the cost was not reported", id, rec.Basis)
		}
	}
	if len(records) != len(calls) || len(calls) < 300 {
		t.Fatalf("%d records of %d calls", len(records), len(calls))
	}
	t.Logf("%d records, each equal to the provider's bill in usage and cost", len(records))

	dir, err := npmFolder("../proxy/testdata/oracle").install(t)
	if err != nil {
		t.Fatal(err)
	}
	costs := calculate(t, dir, calls)
	compared := 0
	for i, c := range calls {
		if !c.known {
			continue
		}
		compared++
		if rec := records[c.id]; nanoOf(t, costs[i]) != int64(rec.Cost) {
			t.Errorf("%s %s: recorded and billed %d nano-dollars, the calculator says %s USD\n%.600s", c.model, c.path, rec.Cost, costs[i][:20], c.answer)
		}
	}
	t.Logf("%d of them cost what the calculator says of the answer that the client got; in the other %d are tiers, regions and tools it does not know", compared, len(calls)-compared)
}

// calculate asks cost.mjs about the answers.
func calculate(t *testing.T, dir string, calls []asked) []string {
	t.Helper()
	var in bytes.Buffer
	lines := json.NewEncoder(&in)
	for i, c := range calls {
		if err := lines.Encode(map[string]any{"id": i, "provider": c.provider, "flavor": c.flavor, "model": c.model, "at": time.Now().UTC(), "answers": []string{c.answer}}); err != nil {
			t.Fatal(err)
		}
	}
	run := exec.Command("node", "cost.mjs")
	run.Dir, run.Stdin, run.Stderr = dir, &in, os.Stderr
	out, err := run.Output()
	if err != nil {
		t.Fatalf("the calculator: %v", err)
	}
	var costs []string
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var c struct {
			Costs []string
			Error string
		}
		if err := d.Decode(&c); err != nil {
			t.Fatal(err)
		}
		if c.Error != "" {
			t.Fatalf("the calculator: %s\n%s", c.Error, calls[len(costs)].answer)
		}
		costs = append(costs, c.Costs[0])
	}
	if len(costs) != len(calls) {
		t.Fatalf("%d answers to %d questions", len(costs), len(calls))
	}
	return costs
}

// nanoOf is a double's dollars in nano-dollars, rounded up. A sum of whole
// pico-dollars is meant: for calls this small, of less than a dollar, the double is
// within a thousandth of one.
func nanoOf(t *testing.T, usd string) int64 {
	t.Helper()
	x, ok := new(big.Rat).SetString(usd)
	if !ok || x.Cmp(big.NewRat(1, 1)) >= 0 {
		t.Fatalf("%s USD", usd)
	}
	pico, ok := new(big.Int).SetString(x.Mul(x, big.NewRat(1e12, 1)).FloatString(0), 10)
	if !ok {
		t.Fatalf("%s USD", usd)
	}
	return (pico.Int64() + 999) / 1000
}
