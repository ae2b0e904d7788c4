package governance

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"purser/internal/directory"
	"purser/ledger"
	"purser/proxy/policy"
)

// directoryOf puts specs, in order, and fails where one is refused.
func directoryOf(t *testing.T, objects ...[3]string) *directory.State {
	t.Helper()
	s := directory.New()
	for _, o := range objects {
		k, ok := KindOf(o[0])
		if !ok {
			t.Fatalf("no kind %q", o[0])
		}
		spec, err := k.Decode([]byte(o[2]))
		if err != nil {
			t.Fatalf("%v: %v", o, err)
		}
		cmd, err := k.Put(o[1], directory.AnyVersion, spec)
		if err != nil {
			t.Fatalf("%v: %v", o, err)
		}
		if out := s.Apply(1, cmd); out.Code != directory.Applied {
			t.Fatalf("%v: %v", o, out.Code)
		}
	}
	return s
}

func TestTheHierarchyFillsWhatFollows(t *testing.T) {
	s, err := Compile(directoryOf(t,
		[3]string{"org", "acme", `{}`},
		[3]string{"team", "research", `{"org":"acme"}`},
		[3]string{"team", "search", `{"parent":"research"}`},
		[3]string{"team", "ranking", `{"parent":"search"}`},
		[3]string{"project", "p1", `{"team":"ranking"}`},
		[3]string{"member", "ann@acme.example", `{"teams":["search"]}`},
		[3]string{"member", "bob", `{"teams":["search","ranking"]}`},
		[3]string{"agent", "planner", `{"project":"p1"}`},
		[3]string{"agent", "sub", `{"parent":"planner","owner":"bob"}`},
		[3]string{"route", "fast", `{"model":"gpt-5-mini","upstream":"openai"}`},
	), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.TeamsOf("acme"); !slices.Equal(got, []string{"ranking", "research", "search"}) || len(s.TeamsOf("")) != 0 || len(s.TeamsOf("none")) != 0 {
		t.Errorf("the teams of acme are %v", got)
	}
	for name, c := range map[string]struct {
		given, want map[ledger.Dim]string
		wrong       string
	}{
		"nothing":            {given: nil, want: nil},
		"what nobody knows":  {given: map[ledger.Dim]string{ledger.DimProject: "none"}, want: map[ledger.Dim]string{ledger.DimProject: "none"}},
		"a team":             {given: map[ledger.Dim]string{ledger.DimTeam: "ranking"}, want: map[ledger.Dim]string{ledger.DimTeam: "ranking", ledger.DimOrg: "acme"}},
		"a project":          {given: map[ledger.Dim]string{ledger.DimProject: "p1"}, want: map[ledger.Dim]string{ledger.DimProject: "p1", ledger.DimTeam: "ranking", ledger.DimOrg: "acme"}},
		"a sub-agent":        {given: map[ledger.Dim]string{ledger.DimAgent: "sub"}, want: map[ledger.Dim]string{ledger.DimAgent: "sub", ledger.DimProject: "p1", ledger.DimTeam: "ranking", ledger.DimOrg: "acme"}},
		"one team's member":  {given: map[ledger.Dim]string{ledger.DimMember: "ann@acme.example"}, want: map[ledger.Dim]string{ledger.DimMember: "ann@acme.example", ledger.DimTeam: "search", ledger.DimOrg: "acme"}},
		"a member elsewhere": {given: map[ledger.Dim]string{ledger.DimMember: "ann@acme.example", ledger.DimTeam: "chat"}, want: map[ledger.Dim]string{ledger.DimMember: "ann@acme.example", ledger.DimTeam: "chat"}},
		"two teams' member":  {given: map[ledger.Dim]string{ledger.DimMember: "bob"}, want: map[ledger.Dim]string{ledger.DimMember: "bob"}},
		"with another team":  {given: map[ledger.Dim]string{ledger.DimProject: "p1", ledger.DimTeam: "search"}, wrong: `project "p1" belongs to team "ranking", and not to "search"`},
		"with another org":   {given: map[ledger.Dim]string{ledger.DimTeam: "search", ledger.DimOrg: "other"}, wrong: `team "search" belongs to org "acme"`},
		"an agent elsewhere": {given: map[ledger.Dim]string{ledger.DimAgent: "sub", ledger.DimProject: "p2"}, wrong: `agent "sub" belongs to project "p1"`},
	} {
		t.Run(name, func(t *testing.T) {
			var d, want ledger.Dimensions
			for dim, v := range c.given {
				d.Values[dim] = v
			}
			for dim, v := range c.want {
				want.Values[dim] = v
			}
			err := s.Complete(&d)
			switch {
			case c.wrong != "":
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("%v, want %q", err, c.wrong)
				}
			case err != nil:
				t.Error(err)
			case d.Values != want.Values:
				t.Errorf("got %v, want %v", d.Values, want.Values)
			}
		})
	}
	follows := ledger.Dimensions{}
	follows.Values[ledger.DimMember] = "ann@acme.example"
	if err := s.Follow(&follows); err != nil || follows.Values[ledger.DimTeam] != "" || follows.Values[ledger.DimOrg] != "" {
		t.Errorf("of a member follows %v, %v, though a request of theirs may be of another team", follows.Values, err)
	}
	if r := s.Route("fast"); r == nil || !r.Alias() || r.Candidates()[0].Model != "gpt-5-mini" || r.Candidates()[0].Upstream != "openai" {
		t.Errorf("the route is %+v", r)
	}
}

func TestPoliciesAreCompiledTogether(t *testing.T) {
	s, err := Compile(directoryOf(t), nil)
	if err != nil || s.Policies().Len() != 0 {
		t.Errorf("without policies: %v, %v", s.Policies(), err)
	}
	s, err = Compile(directoryOf(t,
		[3]string{"policy", "Late@x", `{"priority":1,"rules":[{"id":"r","outcome":"deny"}]}`},
		[3]string{"policy", "early:1", `{"mode":"shadow","rules":[{"id":"r","outcome":"warn"}]}`},
	), nil)
	if err != nil || s.Policies().Len() != 2 {
		t.Fatalf("%v, %v", s, err)
	}
	in, err := (&policy.Facts{Time: "2026-11-26T12:00:00Z"}).Input()
	if err != nil {
		t.Fatal(err)
	}
	if d := s.Policies().Decide(in); d.Denied == nil || d.Denied.Policy != "Late@x" || len(d.Rulings) != 2 || d.Rulings[0].Policy != "early:1" {
		t.Errorf("%+v", d)
	}
}

func TestASpecIsReadStrictlyAndWrittenTheSame(t *testing.T) {
	for kind, specs := range map[string][]string{
		"org":     {`{}`, `{"name":"Acme","description":"d"}`},
		"team":    {`{"org":"acme","parent":"p","name":"n"}`},
		"project": {`{"org":"o","team":"t"}`},
		"member":  {`{"org":"o","teams":["a","b"],"email":"a@b"}`},
		"agent":   {`{"team":"t","project":"p","parent":"a","owner":"m"}`},
		"policy":  {`{"rules":[{"id":"r","outcome":"deny"}]}`, `{"priority":1,"mode":"shadow","match":{"key":["k"],"team":["a","b"]},"rules":[{"id":"r","when":{"times":[{"days":["mon"]}],"over":{"n":0,"cost_usd":0.25},"cel":"true"},"outcome":"rewrite","set":{"temperature":0}}]}`},
		"route":   {`{"model":"m","upstream":"u"}`},
		"redaction": {`{}`, `{"description":"d","match":{"team":["a"]},"mode":"shadow","direction":"both","detectors":["secrets","EMAIL"],"action":"tokenise","overrides":{"CREDIT_CARD":{"action":"mask","keep_last":4}},` +
			`"custom":[{"name":"STAFF","regex":"E[0-9]{6}","context":["staff"]}],"exceptions":[{"entity":"EMAIL","value":"a@b.de"}]}`, `{"hook":{"name":"ner","fail_open":true}}`},
	} {
		k, ok := KindOf(kind)
		if !ok {
			t.Fatal(kind)
		}
		for _, text := range specs {
			spec, err := k.Decode([]byte(text))
			if err != nil {
				t.Fatalf("%s %s: %v", kind, text, err)
			}
			if b, err := Encode(spec); err != nil || string(b) != text {
				t.Errorf("%s %s is written %s, %v", kind, text, b, err)
			}
		}
	}
	for what, c := range map[string]struct{ kind, spec, says string }{
		"unknown field":   {"org", `{"nmae":"x"}`, "nmae"},
		"a type":          {"org", `{"name":7}`, `field "name" has a number, and takes a text`},
		"a list":          {"member", `{"teams":"x"}`, `field "teams" has a string, and takes a list`},
		"a floor":         {"loop", `{"burn_floor":"much"}`, "burn_floor"},
		"no object":       {"org", `[]`, "array"},
		"two values":      {"org", `{} {}`, "more than one"},
		"cut short":       {"org", `{`, "EOF"},
		"too long":        {"org", `{"name":"` + strings.Repeat("x", maxText+1) + `"}`, "512"},
		"far too long":    {"org", `{"name":"` + strings.Repeat("x", directory.MaxSpec) + `"}`, "65536"},
		"two lines":       {"org", `{"name":"a\nb"}`, "control"},
		"an id that isnt": {"team", `{"org":"a/b"}`, "org: id"},
		"no address":      {"member", `{"email":"ann"}`, "no address"},
		"no rules":        {"policy", `{}`, "rules: there are 0"},
		"cel":             {"policy", `{"rules":[{"id":"r","outcome":"deny","when":{"cel":"modle == 'x'"}}]}`, "rules[0] (r): when.cel: 1:1: undeclared reference to 'modle'"},
		"an id inside":    {"policy", `{"id":"p","rules":[{"id":"r","outcome":"deny"}]}`, "unknown field"},
		"no model":        {"route", `{}`, "model is missing"},
		"a bad pattern":   {"redaction", `{"custom":[{"name":"X","regex":"("}]}`, "custom[0]"},
		"no such action":  {"redaction", `{"action":"burn"}`, "action is not"},
		"too many teams":  {"member", `{"teams":["a"` + strings.Repeat(`,"a"`, directory.MaxRefs) + `]}`, "the most is 256"},
	} {
		k, _ := KindOf(c.kind)
		if _, err := k.Decode([]byte(c.spec)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q in it", what, err, c.says)
		}
	}
}

func TestASpecThatThisBuildCannotReadIsNoSnapshot(t *testing.T) {
	s := directory.New()
	s.Apply(1, directory.PutObject{Ref: directory.Ref{Kind: directory.ObjectRoute, ID: "fast"}, Spec: []byte(`{"model":"m","later":1}`)})
	if _, err := Compile(s, nil); err == nil || !strings.Contains(err.Error(), "route fast") {
		t.Errorf("%v", err)
	}
}

// TestAKindOfALaterBuildIsNoSnapshot: what its objects forbid is not known.
func TestAKindOfALaterBuildIsNoSnapshot(t *testing.T) {
	s := directory.New()
	for kind := directory.ObjectKind(1); kind < 32; kind++ {
		ref := directory.Ref{Kind: kind, ID: "x"}
		if _, ok := kindNumbered(kind); ok {
			continue // of this build
		}
		s.Apply(1, directory.PutObject{Ref: ref, Spec: []byte(`{}`)})
		_, err := Compile(s, nil)
		if known := kind == directory.ObjectCredential || kind == directory.ObjectAdminToken; known != (err == nil) {
			t.Errorf("kind %d: %v", kind, err)
		}
		s.Apply(1, directory.DeleteObject{Ref: ref, Expect: directory.AnyVersion})
	}
}

// TestWhatHasNotChangedIsNotReadAgain: snapshots made after one another are those that
// are made of the directory alone, whatever was put and deleted, unreadable objects
// among it; and what did not change is the same.
func TestWhatHasNotChangedIsNotReadAgain(t *testing.T) {
	s := directory.New()
	random := rand.New(rand.NewPCG(7, 7))
	policy := `{"priority":%d,"rules":[{"id":"r","when":{"cel":"request.temperature > 0.%d"},"outcome":"deny"}]}`
	specs := map[directory.ObjectKind]string{
		directory.ObjectOrg: `{"name":"o%d"}`, directory.ObjectTeam: `{"name":"t%d"}`, directory.ObjectMember: `{"name":"m%d"}`, directory.ObjectAgent: `{"name":"a%d"}`,
		directory.ObjectProject: `{"name":"p%d"}`, directory.ObjectRoute: `{"model":"m%d"}`, directory.ObjectLoop: `{"repeats":%d}`,
		directory.ObjectRedaction: `{"description":"%d","detectors":["CREDIT_CARD"],"action":"block"}`, directory.ObjectPolicy: policy,
	}
	kinds := slices.Sorted(maps.Keys(specs))
	var last *Snapshot
	shared, unreadable := 0, 0
	for i := range 400 {
		ref := directory.Ref{Kind: kinds[random.IntN(len(kinds))], ID: fmt.Sprint("x", random.IntN(3))}
		spec := strings.ReplaceAll(specs[ref.Kind], "%d", fmt.Sprint(3+random.IntN(5)))
		if random.IntN(20) == 0 {
			spec = `{"later":1}`
		}
		if random.IntN(4) == 0 || unreadable > 0 && random.IntN(2) == 0 {
			s.Apply(1, directory.DeleteObject{Ref: ref, Expect: directory.AnyVersion})
		} else {
			s.Apply(1, directory.PutObject{Ref: ref, Expect: directory.AnyVersion, Spec: []byte(spec)})
		}
		want, wantErr := Compile(s, nil)
		got, err := Compile(s, last)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("step %d: %v, and of the directory alone %v", i, err, wantErr)
		}
		if err != nil {
			unreadable++
			continue
		}
		unreadable = 0
		if got.Policies().Len() != want.Policies().Len() || got.Policies() != nil && got.Policies().ReadsSampling() != want.Policies().ReadsSampling() ||
			!reflect.DeepEqual(got.redactions, want.redactions) || !reflect.DeepEqual(got.loops, want.loops) ||
			!reflect.DeepEqual(got.teams, want.teams) || !reflect.DeepEqual(got.agents, want.agents) || !reflect.DeepEqual(got.members, want.members) ||
			!reflect.DeepEqual(got.projects, want.projects) || !reflect.DeepEqual(got.routes, want.routes) || !reflect.DeepEqual(got.read, want.read) {
			t.Fatalf("step %d: a snapshot after another is not that of the directory alone", i)
		}
		if last != nil && ref.Kind != directory.ObjectPolicy && got.policies != nil && got.policies == last.policies {
			shared++
		}
		last = got
	}
	if shared < 100 {
		t.Errorf("policies were kept %d times", shared)
	}
}

func TestKindsComeAfterThoseTheyReferTo(t *testing.T) {
	seen := map[directory.ObjectKind]bool{}
	for _, k := range Kinds {
		seen[k.Number] = true
		if got, ok := KindOf(k.Plural); !ok || got.Number != k.Number || k.Name == k.Plural {
			t.Errorf("%s is not found by its plural", k.Name)
		}
	}
	for kind, spec := range map[string]string{
		"team": `{"org":"o","parent":"t"}`, "project": `{"org":"o","team":"t"}`, "member": `{"org":"o","teams":["t"]}`,
		"agent": `{"team":"t","project":"p","owner":"m","parent":"a"}`,
	} {
		k, _ := KindOf(kind)
		s, err := k.Decode([]byte(spec))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range s.Refs() {
			of, ok := kindNumbered(r.Kind)
			if !ok || of.Number > k.Number {
				t.Errorf("%s refers to %s, which comes after it", kind, Named(r))
			}
		}
	}
}
