package alert

import (
	"encoding/json"
	"strings"
	"testing"

	"purser/internal/directory"
	"purser/ledger"
)

func TestASpecIsChecked(t *testing.T) {
	good := Spec{URL: "https://example.com/hook", Secret: "ops"}
	for name, c := range map[string]struct {
		change func(*Spec)
		want   string // of the error, "" for none
	}{
		"good": {func(*Spec) {}, ""},
		"every field": {func(s *Spec) {
			s.Form, s.Events, s.Match = JSON, []string{"budget.*", "node.down"}, map[string][]string{"budget": {"eu"}}
		}, ""},
		"Slack needs no secret":  {func(s *Spec) { s.Form, s.Secret = Slack, "" }, ""},
		"an address by its name": {func(s *Spec) { s.URL, s.URLSecret = "", "slack" }, ""},
		"plain HTTP on request":  {func(s *Spec) { s.URL, s.AllowHTTP = "http://example.com", true }, ""},
		"plain HTTP":             {func(s *Spec) { s.URL = "http://example.com" }, "without TLS"},
		"no address":             {func(s *Spec) { s.URL = "" }, "one of the two"},
		"two addresses":          {func(s *Spec) { s.URLSecret = "slack" }, "one of the two"},
		"an address as a name":   {func(s *Spec) { s.URL, s.URLSecret = "", "https://x" }, "not the address"},
		"another scheme":         {func(s *Spec) { s.URL = "file:///etc/passwd" }, "not an absolute address"},
		"gopher":                 {func(s *Spec) { s.URL = "gopher://x/" }, "scheme"},
		"relative":               {func(s *Spec) { s.URL = "/hook" }, "absolute"},
		"opaque":                 {func(s *Spec) { s.URL = "https:example.com" }, "absolute"},
		"a password":             {func(s *Spec) { s.URL = "https://u:p@example.com/" }, "password"},
		"too long":               {func(s *Spec) { s.URL += strings.Repeat("x", maxURL) }, "more than"},
		"no secret":              {func(s *Spec) { s.Secret = "" }, "signing secret"},
		"the secret itself":      {func(s *Spec) { s.Secret = vectorSecret }, "not the secret"},
		"another form":           {func(s *Spec) { s.Form = "xml" }, "json or slack"},
		"no such event":          {func(s *Spec) { s.Events = []string{"budget.*", "bugdet.*"} }, "bugdet"},
		"a pattern that is none": {func(s *Spec) { s.Events = []string{"[a-z"} }, "matches no type"},
		"too many events":        {func(s *Spec) { s.Events = make([]string, maxGlobs+1) }, "more than"},
		"a match of nothing":     {func(s *Spec) { s.Match = map[string][]string{"budget": {}} }, "match"},
	} {
		s := good
		c.change(&s)
		err := s.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), vectorSecret) || strings.Contains(err.Error(), "u:p")) {
			t.Errorf("%s: the error repeats a secret: %v", name, err)
		}
	}
}

func TestNamesAreResolved(t *testing.T) {
	secrets := map[string]string{"ops": vectorSecret, "slack": "https://hooks.example.com/T/B/X", "bad": "hooks", "plain": "http://x"}
	look := func(name string) (string, bool) { s, ok := secrets[name]; return s, ok }
	for name, c := range map[string]struct {
		spec Spec
		ok   bool
	}{
		"both":                 {Spec{URLSecret: "slack", Secret: "ops"}, true},
		"an address alone":     {Spec{URLSecret: "slack"}, true},
		"no such address":      {Spec{URLSecret: "nowhere"}, false},
		"no such secret":       {Spec{URL: "https://x", Secret: "nowhere"}, false},
		"a secret that is not": {Spec{URL: "https://x", Secret: "slack"}, false},
		"no address":           {Spec{URLSecret: "bad"}, false},
		"plain HTTP":           {Spec{URLSecret: "plain"}, false},
		"plain HTTP, allowed":  {Spec{URLSecret: "plain", AllowHTTP: true}, true},
	} {
		w := Webhook{ID: "w", Spec: c.spec}
		err := w.Resolve(look)
		if (err == nil) != c.ok || c.ok && (w.URL == "" || (c.spec.Secret != "") != (len(w.Keys) == 1)) {
			t.Errorf("%s: %+v, %v", name, w, err)
		}
		for _, secret := range secrets {
			if err != nil && strings.Contains(err.Error(), `"`+secret) {
				t.Errorf("%s: the error repeats a secret: %v", name, err)
			}
		}
	}
}

// event is one as a node reads it.
func event(t *testing.T, at ledger.Instant, n Notice) *Event {
	t.Helper()
	dir := directory.New()
	r, err := Once("k", at, n)
	if err != nil {
		t.Fatal(err)
	}
	if out := dir.Apply(at, directory.RaiseAlerts{Raises: []directory.Raise{r}}); out.Code != directory.Applied {
		t.Fatal(out.Code)
	}
	e, err := Read(dir.Alerts()[0])
	if err != nil {
		t.Fatal(err)
	}
	return &e
}

func TestWhatGoesToWhom(t *testing.T) {
	budget := event(t, 100, Notice{BudgetLevel, Warning, "s", Data{"budget": "eu", "level": 80, "split": map[string]string{"team": "blue"}}})
	test := event(t, 100, Notice{Test, Info, "s", Data{"webhook": "w"}})
	for name, c := range map[string]struct {
		webhook Webhook
		event   *Event
		want    bool
	}{
		"everything":                 {Webhook{}, budget, true},
		"by type":                    {Webhook{Spec: Spec{Events: []string{"node.*", "budget.level"}}}, budget, true},
		"by pattern":                 {Webhook{Spec: Spec{Events: []string{"budget.*"}}}, budget, true},
		"another type":               {Webhook{Spec: Spec{Events: []string{"budget.exhausted"}}}, budget, false},
		"by budget":                  {Webhook{Spec: Spec{Match: map[string][]string{"budget": {"us", "eu"}}}}, budget, true},
		"another budget":             {Webhook{Spec: Spec{Match: map[string][]string{"budget": {"us"}}}}, budget, false},
		"by team":                    {Webhook{Spec: Spec{Match: map[string][]string{"budget": {"eu"}, "split.team": {"blue"}}}}, budget, true},
		"another team":               {Webhook{Spec: Spec{Match: map[string][]string{"budget": {"eu"}, "split.team": {"red"}}}}, budget, false},
		"what it has not":            {Webhook{Spec: Spec{Match: map[string][]string{"node": {"n1"}}}}, budget, false},
		"what is no text":            {Webhook{Spec: Spec{Match: map[string][]string{"level": {"80"}}}}, budget, false},
		"disabled":                   {Webhook{Spec: Spec{Disabled: true}}, budget, false},
		"made before":                {Webhook{Created: 100}, budget, true},
		"made after":                 {Webhook{Created: 101}, budget, false},
		"a test of another":          {Webhook{ID: "x"}, test, false},
		"a test of one disabled":     {Webhook{ID: "w", Created: 9, Spec: Spec{Disabled: true}}, test, true},
		"a test, whatever it is for": {Webhook{ID: "w", Spec: Spec{Events: []string{"node.*"}}}, test, true},
	} {
		if got := c.webhook.Wants(c.event); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestForms(t *testing.T) {
	e := event(t, 1_700_000_000*ledger.Second+5, Notice{BudgetExhausted, Critical, "budget of <!channel> & co is exhausted",
		Data{"limit": int64(9_007_199_254_740_993), "split": map[string]string{"customer": "<@U1>"}}})
	b, err := Render(JSON, e, "prod")
	if err != nil {
		t.Fatal(err)
	}
	var got Envelope
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != e.ID || got.Type != BudgetExhausted || got.Timestamp != "2023-11-14T22:13:20.000000005Z" || got.Source != "prod" || got.Severity != Critical || got.Summary != e.Summary {
		t.Errorf("%s", b)
	}
	if !strings.Contains(string(b), `"limit":9007199254740993,`) {
		t.Errorf("an amount was rounded: %s", b)
	}
	b, err = Render(Slack, e, "prod")
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Text   string
		Blocks []struct {
			Type     string
			Text     struct{ Type, Text string }
			Elements []struct{ Type, Text string }
		}
	}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	if m.Text != "Critical: budget of &lt;!channel&gt; &amp; co is exhausted" {
		t.Errorf("text %q", m.Text)
	}
	if len(m.Blocks) != 4 || m.Blocks[2].Text.Text != "limit: 9007199254740993\nsplit.customer: <@U1>" || m.Blocks[3].Elements[0].Text != "prod · 2023-11-14T22:13:20Z · "+e.ID {
		t.Errorf("blocks %+v", m.Blocks)
	}
	for i, block := range m.Blocks {
		if i < 3 && block.Text.Type != plainText {
			t.Errorf("block %d is %s: a name could become a mention", i, block.Text.Type)
		}
	}
}

func TestWhatIsNewIsTold(t *testing.T) {
	dir := directory.New()
	apply := func(list ...Condition) int {
		raises, err := News(dir, list)
		if err != nil {
			t.Fatal(err)
		}
		dir.Apply(1, directory.RaiseAlerts{Raises: raises})
		return len(raises)
	}
	c := Condition{Key: "k", Rank: 1, Until: 100, Notice: Notice{NodeDown, Critical, "down", nil}, Over: Notice{NodeUp, Info, "up", nil}}
	over, silent := c, c
	over.Rank, silent.Rank, silent.Over = 0, 0, Notice{}
	for i, step := range []struct {
		condition Condition
		raises    int
		alerts    int
	}{{over, 0, 0}, {c, 1, 1}, {c, 0, 1}, {over, 1, 2}, {over, 0, 2}, {c, 1, 3}, {silent, 1, 3}, {c, 1, 4}} {
		if got := apply(step.condition); got != step.raises || len(dir.Alerts()) != step.alerts {
			t.Errorf("step %d: %d raises, %d alerts", i, got, len(dir.Alerts()))
		}
	}
}

func TestHappenings(t *testing.T) {
	open := map[string]string{"state": "open", "cause": "burn", "reason": "too fast"}
	key, n, ok := Happening("budget_breaker", "cap[acme]", open)
	if !ok || n.Type != BudgetBreaker || n.Severity != Warning || n.Data["subject"] != "cap[acme]" || n.Data["cause"] != "burn" || !strings.Contains(n.Summary, "is open: too fast") {
		t.Errorf("%s %+v", key, n)
	}
	if again, _, _ := Happening("budget_breaker", "cap[acme]", open); again != key {
		t.Error("two nodes give it two keys")
	}
	if other, _, _ := Happening("budget_breaker", "cap", open); other == key {
		t.Error("two budgets have one key")
	}
	if closed, n, _ := Happening("budget_breaker", "cap[acme]", map[string]string{"state": "closed"}); closed == key || n.Severity != Info {
		t.Errorf("closed: %+v", n)
	}
	if _, n, ok := Happening("loop_detected", "run r1", nil); !ok || n.Type != LoopDetected {
		t.Errorf("a loop: %+v", n)
	}
	if _, _, ok := Happening("budget_exhausted", "cap", nil); ok {
		t.Error("what is told otherwise is told twice")
	}
}
