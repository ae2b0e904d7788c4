package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"purser/internal/record"
	"purser/proxy/upstream"
)

// received is what an upstream saw of the last request.
type received struct {
	uri  string
	body map[string]any
}

// noting answers like answerJSON and notes what came.
func noting(t *testing.T, got *received) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		*got = received{uri: r.RequestURI}
		if err := json.Unmarshal(raw, &got.body); err != nil {
			t.Error(err)
		}
		if got.body["stream"] == true {
			answerStream(w, true)
			return
		}
		answerJSON(w, r)
	}
}

// TestADeploymentIsPricedByItsModel: the upstream hears its own name of the
// model, in the path where it has one there; the price is that of the model.
func TestADeploymentIsPricedByItsModel(t *testing.T) {
	var got received
	w := newWorld(t, noting(t, &got), nil)
	up := w.gateway.upstreams[0]
	up.Aliases, up.Models = map[string]string{"quick": "gpt-4o-mini"}, []string{"gpt-*"}
	for _, x := range []struct {
		form       Form
		path       string
		asked, uri string
		sent       any
	}{
		{Form{}, "/v1/chat/completions", "gpt-4o-mini", "/v1/chat/completions", "gpt-4o-mini"},
		{Form{}, "/v1/chat/completions", "quick", "/v1/chat/completions", "gpt-4o-mini"},
		{Form{Deployments: map[string]string{"gpt-4o-mini": "our mini"}}, "/v1/chat/completions", "gpt-4o-mini", "/v1/chat/completions", "our mini"},
		{Form{Deployments: map[string]string{"gpt-4o-mini": "our mini"}}, "/v1/chat/completions", "quick", "/v1/chat/completions", "our mini"},
		{Form{Deployments: map[string]string{"gpt-4o-mini": "our mini"}}, "/v1/chat/completions", "our mini", "/v1/chat/completions", "our mini"},
		{Form{Deployments: map[string]string{"gpt-4o-mini": "our mini"}, DeploymentPaths: true, APIVersion: "2024-10-21"},
			"/v1/chat/completions", "gpt-4o-mini", "/v1/deployments/our%20mini/chat/completions?api-version=2024-10-21", "our mini"},
		{Form{DeploymentPaths: true, APIVersion: "preview"},
			"/v1/chat/completions", "gpt-4o-mini", "/v1/deployments/gpt-4o-mini/chat/completions?api-version=preview", "gpt-4o-mini"},
		// A client of Azure's: its api-version is its own affair.
		{Form{}, "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2025-01-01", "gpt-4o", "/v1/chat/completions", "gpt-4o-mini"},
		{Form{Deployments: map[string]string{"gpt-4o-mini": "our-mini"}, DeploymentPaths: true, APIVersion: "2024-10-21"},
			"/openai/deployments/our-mini/chat/completions?api-version=2025-01-01", "", "/v1/deployments/our-mini/chat/completions?api-version=2024-10-21", "our-mini"},
	} {
		up.Form = x.form
		model := ""
		if x.asked != "" {
			model = fmt.Sprintf(`"model":%q,`, x.asked)
		}
		a, body := w.send("POST", x.path, `{`+model+`"max_completion_tokens":50,"messages":[{"role":"user","content":"hello"}]}`)
		if a.Status != 200 || got.uri != x.uri || got.body["model"] != x.sent {
			t.Errorf("%+v: %d %s\n sent %s, model %v", x, a.Status, body, got.uri, got.body["model"])
			continue
		}
		if r := w.last(); r.Cost != 4000 { // 8 × 0.25 + 2 × 1.00 microdollars: priority, the dearest tier, as the answer names none
			t.Errorf("%s of %s cost %d", x.asked, x.path, r.Cost)
		}
	}
}

// TestATranslatedCallNamesTheDeployment, whichever name its client knows.
func TestATranslatedCallNamesTheDeployment(t *testing.T) {
	var got received
	w := newWorld(t, noting(t, &got), nil)
	w.gateway.upstreams = w.gateway.upstreams[:1]
	w.gateway.upstreams[0].ChatOnly = true
	w.gateway.upstreams[0].Form = Form{Deployments: map[string]string{"gpt-4o-mini": "our-mini"}, DeploymentPaths: true, APIVersion: "1"}
	for _, model := range []string{"gpt-4o-mini", "our-mini"} {
		for path, question := range map[string]string{
			"/v1beta/models/" + model + ":generateContent": `{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}`,
			"/v1/responses": `{"model":"` + model + `","store":false,"input":"hello"}`,
		} {
			a, body := w.send("POST", path, question, "x-goog-api-key", "pk_good")
			if a.Status != 200 || got.uri != "/v1/deployments/our-mini/chat/completions?api-version=1" || got.body["model"] != "our-mini" {
				t.Errorf("%s: %d %s\n sent %s, model %v", model, a.Status, body, got.uri, got.body["model"])
			}
			if r := w.last(); r.Cost != 4000 {
				t.Errorf("%s cost %d", model, r.Cost)
			}
		}
	}
}

// TestAClientOfAzuresSendsItsKeyInItsHeader and needs no other.
func TestAClientOfAzuresSendsItsKeyInItsHeader(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	const path, body = "/openai/deployments/gpt-4o-mini/chat/completions", `{"messages":[{"role":"user","content":"hello"}]}`
	a, text := w.serve(&Request{Method: "POST", Path: path, Header: headerList{"api-key", "pk_good"}, Body: []byte(body)})
	if a.Status != 200 {
		t.Errorf("%d %s", a.Status, text)
	}
	if a, _ = w.serve(&Request{Method: "POST", Path: path, Header: headerList{"api-key", "pk_none"}, Body: []byte(body)}); a.Status != 401 {
		t.Errorf("an unknown key: %d", a.Status)
	}
}

// TestDeploymentsAreListedByTheirModels, if the upstream serves them.
func TestDeploymentsAreListedByTheirModels(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	up := w.gateway.upstreams[0]
	up.Models, up.Deployments = []string{"our-*"}, map[string]string{"our-model": "d1", "other": "d2"}
	if ids := w.gateway.offered(up); !slices.Equal(ids, []string{"our-model"}) {
		t.Errorf("%v", ids)
	}
}

// TestAnUpstreamWithoutStreamOptions is not sent them, and its usage counts all the same.
func TestAnUpstreamWithoutStreamOptions(t *testing.T) {
	var got received
	w := newWorld(t, noting(t, &got), nil)
	w.gateway.upstreams[0].NoStreamOptions = true
	for _, options := range []string{"", `"stream_options":{"include_usage":true},`} {
		_, body := w.ask(`{"model":"gpt-4o-mini","stream":true,` + options + `"messages":[{"role":"user","content":"hello"}]}`)
		if _, there := got.body["stream_options"]; there {
			t.Errorf("%s: sent %v", options, got.body)
		}
		if asked := options != ""; strings.Contains(body, `"total_tokens":10`) != asked {
			t.Errorf("%s: answered %s", options, body)
		}
		if r := w.last(); r.Basis != record.Reported || r.Outcome != record.Completed {
			t.Errorf("%s: %+v", options, r)
		}
	}
}

// TestWhatIsBilledBeyondTheCapIsHeld: for each answer.
func TestWhatIsBilledBeyondTheCapIsHeld(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	body := strings.Replace(question, `"messages"`, `"n":2,"messages"`, 1)
	w.ask(body)
	before := w.last().Hold
	w.gateway.upstreams[0].ExtraOutput = 1000
	w.ask(body)
	if more := w.last().Hold - before; more != 2*1000*1000 { // at 1.00 microdollars, the tier priority
		t.Errorf("%d more are held", more)
	}
}

// TestTiersAreNotChosenByHeader: neither Amazon's nor Vertex AI's go upstream.
func TestTiersAreNotChosenByHeader(t *testing.T) {
	for _, name := range []string{"X-Amzn-Bedrock-Service-Tier", "x-amz-security-token", "X-Vertex-AI-LLM-Shared-Request-Type"} {
		if forwards(name) {
			t.Errorf("%s goes upstream", name)
		}
	}
}

type noCredential struct{}

func (noCredential) Authorize(*upstream.Outgoing) ([]upstream.Header, error) {
	return nil, errors.New("of project secret-7")
}

// TestWithoutACredentialNothingIsSentOrHeld: a clear 502, once, at no cost.
func TestWithoutACredentialNothingIsSentOrHeld(t *testing.T) {
	called := false
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) { called = true; answerJSON(w, r) }, nil)
	cfg := upstream.Default()
	cfg.Name, cfg.BaseURL, cfg.Authorizer = "vertex", "http://127.0.0.1:1/v1", noCredential{}
	client, err := upstream.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := client.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	w.gateway.upstreams[0].Client = client
	a, body := w.ask(question)
	if a.Status != 502 || !strings.Contains(body, "no valid credential") || strings.Contains(body, "secret-7") {
		t.Errorf("%d %s", a.Status, body)
	}
	r := w.last()
	if called || r.Attempts != 1 || r.Basis != record.NoCharge || r.Cost != 0 || w.purse.spent != 0 {
		t.Errorf("called %t, %+v, spent %d", called, r, w.purse.spent)
	}
}
