package e2e

import (
	"testing"

	"purser/api/admin"
	"purser/e2e/compat"
)

// TestAgentsReachAnyModel runs agents, with nothing set but where to ask and a key,
// for models that upstreams of other dialects alone serve: with a call of a tool. Not
// opencode for gpt-5-mini, which it reaches without translation, and to which it sends
// a max_tokens that the provider refuses.
func TestAgentsReachAnyModel(t *testing.T) {
	dir, err := folders[compat.Agent].install(t)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, rigOptions{api: "openai-chat", config: eachItsOwn})
	r.budget(usd("cap", "500"))
	counted := countBefore(t, r.url)
	key := r.key(admin.NewKey{Name: "agent"}).Secret
	for i := range compat.Clients {
		c := &compat.Clients[i]
		if c.Kind != compat.Agent {
			continue
		}
		a := newAgent(t, c.ID, dir)
		for _, model := range []string{"gpt-5-mini", "claude-haiku-4-5", "claude-opus-4-8", "gemini-2.5-flash"} {
			if c.ID == "opencode" && model == "gpt-5-mini" {
				continue
			}
			before := counted.answers.Load()
			s, err := a.run(t.Context(), turn{
				knobs: map[string]string{c.URL.Name: counted.url + c.URL.Path, c.Key.Name: key},
				model: model, prompt: "Use the tool " + a.tools[0], dir: t.TempDir(),
			}, nil)
			if err != nil || s.err != "" || s.text == "" {
				t.Errorf("%s, %s: %v %s %.600s", c.ID, model, err, s.err, s.raw)
			}
			if n := counted.answers.Load() - before; n < 2 {
				t.Errorf("%s, %s: a turn that calls a tool made %d requests", c.ID, model, n)
			}
		}
	}
	r.agree(t)
}
