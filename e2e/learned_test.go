package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"purser/api/admin"
	"purser/internal/governance"
	"purser/internal/record"
)

// Two kinds of prompt, of which a small model answers one alone.
var (
	proofs  = []string{"Prove by induction that the sum of the first %d odd numbers is a square.", "Give a rigorous proof that there are infinitely many primes above %d.", "Prove the theorem that every group of order %d has a subgroup."}
	letters = []string{"Rewrite this email to customer %d so that it sounds polite.", "Make my letter number %d to the landlord more friendly.", "Correct the grammar of message %d to my colleague and keep it formal."}
)

// labelledFile is examples of both kinds, as purser route train reads them.
func labelledFile() string {
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b, `{"text":%q,"quality":{"small":0,"large":1}}`+"\n", fmt.Sprintf(proofs[i%3], i+3))
		fmt.Fprintf(&b, `{"text":%q,"quality":{"small":1,"large":1}}`+"\n", fmt.Sprintf(letters[i%3], i+3))
	}
	return b.String()
}

const learnedState = `routes:
  smart:
    strategy: learned
    learner: kinds
    candidates: [{id: large, model: gpt-4.1}, {id: small, model: gpt-4.1-nano}, {id: fresh, model: gpt-4.1-mini}]
`

// asksSmart asks the route and gives the model that answered and the request's id.
func (r *rig) asksSmart(url, key, text string) (model, id string) {
	r.t.Helper()
	body := fmt.Sprintf(`{"model":"smart","max_completion_tokens":20,"messages":[{"role":"user","content":%q}]}`, text)
	req, err := http.NewRequest(http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	a, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer a.Body.Close()
	if a.StatusCode != 200 {
		r.t.Fatalf("status %d", a.StatusCode)
	}
	return a.Header.Get("x-purser-model"), a.Header.Get("x-purser-request-id")
}

// TestPromptsGoWhereTheyAreAnswered: a router is trained from a file, two kinds of
// prompt go to two models, and records say which kind they were of. A canary gets its
// share until outcomes say that it is no good; then no request goes there.
func TestPromptsGoWhereTheyAreAnswered(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.budget(usd("cap", "100"))
	key := r.key(admin.NewKey{Name: "learned", CacheOff: true})
	stranger := r.key(admin.NewKey{Name: "stranger"})
	train := []string{"route", "train", "kinds", "--from", r.file("labelled.jsonl", labelledFile()), "--clusters", "2", "--alpha", "0.8",
		"--model", "large=openai/gpt-4.1", "--model", "small=openai/gpt-4.1-nano", "--push"}
	if out, code := r.command(train...); code != 0 || !strings.Contains(out, "always large") {
		t.Fatalf("train ended with %d: %s", code, out)
	}
	if out, code := r.command("apply", "-f", r.file("state.yaml", learnedState), "--yes"); code != 0 {
		t.Fatalf("apply ended with %d: %s", code, out)
	}
	if err := r.admin.DeleteObject(t.Context(), "routers", "kinds", nil); err == nil {
		t.Error("a router that a route refers to was deleted")
	}
	clusters := map[string]string{}
	for i := range 6 {
		for kind, want := range map[string]string{proofs[i%3]: "gpt-4.1", letters[i%3]: "gpt-4.1-nano"} {
			got, id := r.asksSmart(r.url, key.Secret, fmt.Sprintf(kind, 1000+i))
			if got != want {
				t.Errorf("%q is answered by %s", kind, got)
			}
			clusters[id] = want
		}
	}
	if out, code := r.command("route", "explain", "smart", "--key", key.ID, "--prompt", fmt.Sprintf(proofs[0], 7)); code != 0 || !strings.Contains(out, "cluster ") || strings.Index(out, "gpt-4.1") > strings.Index(out, "gpt-4.1-nano") {
		t.Errorf("explain ended with %d: %s", code, out)
	}

	if out, code := r.command("route", "canary", "kinds", "--candidate", "fresh", "--percent", "50", "--floor", "0.8"); code != 0 {
		t.Fatalf("canary ended with %d: %s", code, out)
	}
	drawn := 0
	var last string
	for i := 0; i < 400 && !r.rolledBack(); i++ {
		model, id := r.asksSmart(r.url, key.Secret, fmt.Sprintf(letters[i%3], i))
		good := model != "gpt-4.1-mini"
		if !good {
			drawn++
		}
		r.reports(key.Secret, id, fmt.Sprintf(`"success":%t`, good), 200, `"recorded":true`)
		last = id
	}
	if drawn < 20 || !r.rolledBack() {
		t.Fatalf("after %d answers of a canary that is no good it goes on", drawn)
	}
	for i := range 30 {
		if model, _ := r.asksSmart(r.url, key.Secret, fmt.Sprintf(letters[i%3], 500+i)); model == "gpt-4.1-mini" {
			t.Fatal("a request goes to a canary that was rolled back")
		}
	}
	r.reports(key.Secret, last, `"quality":0.5`, 200, `"recorded":false`)
	r.reports(stranger.Secret, last, `"quality":0.5`, 404, "request_not_found")
	r.reports(key.Secret, record.NewID(1), `"quality":0.5`, 404, "request_not_found")
	r.reports(key.Secret, last, `"quality":1.5`, 400, "quality")
	r.reports(key.Secret, last, `"success":true,"quality":1`, 400, "quality")
	r.reports(key.Secret, last, `"success":true,"note":"x"`, 400, "invalid_json")

	before := r.router().Candidates
	r.eventually("the second is over, and it learns from outcomes", func() error {
		if out, code := r.command("route", "train", "kinds", "--outcomes", "--push"); code != 0 || !strings.Contains(out, "fresh") {
			return fmt.Errorf("it ended with %d: %s", code, out)
		}
		return nil
	})
	if after := r.router().Candidates; len(after) != len(before)+1 {
		t.Errorf("%+v became %+v", before, after)
	}
	r.stopNode()
	of := map[string]int64{}
	canaries := 0
	for id, rec := range r.records() {
		if rec.Route.Canary {
			canaries++
		}
		model, ok := clusters[rec.ID]
		if !ok {
			continue
		}
		if rec.Route.Cluster == 0 || of[model] != 0 && of[model] != rec.Route.Cluster {
			t.Errorf("%s of %s is of cluster %d, and others of %d", id, model, rec.Route.Cluster, of[model])
		}
		of[model] = rec.Route.Cluster
	}
	if of["gpt-4.1"] == of["gpt-4.1-nano"] || canaries < 20 {
		t.Errorf("clusters %v, %d requests of canaries", of, canaries)
	}
}

func (r *rig) router() *governance.Router {
	r.t.Helper()
	o, err := r.admin.ShowObject(r.t.Context(), "routers", "kinds")
	if err != nil {
		r.t.Fatal(err)
	}
	var out governance.Router
	if err := json.Unmarshal(o.Spec, &out); err != nil {
		r.t.Fatal(err)
	}
	return &out
}

func (r *rig) rolledBack() bool {
	c := r.router().Canary
	return c != nil && c.RolledBack != "" && c.Reason != ""
}

// reports says what an answer was worth.
func (r *rig) reports(key, id, worth string, status int, want string) {
	r.t.Helper()
	got, body, _ := r.post("/v1/outcomes", key, fmt.Sprintf(`{"request_id":%q,%s}`, id, worth))
	if got != status || !strings.Contains(body, want) {
		r.t.Errorf("an outcome of %s: %d %s", worth, got, body)
	}
}

// TestAnOutcomeReachesTheNodeThatAnswered, whichever node it is told; a roll-back is
// every node's.
func TestAnOutcomeReachesTheNodeThatAnswered(t *testing.T) {
	c := newTrio(t, "", "10")
	if out, code := c.command("route", "train", "kinds", "--from", c.file("labelled.jsonl", labelledFile()), "--clusters", "2", "--alpha", "0.8",
		"--model", "large=openai/gpt-4.1", "--model", "small=openai/gpt-4.1-nano", "--push"); code != 0 {
		t.Fatalf("train ended with %d: %s", code, out)
	}
	if out, code := c.command("apply", "-f", c.file("state.yaml", learnedState), "--yes"); code != 0 {
		t.Fatalf("apply ended with %d: %s", code, out)
	}
	if out, code := c.command("route", "canary", "kinds", "--candidate", "fresh", "--percent", "50", "--floor", "0.8"); code != 0 {
		t.Fatalf("canary ended with %d: %s", code, out)
	}
	c.eventually("the second node has the canary", func() error {
		if o, err := c.peers[1].admin.ShowObject(t.Context(), "routers", "kinds"); err != nil || !strings.Contains(string(o.Spec), "fresh") {
			return fmt.Errorf("%s %v", o.Spec, err)
		}
		return nil
	})
	for i := 0; i < 400 && !c.rolledBack(); i++ { // answered by one, told another
		model, id := c.asksSmart(c.peers[1].url, c.key.Secret, fmt.Sprintf(letters[i%3], i))
		c.reports(c.key.Secret, id, fmt.Sprintf(`"success":%t`, model != "gpt-4.1-mini"), 200, `"recorded":true`)
	}
	if !c.rolledBack() {
		t.Fatal("the canary goes on")
	}
	c.eventually("no node asks the canary", func() error {
		for _, p := range c.peers {
			for i := range 8 {
				if model, _ := c.asksSmart(p.url, c.key.Secret, fmt.Sprintf(letters[i%3], 900+i)); model == "gpt-4.1-mini" {
					return fmt.Errorf("%s asks it", p.id)
				}
			}
		}
		return nil
	})
	c.eventually("what the others heard is told, once the second is over", func() error {
		if heard, err := c.admin.RouterOutcomes(t.Context(), "kinds"); err != nil || len(heard.Heard) == 0 {
			return fmt.Errorf("%+v %v", heard, err)
		}
		return nil
	})
}
