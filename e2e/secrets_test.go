package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"purser/api/admin"
	"purser/childkey"
	"purser/internal/store"
	"purser/internal/vault"
)

// The providers' keys of the run, of every kind there is. Nothing else in it is like one.
var providersKeys = map[string]string{
	"configured, in x-api-key":      "sk-ant-configured-Jq8vW2nR5tYb",
	"configured, in x-goog-api-key": "AIzaConfigured-Lm4xP9cD7sKe",
	"configured, AWS's secret key":  "aws-secret-configured-Hf6zT3uG",
	"configured, AWS's session":     "aws-session-configured-Vb1oN8mQ",
	"sealed":                        "sk-sealed-one-Xr5dE2wA9qZc",
	"sealed, with odd characters":   "sk-sealed/two+Yt=&%7Gh~Bn4",
	"sealed, replaced by another":   "sk-sealed-before-Ki3jU6hT1gRf",
	"sealed, then deleted":          "sk-sealed-deleted-Wp0lO9kM2nJb",
	"sealed, refused by provider":   "sk-sealed-refused-Zs7xC4vB8nMa",
	"a caller's":                    "sk-proj-callers-own-Qe1rT5yU8iOp",
	"a caller's, refused":           "sk-proj-callers-wrong-As2dF6gH0jKl",
	"a caller's, in a wrong place":  "sk-proj-callers-lost-Zx3cV7bN1mQw",
}

// accepted are those that the simulated provider knows.
var accepted = []string{"configured, in x-api-key", "configured, in x-goog-api-key", "sealed", "sealed, with odd characters", "sealed, replaced by another", "a caller's"}

func manyKeysConfig(receiver string) string {
	return fmt.Sprintf(`    models: [gpt-4o-mini]
  - name: ant
    provider: anthropic
    base_url: PROVIDER/v1
    key: %s
    models: ["claude-*"]
  - name: google
    provider: google
    base_url: PROVIDER/v1beta
    key: %s
    models: ["gemini-*"]
  - name: bedrock
    provider: aws
    api: converse
    base_url: PROVIDER
    auth: aws
    aws: {region: us-east-1, access_key: AKIAEXAMPLE, secret_key: %s, session_token: %s}
    models: ["amazon.*"]
  - name: pooled
    base_url: PROVIDER/v1
    credential_match: "pool-*"
    models: [gpt-4.1-nano]
  - name: own
    base_url: PROVIDER/v1
    passthrough: true
    models: [gpt-4o]
log:
  level: debug
redaction:
  hash_key: %s
alerts:
  allow_private: true
  secrets:
    signing: %s
    address: %s
`, providersKeys["configured, in x-api-key"], providersKeys["configured, in x-goog-api-key"], providersKeys["configured, AWS's secret key"], providersKeys["configured, AWS's session"],
		operatorsSecrets["of hashes"], operatorsSecrets["that signs alerts"], receiver+operatorsSecrets["in a webhook's address"])
}

// operatorsSecrets are others of the configuration.
var operatorsSecrets = map[string]string{
	"of hashes":              "hash-key-configured-Mn3bV6cX9zLk",
	"that signs alerts":      "whsec_" + base64.StdEncoding.EncodeToString([]byte("signs-alerts-Jh8gF5dS2aPo")),
	"in a webhook's address": "services-T0-B0-Yt6rE4wQ1uIp",
	"of the OIDC client":     "oidc-client-configured-Gb5nH8jM2kLo",
}

// oidcConfig is of a provider that nobody reaches.
func oidcConfig() string {
	return "  oidc:\n    issuer: http://127.0.0.1:1\n    client_id: purser\n    client_secret: " + operatorsSecrets["of the OIDC client"] +
		"\n    redirect_url: http://127.0.0.1:1/admin/v1/login/callback\n    roles: [{group: \"*\", role: member}]\n"
}

// notSearched are the files of a run that hold secrets because they are for that, and
// those of the simulated provider. Everything else that the run leaves is searched.
var notSearched = []string{
	"node.yaml",              // the operator's configuration, outside of the data directory
	"e2e-2.key", "e2e-3.key", // of nodes that joined: they seal what these were given
	"provider.log", "bill.jsonl", // the other side's
}

// TestNoSecretAtRest: three nodes use, keep, rotate, refuse and lose keys of every
// kind, two of them crash with calls under way, and neither a data directory nor a
// log, a crash dump, a metric, a status, a command's output or a backup has one of
// them in it, in any of the usual forms. Each search is shown to find what is there.
func TestNoSecretAtRest(t *testing.T) {
	t.Setenv("GOTRACEBACK", "system") // crash dumps with everything that Go has for them
	old, next := vault.NewKeyText(), vault.NewKeyText()
	file := newMasterFile(t, old)
	provider := []string{"--output-max", "40"}
	for _, name := range accepted {
		provider = append(provider, "--key", providersKeys[name])
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }))
	defer receiver.Close()
	r := newRig(t, rigOptions{cluster: true, config: manyKeysConfig(receiver.URL + "/"), admin: oidcConfig(), provider: provider})
	secrets := maps.Clone(providersKeys)
	for name, secret := range operatorsSecrets {
		secrets["the secret "+name] = secret
	}
	secrets["the admin token"], secrets["a master key"], secrets["another master key"] = adminToken, old, next

	var peers []*peer
	for _, id := range []string{"e2e-2", "e2e-3"} {
		token := r.token()
		secrets["the join token of "+id] = token
		p := &peer{id: id, args: []string{"join", "--token", token, "--id", id, "--data-dir", filepath.Join(r.dir, id), "--listen", "127.0.0.1:0", "--cluster-listen", "127.0.0.1:0"}}
		r.launch(p)
		peers = append(peers, p)
	}
	r.votes("e2e-1", "e2e-2", "e2e-3")
	r.budget(usd("cap", "100"))
	key, revoked := r.key(admin.NewKey{Name: "used", KeyRights: admin.KeyRights{Scopes: []string{"inference", "embeddings", "models:list", "children:mint"}}}), r.key(admin.NewKey{Name: "revoked"})
	secrets["a virtual key"], secrets["a revoked virtual key"] = key.Secret, revoked.Secret
	child, err := childkey.Mint(key.Secret, childkey.Caveats{Expires: time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	secrets["a child key"], secrets["the proof of a child key"] = child, child[strings.LastIndex(child, ".")+1:]
	token, ended := r.mint(admin.NewAdminToken{Name: "used", Role: "admin"}), r.mint(admin.NewAdminToken{Name: "ended", Role: "finance"})
	secrets["an admin token"], secrets["a revoked admin token"] = token.Secret, ended.Secret
	if _, err := r.as(token.Secret).RevokeAdminToken(context.Background(), ended.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := r.as(ended.Secret).Whoami(context.Background()); err == nil {
		t.Error("a revoked admin token is good")
	}
	r.object("redactions", "hashed", map[string]any{"detectors": []string{"personal"}, "action": "hash"})
	r.object("webhooks", "told", map[string]any{"url_secret": "address", "secret": "signing", "allow_http": true, "events": []string{"alert.*"}})
	r.tested("told")
	if _, err := r.admin.RevokeKey(context.Background(), revoked.ID); err != nil {
		t.Fatal(err)
	}

	said := map[string]string{} // what programs and routes answered
	put := func(id, name string) {
		t.Helper()
		said["put "+id+" "+name] = r.with(providersKeys[name], "credential", "put", id, "--provider", "openai")
	}
	put("pool-1", "sealed")
	put("pool-2", "sealed, replaced by another")
	said["rotate pool-2"] = r.with(providersKeys["sealed, with odd characters"], "credential", "rotate", "pool-2")
	put("pool-3", "sealed, refused by provider")
	put("gone", "sealed, then deleted")
	r.run("credential", "delete", "gone")

	r.manyCalls(peers[0].url, key.Secret, revoked.Secret, child, token.Secret)
	r.manyCalls(peers[1].url, key.Secret, revoked.Secret, child, token.Secret)
	r.manyCalls(r.url, key.Secret, revoked.Secret, child, token.Secret)
	file.hold(next, old)
	said["rotate-master"] = r.run("vault", "rotate-master")
	said["rotate-data"] = r.run("vault", "rotate-data", "pool-1")

	// A node that joined starts again from what it was given.
	r.kill(peers[0])
	r.launch(peers[0])
	r.votes("e2e-2")
	r.manyCalls(peers[0].url, key.Secret, revoked.Secret, child, token.Secret)

	backup := filepath.Join(r.dir, "backup")
	said["backup"] = r.run("backup", "--out", backup)
	for _, command := range [][]string{{"credential", "list", "--json"}, {"credential", "show", "pool-1"}, {"vault", "status"}, {"key", "list", "--json"}, {"status", "--json"}, {"usage", "--by", "upstream"}, {"export"},
		{"token", "list", "--json"}, {"whoami"}, {"get", "webhooks"}, {"get", "redactions"}, {"alerts", "list", "--json"}, {"alerts", "deliveries", "--json"}, {"audit", "tail", "--json"}, {"config", "check", r.configFile()}} {
		said[strings.Join(command, " ")] = r.run(command...)
	}
	for i, address := range []string{r.url, peers[0].url, peers[1].url} {
		for _, path := range []string{"/metrics", "/admin/v1/credentials", "/admin/v1/vault", "/admin/v1/status", "/admin/v1/cluster", "/admin/v1/keys", "/admin/v1/budgets", "/admin/v1/tokens", "/admin/v1/webhooks", "/admin/v1/alerts/deliveries", "/admin/v1/audit", "/admin/v1/login/client"} {
			said[fmt.Sprintf("node %d %s", i+1, path)] = r.fetch(address + path)
		}
	}

	// Crashes, with calls under way whose keys are on stacks.
	stop := r.hangingCalls([]string{peers[0].url, peers[1].url}, key.Secret)
	_ = peers[0].process.signal(t, syscall.SIGQUIT)
	_ = peers[1].process.signal(t, syscall.SIGABRT)
	r.forget(peers[0])
	r.forget(peers[1])
	stop()
	for _, p := range peers {
		log, err := os.ReadFile(p.process.log)
		if err != nil || !bytes.Contains(log, []byte("goroutine ")) || !bytes.Contains(log, []byte("proxy.(*exchange).dispatch")) {
			t.Errorf("the log of %s has no dump of a call under way: %v", p.id, err)
		}
	}
	_ = r.node.signal(t, syscall.SIGTERM) // it cannot return its leases: it is alone
	r.node = nil

	forms := map[string][]byte{}
	for name, secret := range secrets {
		for form, b := range formsOf(secret) {
			forms[name+", "+form] = b
		}
	}
	for name, text := range said {
		if text == "" {
			t.Errorf("%s said nothing", name)
		}
		for _, hit := range within([]byte(text), forms) {
			t.Errorf("%s shows %s", name, hit)
		}
	}
	files := searchFiles(t, r.dir, forms)
	for _, hit := range files.hits {
		t.Error(hit)
	}
	for _, must := range []string{"backup", "node.log", "e2e-2.log", "e2e-3.log", "data/raft/raft.db", "e2e-2/raft/raft.db", "e2e-3/cluster/purser.sealed"} {
		if !slices.Contains(files.seen, must) {
			t.Errorf("%s was not searched, of %d files", must, len(files.seen))
		}
	}
	values := 0
	for _, dir := range []string{"data", "e2e-2", "e2e-3"} {
		n, hits := searchStore(t, filepath.Join(r.dir, dir, "store"), forms)
		values += n
		for _, hit := range hits {
			t.Errorf("%s/store: %s", dir, hit)
		}
	}
	if values < 50 {
		t.Errorf("the stores had %d values", values)
	}
	for _, name := range []string{"e2e-2.key", "e2e-3.key"} {
		if info, err := os.Stat(filepath.Join(r.dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	canaries(t, r.dir, secrets["sealed, with odd characters"], forms)
	t.Logf("%d secrets in %d forms: not in %d files (%d bytes), %d values of stores, %d answers and outputs", len(secrets), len(forms), len(files.seen), files.bytes, values, len(said))
}

// manyCalls asks a node in every way in which a key may go astray.
func (r *rig) manyCalls(address, key, revoked, child, token string) {
	r.t.Helper()
	chatBody := func(model, more string) string {
		return fmt.Sprintf(`{"model":%q,"max_completion_tokens":20,"messages":[{"role":"user","content":"hello"}]%s}`, model, more)
	}
	callers := func(name string) []string {
		return []string{"x-purser-key", key, "Authorization", "Bearer " + providersKeys[name]}
	}
	served := 0
	for _, x := range []struct {
		path, body string
		want       int // 0: any
		headers    []string
	}{
		{"/v1/chat/completions", chatBody("gpt-4o-mini", ""), 200, nil},
		{"/v1/chat/completions", chatBody("gpt-4.1-nano", ""), 200, nil},
		{"/v1/chat/completions", chatBody("gpt-4.1-nano", `,"stream":true`), 200, []string{"x-purser-cache", "off"}},
		{"/v1/chat/completions", chatBody("gpt-4.1-nano", `,"temperature":0.5`), 200, nil},
		{"/v1/chat/completions", chatBody("gpt-4.1-nano", `,"top_p":0.5`), 0, []string{"x-sim-mode", "500"}},
		{"/v1/responses", `{"model":"gpt-4.1-nano","max_output_tokens":20,"input":"hello"}`, 200, nil},
		{"/v1/chat/completions", chatBody("gpt-4o", ""), 200, callers("a caller's")},
		{"/v1/chat/completions", chatBody("gpt-4o", `,"stream":true`), 200, callers("a caller's")},
		{"/v1/chat/completions", chatBody("gpt-4o", `,"temperature":0.2`), 401, callers("a caller's, refused")},
		{"/v1/chat/completions", chatBody("gpt-4o", ""), 401, []string{"Authorization", "Bearer " + providersKeys["a caller's, in a wrong place"]}},
		{"/v1/chat/completions?key=" + url.QueryEscape(providersKeys["a caller's, in a wrong place"]), chatBody("gpt-4o", ""), 0, nil},
		{"/v1/chat/completions", chatBody("gpt-4o", ""), 0, []string{"x-purser-key", key, "Authorization", "Bearer " + providersKeys["configured, in x-api-key"]}},
		{"/v1/messages", `{"model":"claude-haiku-4-5","max_tokens":20,"messages":[{"role":"user","content":"hello"}]}`, 200, []string{"x-api-key", key, "anthropic-version", "2023-06-01"}},
		{"/v1/messages", `{"model":"claude-haiku-4-5","max_tokens":20,"messages":[{"role":"user","content":"hello"}]}`, 401, []string{"Authorization", "Bearer " + revoked}},
		{"/v1beta/models/gemini-2.5-flash:generateContent?key=" + key, geminiBody, 200, []string{"Authorization", ""}},
		{"/v1/chat/completions", chatBody("amazon.nova-micro-v1:0", ""), 0, nil},
		{"/v1/chat/completions", `{"model":`, 400, nil},
		{"/v1/chat/completions", chatBody("gpt-4o-mini", `,"user":"eve@example.org"`), 200, []string{"Authorization", "Bearer " + child}},
		{"/v1/chat/completions", chatBody("gpt-4o-mini", ""), 401, []string{"Authorization", "Bearer " + token}},
		{"/v1/chat/completions", chatBody("gpt-4o", ""), 401, []string{"x-purser-key", key, "Authorization", "Bearer " + token}},
	} {
		req, err := http.NewRequest(http.MethodPost, address+x.path, strings.NewReader(x.body))
		if err != nil {
			r.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		for i := 0; i+1 < len(x.headers); i += 2 {
			req.Header.Set(x.headers[i], x.headers[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			r.t.Error(err)
			continue
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || x.want != 0 && res.StatusCode != x.want {
			r.t.Errorf("%s %s: %d, not %d: %s, %v", x.path, x.body, res.StatusCode, x.want, b, err)
		}
		if res.StatusCode == 200 {
			served++
		}
		for name, secret := range providersKeys {
			if bytes.Contains(b, []byte(secret)) || strings.Contains(fmt.Sprint(res.Header), secret) {
				r.t.Errorf("an answer to a client has the key %s", name)
			}
		}
	}
	if served < 8 {
		r.t.Errorf("only %d calls were served", served)
	}
}

// tested has a webhook tried, and returns once its receiver has answered.
func (r *rig) tested(webhook string) {
	r.t.Helper()
	id, err := r.admin.TestWebhook(context.Background(), webhook)
	if err != nil {
		r.t.Fatal(err)
	}
	r.eventually("the webhook is tried", func() error {
		list, err := r.admin.ListDeliveries(context.Background(), admin.DeliveryQuery{Alert: id})
		if err == nil && (len(list) == 0 || list[0].Fault != "gone") {
			err = fmt.Errorf("deliveries %+v", list)
		}
		return err
	})
}

// hangingCalls begins calls that the provider never answers, and returns once it has
// them. What it returns waits for their ends.
func (r *rig) hangingCalls(addresses []string, key string) (wait func()) {
	r.t.Helper()
	before := len(r.billRows())
	var calls sync.WaitGroup
	for _, address := range addresses {
		for model, headers := range map[string][]string{
			"gpt-4.1-nano": {"Authorization", "Bearer " + key},
			"gpt-4o":       {"x-purser-key", key, "Authorization", "Bearer " + providersKeys["a caller's"]},
		} {
			req := chat(context.Background(), model, address, key, "hang")
			for i := 0; i+1 < len(headers); i += 2 {
				req.Header.Set(headers[i], headers[i+1])
			}
			req.Header.Set("x-sim-mode", "bill-timeout")
			req.Header.Set("x-purser-cache", "off")
			calls.Go(func() { send(http.DefaultClient, req) })
		}
	}
	r.eventually("the provider has the calls", func() error {
		if n := len(r.billRows()) - before; n < 2*len(addresses) {
			return fmt.Errorf("%d of them", n)
		}
		return nil
	})
	return calls.Wait
}

// fetch is what an admin route answers.
func (r *rig) fetch(address string) string {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Error(err)
		return ""
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		r.t.Errorf("%s: %d %s, %v", address, res.StatusCode, b, err)
	}
	return string(b)
}

// formsOf are a secret as it is and in the encodings that programs write: base64
// where it begins at any of the three places, without the characters that depend on
// what stands beside it.
func formsOf(secret string) map[string][]byte {
	forms := map[string][]byte{
		"as it is": []byte(secret), "in hex": []byte(hex.EncodeToString([]byte(secret))), "in capital hex": []byte(strings.ToUpper(hex.EncodeToString([]byte(secret)))),
		"in a query": []byte(url.QueryEscape(secret)), "in a path": []byte(url.PathEscape(secret)), "quoted": []byte(strings.Trim(fmt.Sprintf("%q", secret), `"`)),
	}
	for name, e := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64 for URLs": base64.RawURLEncoding} {
		for before := range 3 {
			text := e.EncodeToString([]byte(strings.Repeat("\x00", before) + secret))
			begin := (8*before + 5) / 6
			end := 8 * (before + len(secret)) / 6
			forms[fmt.Sprintf("in %s at %d", name, before)] = []byte(text[begin:end])
		}
	}
	return forms
}

func within(b []byte, forms map[string][]byte) (hits []string) {
	for name, form := range forms {
		if bytes.Contains(b, form) {
			hits = append(hits, name)
		}
	}
	return hits
}

type searched struct {
	seen, hits []string
	bytes      int
}

// searchFiles looks into every file below dir but notSearched.
func searchFiles(t *testing.T, dir string, forms map[string][]byte) (s searched) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || slices.Contains(notSearched, name) {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s.seen, s.bytes = append(s.seen, name), s.bytes+len(b)
		for _, hit := range within(append([]byte(name+"\n"), b...), forms) {
			s.hits = append(s.hits, name+": "+hit)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// searchStore looks into every key and value of a store: blocks on disk may be compressed.
func searchStore(t *testing.T, dir string, forms map[string][]byte) (values int, hits []string) {
	t.Helper()
	s := openStore(t, dir)
	defer s.Close()
	it, err := s.DB().NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		values++
		hits = append(hits, within(slices.Concat(it.Key(), []byte{'\n'}, it.Value()), forms)...)
	}
	if err := it.Error(); err != nil {
		t.Fatal(err)
	}
	return values, hits
}

func openStore(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{Dir: dir, Log: slog.New(slog.DiscardHandler), Fatal: func(err error) { panic(err) }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// canaries shows that the searches see: each form of a secret is planted into a copy
// of what was searched, in a file and in a store, and has to be found.
func canaries(t *testing.T, dir, secret string, forms map[string][]byte) {
	t.Helper()
	data := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(data, os.DirFS(filepath.Join(dir, "e2e-2"))); err != nil {
		t.Fatal(err)
	}
	if clean := searchFiles(t, data, forms); len(clean.hits) > 0 {
		t.Fatalf("the copy has hits before anything is planted: %v", clean.hits)
	}
	planted := formsOf(secret)
	log := filepath.Join(data, "raft", "raft.db")
	was, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for form, b := range planted {
		if err := os.WriteFile(log, slices.Concat(was[:len(was)/2], b, was[len(was)/2:]), 0o600); err != nil {
			t.Fatal(err)
		}
		if found := searchFiles(t, data, forms); len(found.hits) == 0 {
			t.Errorf("a secret %s in a file is not found", form)
		}
	}
	s := openStore(t, filepath.Join(data, "store"))
	err = s.DB().Set([]byte("canary"), []byte("before "+secret+" after"), pebble.Sync)
	if err = errors.Join(err, s.DB().Flush(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, hits := searchStore(t, filepath.Join(data, "store"), forms); len(hits) == 0 {
		t.Error("a secret in a store is not found")
	}
}
