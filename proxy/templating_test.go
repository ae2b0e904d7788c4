package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"pgregory.net/rapid"

	"purser/ledger"
	"purser/proxy/policy"
	"purser/proxy/template"
)

// templates are rules with one template alone, support@3, which production has.
type templates struct {
	noRules
	t     *template.Template
	match map[string][]string
}

// Rules implements Governance.
func (r templates) Rules() (Rules, error) { return r, nil }

// Template implements Rules.
func (r templates) Template(id string) (*template.Template, template.Use, error) {
	if id != "support@3" && id != "support" {
		return nil, template.Use{}, fmt.Errorf("there is no template %s", id)
	}
	return r.t, template.Use{Name: "support", Version: 3, Prompt: &template.Prompt{Match: r.match}}, nil
}

func withTemplate(t *testing.T, w *world, match map[string][]string) {
	t.Helper()
	s := template.Spec{
		Model: "gpt-4o", System: "You help.", Messages: []template.Message{{Role: "user", Content: "Q: {{q}}"}},
		Variables: map[string]template.Variable{"q": {}}, MaxOutput: 50,
	}
	c, err := s.Compile()
	if err != nil {
		t.Fatal(err)
	}
	w.gateway.seams.Rules = templates{t: c, match: match}
}

// TestATemplateIsRenderedBeforeAnythingReadsTheRequest: what goes upstream is the prompt,
// with the cap and the model that the template names; the record says which version.
func TestATemplateIsRenderedBeforeAnythingReadsTheRequest(t *testing.T) {
	var went string
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		went = string(b)
		answerJSON(rw, r)
	}, nil)
	withTemplate(t, w, nil)
	for name, headers := range map[string][]string{`{"purser_template":{"id":"support","variables":{"q":"why"}}}`: nil, `{"purser_template":{"id":"support@3","variables":{"q":"why"}}}`: {headerTemplate, "support@3"}} {
		a, body := w.ask(name, headers...)
		if a.Status != 200 || gjson.Get(went, "model").String() != "gpt-4o" || gjson.Get(went, "max_completion_tokens").Int() != 50 ||
			gjson.Get(went, "messages.0.content").String() != "You help." || gjson.Get(went, "messages.1.content").String() != "Q: why" || strings.Contains(went, "purser") || sent(a, headerTemplate) != "support@3" {
			t.Errorf("%s: %d %s; sent %s", name, a.Status, body, went)
		}
		if r := w.last(); r.PromptVersion != 3 || r.Dims.Values[ledger.DimPrompt] != "support" || r.Model != "gpt-4o" {
			t.Errorf("%s: recorded as %+v", name, r)
		}
	}
}

// TestTemplatesThatCannotBeUsed: each answer says why, and nothing is sent.
func TestTemplatesThatCannotBeUsed(t *testing.T) {
	w := newWorld(t, unasked(t), nil)
	withTemplate(t, w, map[string][]string{"org": {"acme"}})
	const body = `{"purser_template":{"id":"support","variables":{"q":"why"}}}`
	for name, c := range map[string]struct {
		path, body string
		headers    []string
		status     int
		says       string
	}{
		"no such":          {"/v1/chat/completions", `{"purser_template":{"id":"support@9"}}`, nil, 404, "there is no template support@9"},
		"no value":         {"/v1/chat/completions", `{"purser_template":{"id":"support"}}`, nil, 400, "variables.q: it is missing"},
		"not for them":     {"/v1/chat/completions", body, nil, 404, "may not use"},
		"another prompt":   {"/v1/chat/completions", body, []string{"x-purser-prompt", "sales"}, 400, "is of the prompt"},
		"two names":        {"/v1/chat/completions", body, []string{headerTemplate, "support@3"}, 400, "two templates"},
		"no conversation":  {"/v1/embeddings", `{"model":"text-embedding-3-small","input":"a"}`, []string{headerTemplate, "support"}, 400, "takes no template"},
		"by Anthropic's":   {"/v1/messages", `{"max_tokens":5,"purser_template":{"id":"support@9"}}`, nil, 404, "there is no template support@9"},
		"nonsense instead": {"/v1/chat/completions", `{"purser_template":3}`, nil, 400, "purser_template"},
	} {
		if a, got := w.send("POST", c.path, c.body, c.headers...); a.Status != c.status || !strings.Contains(got, c.says) {
			t.Errorf("%s: %d %s", name, a.Status, got)
		}
	}
	withTemplate(t, w, nil)
}

// placedTemplates are templates where the team search is of the organisation acme.
type placedTemplates struct{ templates }

// Rules implements Governance.
func (r placedTemplates) Rules() (Rules, error) { return r, nil }

// Complete implements Rules.
func (placedTemplates) Complete(d *ledger.Dimensions) error {
	if d.Values[ledger.DimTeam] == "search" {
		d.Values[ledger.DimOrg] = "acme"
	}
	return nil
}

// TestWhoMayUseATemplateFollowsFromWhatTheyAreOf: a prompt for an organisation is for
// its teams.
func TestWhoMayUseATemplateFollowsFromWhatTheyAreOf(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	withTemplate(t, w, map[string][]string{"org": {"acme"}})
	all, _ := w.gateway.seams.Rules.(templates)
	w.gateway.seams.Rules = placedTemplates{all}
	const body = `{"purser_template":{"id":"support","variables":{"q":"why"}}}`
	if a, got := w.ask(body, "x-purser-team", "search"); a.Status != 200 {
		t.Errorf("a team of the organisation: %d %s", a.Status, got)
	}
	if a, got := w.ask(body, "x-purser-team", "ads"); a.Status != 404 {
		t.Errorf("a team of none: %d %s", a.Status, got)
	}
}

// TestATemplateGetsItsPartOfWhatTheProviderRemembered: of the tokens that it put at the
// beginning, never more than was saved.
func TestATemplateGetsItsPartOfWhatTheProviderRemembered(t *testing.T) {
	x := &exchange{}
	x.call.TextBytes = 4000
	for _, c := range []struct {
		stable      int
		read, input int64
		want        ledger.Amount
	}{
		{1000, 500, 1000, 500}, {1000, 250, 1000, 1000}, {1000, 100, 1000, 1000}, {9999, 1000, 1000, 1000}, {0, 500, 1000, 0}, {1000, 0, 1000, 0},
	} {
		x.prompt.stable = c.stable
		if got := x.shareTemplate(c.read, c.input, 1000); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	x.prompt.stable = 1000
	if got := x.shareTemplate(500, 1000, -1000); got != 0 {
		t.Errorf("of a loss it gets %d", got)
	}
}

// TestMembersAreFoundWhereverTheyStand: as by searching for the whole.
func TestMembersAreFoundWhereverTheyStand(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := []byte(rapid.StringOfN(rapid.SampledFrom([]rune(`"_purse_template`)), 0, 12, -1).Draw(t, "before"))
		if rapid.Bool().Draw(t, "named") {
			body = append(body, memberOfBody...)
		}
		body = append(body, rapid.StringOfN(rapid.SampledFrom([]rune(`"_purse_template`)), 0, 12, -1).Draw(t, "behind")...)
		body = body[:rapid.IntRange(0, len(body)).Draw(t, "cut")]
		if got, want := hasMember(body), bytes.Contains(body, memberOfBody); got != want {
			t.Fatalf("%q: %v", body, got)
		}
	})
}

// ruledTemplates are templates with policies.
type ruledTemplates struct {
	templates
	set *policy.Set
}

// Rules implements Governance.
func (r ruledTemplates) Rules() (Rules, error) { return r, nil }

// Policies implements Rules.
func (r ruledTemplates) Policies() *policy.Set { return r.set }

// TestPoliciesJudgeTheSizeOfWhatWasRendered.
func TestPoliciesJudgeTheSizeOfWhatWasRendered(t *testing.T) {
	w := newWorld(t, unasked(t), nil)
	w.rule(`policies: {p: {rules: [{id: long, outcome: deny, when: {over: {input_bytes: 120}}}]}}`)
	set, _ := w.gateway.seams.Rules.(ruled)
	withTemplate(t, w, nil)
	all, _ := w.gateway.seams.Rules.(templates)
	w.gateway.seams.Rules = ruledTemplates{all, set.set}
	if a, got := w.ask(`{"purser_template":{"id":"support","variables":{"q":"why"}}}`); a.Status != 403 {
		t.Errorf("%d %s", a.Status, got)
	}
}
