package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
)

const policyState = `
policies:
  office:
    rules: [{id: network, outcome: deny, unless: {addresses: [10.0.0.0/8]}, message: use the office's network}]
  trial:
    match: {team: [trial]}
    rules:
      - {id: short, outcome: rewrite, set: {max_output_tokens: 16}}
      - {id: cheap, outcome: deny, when: {over: {cost_usd: 0.05}}}
  watch: {mode: shadow, rules: [{id: all, outcome: deny, when: {cel: 'model.startsWith("gpt-")'}}]}
`

// TestPoliciesDecideWhoMayAsk: over real sockets, HTTP/1.1 and HTTP/2, behind a trusted
// proxy and without one, where a client can write what it wants into its headers.
func TestPoliciesDecideWhoMayAsk(t *testing.T) {
	r := newRig(t, rigOptions{})
	path := filepath.Join(t.TempDir(), "state.yaml")
	if err := os.WriteFile(path, []byte(policyState), 0o600); err != nil {
		t.Fatal(err)
	}
	key := r.key(admin.NewKey{Name: "k"})
	const body = `{"model":"gpt-4o-mini","max_tokens":2000,"messages":[{"role":"user","content":"Hello"}]}`
	if status, answer, _ := r.ask(key.Secret, body); status != http.StatusOK {
		t.Fatalf("without policies: %d %s", status, answer)
	}
	if out, code := r.command("apply", "-f", path, "--yes"); code != 0 {
		t.Fatalf("apply ended with %d: %s", code, out)
	}

	// Nobody is trusted: this client's address is 127.0.0.1, whatever it says.
	for _, spoofed := range [][]string{nil, {"X-Forwarded-For", "10.0.0.1"}, {"X-Real-IP", "10.0.0.1", "Forwarded", "for=10.0.0.1"}, {"X-Forwarded-For", "10.0.0.1, 10.0.0.2"}} {
		status, answer, header := r.ask(key.Secret, body, spoofed...)
		if status != http.StatusForbidden || !strings.Contains(answer, "policy_denied") || header.Get("x-purser-policy") != "office/network" || header.Get("x-should-retry") != "false" {
			t.Errorf("%v: %d %v %s", spoofed, status, header, answer)
		}
	}
	r.stopNode()
	r.options.listen = "  trusted_proxies: [127.0.0.0/8, '::1']\n"
	r.writeConfig(strings.TrimPrefix(r.url, "http://"))
	r.startNode()
	clients := map[string]*http.Client{"HTTP/1.1": {}, "HTTP/2.0": {Transport: unencrypted2()}}
	for proto, client := range clients {
		for forwarded, want := range map[string]int{"10.1.2.3": 200, "10.0.0.1, 203.0.113.9": 403, "203.0.113.9, 10.1.2.3": 200, "": 403, "10.0.0.1, nonsense": 403, "10.0.0.1|203.0.113.9": 403, "203.0.113.9|10.1.2.3": 200} {
			if status, got := askAs(t, client, r.url, key.Secret, body, forwarded); status != want || got != proto {
				t.Errorf("%s, forwarded for %q: %d over %s", proto, forwarded, status, got)
			}
		}
	}

	// A rewrite reaches the provider, and what is charged is bounded by it.
	before := len(r.billRows())
	status, answer, header := r.ask(key.Secret, body, "X-Forwarded-For", "10.1.2.3", "x-purser-team", "trial")
	if status != http.StatusOK || header.Get("x-purser-policy-rewrote") != "max_output_tokens=16" {
		t.Errorf("%d %v %s", status, header, answer)
	}
	if rows := r.billRows(); len(rows) != before+1 {
		t.Errorf("%d bills", len(rows)-before)
	}
	var told struct {
		Usage struct {
			Completion int `json:"completion_tokens"`
		}
	}
	if err := json.Unmarshal([]byte(answer), &told); err != nil || told.Usage.Completion > 16 {
		t.Errorf("%d tokens were written, %v", told.Usage.Completion, err)
	}

	// What the shadow would have done is counted, and nothing else.
	res, err := http.Get(r.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	metrics, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{`purser_policy_rulings_total{effect="denied",mode="shadow",policy="watch",rule="all"} `, `purser_policy_rulings_total{effect="rewrote",mode="enforce",policy="trial",rule="short"} 1`} {
		if !strings.Contains(string(metrics), says) {
			t.Errorf("the metrics have no %s", says)
		}
	}
	r.explains(key, path)
}

// explains asks the node and the file what they make of requests.
func (r *rig) explains(key admin.CreatedKey, state string) {
	t := r.t
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	body := write("body.json", `{"model":"gpt-4o-mini","max_tokens":2000,"messages":[{"role":"user","content":"Hello"}]}`)
	request := write("request.yaml", "{model: gpt-4o-mini, address: 8.8.8.8}")
	cases := write("cases.yaml", "cases: [{name: out, request: {address: 8.8.8.8, time: '2026-11-26T12:00:00Z'}, expect: {decision: deny, rule: network}}]")
	wrong := write("wrong.yaml", "cases: [{name: in, request: {address: 8.8.8.8, time: '2026-11-26T12:00:00Z'}, expect: {decision: allow}}]")
	bad := write("bad.yaml", "policies: {p: {rules: [{id: r, outcome: deny, when: {cel: 'modle == \"x\"'}}]}}")
	for _, c := range []struct {
		args, says string
		code       int
	}{
		{"policy explain --key " + key.ID + " --address 8.8.8.8 --body " + body, "policy office, rule network", 0},
		{"policy explain --key " + key.ID + " --address 127.0.0.1 --header X-Forwarded-For=10.9.9.9 --header x-purser-team=trial --body " + body, "rewrites   max_output_tokens=16", 0},
		{"policy explain --key none --body " + body, "no key none", 1},
		{"policy explain --key " + key.ID + " --path /v1/nothing --body " + body, "does not reach the policies", 1},
		{"policy explain --request " + request, "address 8.8.8.8 is in none of 1 ranges", 0},
		{"policy check -f " + state, "3 policies are fine", 0},
		{"policy check -f " + bad, "policy p: rules[0] (r): when.cel: 1:1: undeclared reference to 'modle'", 1},
		{"policy test -f " + state + " --request " + request + " --explain", "decision  deny", 0},
		{"policy test -f " + state + " --cases " + cases, "1 cases, 0 wrong", 0},
		{"policy test -f " + state + " --cases " + wrong, `decision is "deny", not "allow"`, 1},
	} {
		out, code := r.command(strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%s: ended with %d\n%s", c.args, code, out)
		}
	}
	// A policy that does not compile is refused by the node, with its place, and
	// nothing is changed.
	_, err := r.admin.PutObject(t.Context(), "policies", "p", nil, json.RawMessage(`{"rules":[{"id":"r","outcome":"deny","when":{"cel":"true &&\n  modle == 'x'"}}]}`))
	if err == nil || !strings.Contains(err.Error(), `rules[0] (r): when.cel: 2:3: undeclared reference to 'modle'`) {
		t.Errorf("a policy that does not compile: %v", err)
	}
}

func unencrypted2() http.RoundTripper {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return &http.Transport{Protocols: p}
}

// askAs asks with forwarding headers, their lines separated by a bar, and gives the protocol that was spoken.
func askAs(t *testing.T, client *http.Client, url, key, body, forwarded string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	for line := range strings.SplitSeq(forwarded, "|") {
		if line != "" {
			req.Header.Add("X-Forwarded-For", line)
		}
	}
	client.Timeout = 30 * time.Second
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Proto
}
