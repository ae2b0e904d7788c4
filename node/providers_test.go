package node

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"purser/proxy/price"
	"purser/proxy/upstream"
)

const providersFile = "../docs/providers.md"

// expected is what an upstream of the document is sent for a chat with its model.
var expected = map[string]struct{ path, header, model, capField string }{
	"openai":            {"/v1", "Authorization", "gpt-5.4", "max_completion_tokens"},
	"anthropic":         {"/v1", "X-Api-Key", "claude-opus-4-8", "max_tokens"},
	"anthropic-counted": {"/v1", "X-Api-Key", "claude-opus-4-8", "max_tokens"},
	"gemini":            {"/v1beta", "X-Goog-Api-Key", "gemini-2.5-flash", "max_tokens"},
	"groq":              {"/openai/v1", "Authorization", "llama-3.3-70b-versatile", "max_completion_tokens"},
	"together":          {"/v1", "Authorization", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "max_tokens"},
	"fireworks":         {"/inference/v1", "Authorization", "accounts/fireworks/models/gpt-oss-120b", "max_tokens"},
	"deepseek":          {"/v1", "Authorization", "deepseek-chat", "max_tokens"},
	"mistral":           {"/v1", "Authorization", "mistral-large-latest", "max_tokens"},
	"xai":               {"/v1", "Authorization", "grok-4", "max_completion_tokens"},
	"openrouter":        {"/api/v1", "Authorization", "openai/gpt-4o-mini", "max_tokens"},
	"cerebras":          {"/v1", "Authorization", "llama3.1-8b", "max_completion_tokens"},
	"vllm":              {"/v1", "", "qwen3-32b", "max_tokens"},
	"ollama":            {"/v1", "", "llama3.2:3b", "max_tokens"},
	"azure":             {"/openai/v1", "Api-Key", "gpt-5.4", "max_completion_tokens"},
	"azure-dated":       {"/openai", "Api-Key", "gpt-4o-mini", "max_completion_tokens"},
	"vertex":            {"/v1/projects/our-project/locations/europe-west4/publishers/google", "Authorization", "gemini-2.5-flash", "max_tokens"},
	"bedrock":           {"/openai/v1", "Authorization", "openai.gpt-oss-120b-1:0", "max_tokens"},
	"bedrock-converse":  {"", "Authorization", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "max_tokens"},
	"bedrock-key":       {"/openai/v1", "Authorization", "openai.gpt-oss-120b-1:0", "max_tokens"},
}

// yamlBlocks are the blocks of a document in their order.
func yamlBlocks(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// TestProviders reads every example of docs/providers.md as a node would, finds a
// price for its model, and sends a request through it: to the path below its base
// URL, proved in the header that the provider reads.
func TestProviders(t *testing.T) {
	unset(t, ours...)
	for _, m := range regexp.MustCompile(`\$\{([A-Z_]+)`).FindAllStringSubmatch(strings.Join(yamlBlocks(t, providersFile), ""), -1) {
		t.Setenv(m[1], "secret-of-"+strings.ToLower(m[1]))
	}
	t.Setenv("PURSER_ADMIN_TOKEN", token)
	var got *http.Request
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r }))
	defer provider.Close()
	google := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"secret-of-google","expires_in":3600,"token_type":"Bearer"}`))
	}))
	defer google.Close()

	catalogue := examplePrices(t)
	seen := map[string]bool{}
	for _, block := range yamlBlocks(t, providersFile) {
		if strings.HasPrefix(block, "providers:") {
			continue
		}
		c, err := Load(written(t, block))
		if err != nil {
			t.Fatal(err, block)
		}
		c.Prices.Overrides = ""
		if err := c.Validate(); err != nil {
			t.Fatal(err, block)
		}
		for i := range c.Upstreams {
			u := &c.Upstreams[i]
			want, ok := expected[u.Name]
			if !ok || seen[u.Name] {
				t.Fatalf("the example %s is there twice, or this test does not know it", u.Name)
			}
			seen[u.Name] = true
			if _, ok := catalogue.Find(u.Provider, want.model, now()); !ok {
				t.Errorf("%s: there is no price for %s", u.Name, want.model)
			}
			if u.CapField != want.capField {
				t.Errorf("%s: the cap is %s", u.Name, u.CapField)
			}
			address, err := url.Parse(u.BaseURL)
			if err != nil || u.Name != "vllm" && u.Name != "ollama" && address.Scheme != "https" {
				t.Errorf("%s: %s", u.Name, u.BaseURL)
			}
			u.BaseURL = provider.URL + address.Path
			if u.GoogleCredentials != "" {
				u.GoogleCredentials = workload(t, google.URL)
			}
		}
		n := &Node{cfg: c, log: slog.New(slog.DiscardHandler)}
		if err := n.openUpstreams(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, u := range n.upstreams {
			want := expected[u.Name]
			got = nil
			res, f := u.Client.Do(&upstream.Request{Method: "POST", Path: "/chat?x=1", Body: []byte("{}")})
			if f != nil {
				t.Fatalf("%s: %v", u.Name, f)
			}
			res.Close()
			if got.RequestURI != want.path+"/chat?x=1" {
				t.Errorf("%s: sent to %s", u.Name, got.RequestURI)
			}
			for _, name := range []string{"Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key"} {
				if there := got.Header.Get(name) != ""; there != (name == want.header) {
					t.Errorf("%s: %s is %q", u.Name, name, got.Header.Get(name))
				}
			}
		}
		n.closeUpstreams()
	}
	if len(seen) != len(expected) {
		t.Errorf("the document has %d of %d examples", len(seen), len(expected))
	}
}

// examplePrices are the prices compiled in, with those of the document before them.
func examplePrices(t *testing.T) *price.Catalogue {
	t.Helper()
	for _, block := range yamlBlocks(t, providersFile) {
		if strings.HasPrefix(block, "providers:") {
			c, err := loadPrices(written(t, block))
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
	}
	t.Fatal("the document has no prices")
	return nil
}

// workload writes credentials of a user, whose tokens come from url.
func workload(t *testing.T, url string) string {
	t.Helper()
	return written(t, `{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r","token_uri":"`+url+`"}`)
}

// TestASecretOfAnUpstreamIsInNoLog, nor in what a node prints of its configuration's faults.
func TestASecretOfAnUpstreamIsInNoLog(t *testing.T) {
	var log bytes.Buffer
	google := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		w.WriteHeader(400)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"` + r.Form.Get("refresh_token") + `"}`))
	}))
	defer google.Close()
	c := valid()
	u := UpstreamConfig{Name: "vertex", Provider: "google", Auth: authGoogle, BaseURL: "http://127.0.0.1:1/v1",
		GoogleCredentials: written(t, `{"type":"authorized_user","client_id":"c","client_secret":"SECRET-1","refresh_token":"SECRET-2","token_uri":"`+google.URL+`"}`)}
	u.setDefaults()
	c.Upstreams = []UpstreamConfig{u}
	n := &Node{cfg: c, log: slog.New(slog.NewTextHandler(&log, nil))}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := n.openUpstreams(ctx); err != nil {
		t.Fatal(err)
	}
	_, f := n.upstreams[0].Client.Do(&upstream.Request{Method: "POST", Path: "/x"})
	n.closeUpstreams()
	if f == nil || f.Sent || strings.Contains(f.Error()+log.String(), "SECRET") || !strings.Contains(log.String(), "upstream=vertex") {
		t.Errorf("%v\n%s", f, log.String())
	}
}
