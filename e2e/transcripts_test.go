package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"purser/api/admin"
	"purser/e2e/compat"
	"purser/proxy/compress"
	"purser/proxy/compress/measure"
)

var transcripts = flag.String("transcripts", "", "keep the bodies of agents' requests, as TestCompressionOfAgents sees them, in this folder")

// order is one call that an agent's model makes: a tool of the agent's, and arguments.
type order struct {
	tool string
	args map[string]string
}

// director stands before the provider and has the model make the calls of a script, one
// in each answer: it asks the provider for a call of that tool with those arguments
// alone, so that the answer is the provider's own in every dialect.
type director struct {
	*httptest.Server
	provider atomic.Pointer[httputil.ReverseProxy]

	mu     sync.Mutex
	script []order
	faults []string
}

func newDirector(t *testing.T) *director {
	d := &director{}
	d.Server = httptest.NewServer(http.HandlerFunc(d.serve))
	t.Cleanup(d.Close)
	return d
}

// before says which provider answers.
func (d *director) before(t *testing.T, provider string) {
	t.Helper()
	target, err := url.Parse(strings.TrimSuffix(provider, "/v1"))
	if err != nil {
		t.Fatal(err)
	}
	p := httputil.NewSingleHostReverseProxy(target)
	p.FlushInterval = -1
	d.provider.Store(p)
}

func (d *director) play(script []order) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.script = script
}

func (d *director) serve(w http.ResponseWriter, r *http.Request) {
	p := d.provider.Load()
	if p == nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	if r.Method == http.MethodPost && isTurn(r.URL.Path) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the node has gone
		}
		directed, err := d.direct(r.URL.Path, body)
		if err != nil {
			d.mu.Lock()
			d.faults = append(d.faults, err.Error())
			d.mu.Unlock()
			directed = body
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(directed)), int64(len(directed))
	}
	p.ServeHTTP(w, r)
}

// isTurn says whether a request is one for an answer in a conversation.
func isTurn(path string) bool {
	return strings.HasSuffix(path, "/messages") || strings.HasSuffix(path, "/responses") || strings.HasSuffix(path, "/chat/completions")
}

// direct is the request that is answered by the next call of the script, or by words
// when there is none, or where the request has no tools.
func (d *director) direct(path string, body []byte) ([]byte, error) {
	var q struct {
		Model         string
		Stream        bool
		StreamOptions json.RawMessage `json:"stream_options"`
		Tools         []any
		Store         json.RawMessage
		Include       json.RawMessage
		Reasoning     json.RawMessage
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, err
	}
	n, err := toolResults(body)
	if err != nil {
		return nil, err
	}
	ask := map[string]any{"model": q.Model, "stream": q.Stream}
	d.mu.Lock()
	script := d.script
	d.mu.Unlock()
	said, o := "Say something short.", (*order)(nil)
	if len(q.Tools) > 0 && n < len(script) {
		o, said = &script[n], fmt.Sprintf("Take step %d.", n) // ids of calls follow from the request
	}
	var schema map[string]any
	if o != nil {
		properties, required := map[string]any{}, []string{}
		for name, v := range o.args {
			properties[name] = map[string]any{"type": "string", "const": v}
			required = append(required, name)
		}
		schema = map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
	}
	message := []any{map[string]any{"role": "user", "content": said}}
	switch {
	case strings.HasSuffix(path, "/responses"):
		ask["input"] = message
		for name, v := range map[string]json.RawMessage{"store": q.Store, "include": q.Include, "reasoning": q.Reasoning} {
			if v != nil {
				ask[name] = v
			}
		}
		if o != nil {
			ask["tools"] = []any{map[string]any{"type": "function", "name": o.tool, "parameters": schema}}
			ask["tool_choice"] = map[string]any{"type": "function", "name": o.tool}
		}
	case strings.HasSuffix(path, "/messages"):
		ask["messages"], ask["max_tokens"] = message, 4000
		if o != nil {
			ask["tools"] = []any{map[string]any{"name": o.tool, "input_schema": schema}}
			ask["tool_choice"] = map[string]any{"type": "tool", "name": o.tool}
		}
	default:
		ask["messages"] = message
		if q.StreamOptions != nil {
			ask["stream_options"] = q.StreamOptions
		}
		if o != nil {
			ask["tools"] = []any{map[string]any{"type": "function", "function": map[string]any{"name": o.tool, "parameters": schema}}}
			ask["tool_choice"] = map[string]any{"type": "function", "function": map[string]any{"name": o.tool}}
		}
	}
	return json.Marshal(ask)
}

// chores are what the agents do, as commands of a shell: a task of looking through some
// files of this repository, with files read twice, JSON, lists and a difference.
var chores = []string{
	"ls -la src && wc -l src/*", "grep -n 'func ' src/*.go", "READ src/budget.go", "READ src/grant.go", "cat src/package-lock.json", "go env -json",
	"READ src/admit.go", "sed -n 1,150p src/budget.go", "grep -n 'window' src/*.go", "diff -u src/budget.go src/raise.go", "READ src/budget.go",
	"cat src/grant.go src/admit.go", "READ src/raise.go", "cat src/package-lock.json", "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo 'waiting for the node to be ready'; done; echo ready",
	"sed -n 100,260p src/admit.go", "READ src/grant.go", "grep -n 'func ' src/*.go", "tail -60 src/raise.go", "cat src/budget.go",
}

// scriptOf puts the chores into calls of an agent's own tools.
func scriptOf(id, dir string) (script []order) {
	for _, c := range chores {
		file, read := strings.CutPrefix(c, "READ ")
		path := filepath.Join(dir, file)
		switch {
		case id == "codex" && read:
			script = append(script, order{"exec_command", map[string]string{"cmd": "cat " + file}})
		case id == "codex":
			script = append(script, order{"exec_command", map[string]string{"cmd": c}})
		case id == "claude-code" && read:
			script = append(script, order{"Read", map[string]string{"file_path": path}})
		case id == "claude-code":
			script = append(script, order{"Bash", map[string]string{"command": c, "description": "Look at it"}})
		case read:
			script = append(script, order{"read", map[string]string{"filePath": path}})
		default:
			script = append(script, order{"bash", map[string]string{"command": c, "description": "Look at it"}})
		}
	}
	return script
}

// layOut copies what the agents look at.
func layOut(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, "src"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"../ledger/budget.go", "../ledger/grant.go", "../ledger/raise.go", "../proxy/admit.go", "clients/agents/package-lock.json"} {
		b, err := os.ReadFile(filepath.FromSlash(f))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "src", filepath.Base(f)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// spokenOn are the dialects of agents' routes.
var spokenOn = map[string]compress.Dialect{"/v1/chat/completions": compress.Chat, "/v1/responses": compress.Responses, "/v1/messages": compress.Messages}

// TestCompressionOfAgents has agents look through files with their own tools, twenty
// calls each, through a node that compresses, and prints what each level takes out of
// their requests. The agents must not notice.
func TestCompressionOfAgents(t *testing.T) {
	dir, err := folders[compat.Agent].install(t)
	if err != nil {
		t.Fatal(err)
	}
	d := newDirector(t)
	r := newRig(t, rigOptions{upstream: d.URL + "/v1", config: "    models: [\"gpt-*\"]\n  - name: anthropic\n    api: anthropic\n    base_url: " + d.URL + "/v1\n    key: sk-e2e\n"})
	d.before(t, r.upstream)
	r.budget(usd("cap", "500"))
	r.object("levers", "compress", map[string]any{"compression": map[string]any{"level": "near_lossless"}})
	counted := countBefore(t, r.url)
	key := r.key(admin.NewKey{Name: "agent"}).Secret
	for i := range compat.Clients {
		c := &compat.Clients[i]
		if c.Kind != compat.Agent {
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			a, work := newAgent(t, c.ID, dir), t.TempDir()
			layOut(t, work)
			d.play(scriptOf(c.ID, work))
			counted.keep.Store(&kept{})
			ctx, stop := context.WithTimeout(t.Context(), scenarioTime)
			defer stop()
			s, err := a.run(ctx, turn{
				knobs: map[string]string{c.URL.Name: counted.url + c.URL.Path, c.Key.Name: key}, prompt: "Look through the files in src and say what they do.", dir: work, free: true,
			}, nil)
			if err != nil || s.err != "" || s.text == "" {
				t.Errorf("%v %s %.600s", err, s.err, s.raw)
			}
			report(t, c, counted.keep.Load().bodies())
		})
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.faults) > 0 {
		t.Errorf("requests could not be directed: %s", d.faults)
	}
}

// report prints what each level takes out of an agent's requests, all together: each has
// the whole conversation until then, and each is paid for.
func report(t *testing.T, c *compat.Client, bodies [][]byte) {
	t.Helper()
	for i, b := range bodies {
		if *transcripts == "" {
			break
		}
		if err := os.WriteFile(filepath.Join(*transcripts, fmt.Sprintf("%s-%03d.json", c.ID, i)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, results := spokenOn[c.Route], 0
	for _, level := range []compress.Level{compress.Lossless, compress.NearLossless, compress.Aggressive} {
		var before, after int64
		shares, guessed := map[string]int64{}, false
		for _, b := range bodies {
			out, err := measure.Of(b, d, compress.Settings{Level: level}, measure.Model{Tokenizer: map[bool]string{true: "o200k"}[d != compress.Messages]})
			if err != nil {
				t.Fatal(err)
			}
			before, after, guessed = before+out.Before, after+out.After, out.Guessed
			for _, p := range out.Passes {
				shares[p.Pass] += p.Tokens
			}
			n, err := toolResults(b)
			if err != nil {
				t.Fatal(err)
			}
			results = max(results, n)
		}
		var parts []string
		for _, p := range compress.Passes() {
			if n := shares[p.String()]; n > 0 {
				parts = append(parts, fmt.Sprintf("%s %.1f %%", p, 100*float64(n)/float64(before)))
			}
		}
		t.Logf("%s, %d requests, %d results: %s: %d tokens become %d, %.1f %% less%s: %s", c.ID, len(bodies), results, level, before, after,
			100*float64(before-after)/float64(max(before, 1)), map[bool]string{true: " (by o200k)"}[guessed], cmp.Or(strings.Join(parts, ", "), "nothing"))
		if after > before || level == compress.NearLossless && after*100 > before*95 {
			t.Errorf("%s: %s takes out next to nothing", c.ID, level)
		}
	}
	if results < len(chores) {
		t.Errorf("%s: the longest request has %d results, not %d", c.ID, results, len(chores))
	}
}

// kept are bodies in the order in which they came.
type kept struct {
	mu   sync.Mutex
	list [][]byte
}

func (k *kept) add(b []byte) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list = append(k.list, b)
}

func (k *kept) bodies() [][]byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.list
}
