package desired

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// testKinds are orgs, and teams that may be below another.
func testKinds() []Kind {
	normal := func(_ string, spec json.RawMessage) (json.RawMessage, error) {
		var m map[string]any
		if err := json.Unmarshal(spec, &m); err != nil {
			return nil, err
		}
		if _, bad := m["bad"]; bad {
			return nil, errors.New("bad is no field")
		}
		return json.Marshal(m)
	}
	return []Kind{
		{Plural: "orgs", Normal: normal},
		{Plural: "teams", Normal: normal, After: func(spec json.RawMessage) []string {
			var m struct{ Parent string }
			if json.Unmarshal(spec, &m) != nil || m.Parent == "" {
				return nil
			}
			return []string{m.Parent}
		}},
	}
}

func TestAPlanHasOnlyWhatDiffers(t *testing.T) {
	want, err := Parse([]byte(`
orgs:
  acme: {name: Acme}
teams:
  a: {parent: z}
  same: {}
  z:
`), testKinds())
	if err != nil {
		t.Fatal(err)
	}
	have := Held{
		"orgs":  {"acme": {Version: 3, Spec: json.RawMessage(`{"name":"Acne","x":1}`)}, "old": {Version: 4, Spec: json.RawMessage(`{}`)}},
		"teams": {"same": {Version: 5, Spec: json.RawMessage(`{}`)}, "p": {Version: 6, Spec: json.RawMessage(`{}`)}, "c": {Version: 7, Spec: json.RawMessage(`{"parent":"p"}`)}},
	}
	got := ""
	for _, s := range Plan(have, want, testKinds(), true) {
		got += s.String() + "\n"
	}
	const plan = `~ orgs acme
    name: "Acne" → "Acme"
    x: 1 → (none)
+ teams z {}
+ teams a {"parent":"z"}
- teams c
- teams p
- orgs old
`
	if got != plan {
		t.Errorf("the plan is\n%swant\n%s", got, plan)
	}
	for _, s := range Plan(have, want, testKinds(), false) {
		if s.Op == Delete {
			t.Errorf("without prune: %s", s.String())
		}
	}
	delete(want, "teams")
	for _, s := range Plan(have, want, testKinds(), true) {
		if s.Kind == "teams" {
			t.Errorf("a kind that the file does not have: %s", s.String())
		}
	}
}

func TestFilesThatSayNothingClearAreRefused(t *testing.T) {
	for says, file := range map[string]string{
		`"queues" is no kind`: "queues: {a: {}}",
		"teams t: bad":        "teams: {t: {bad: 1}}",
		"no map":              "- a",
		"already defined":     "orgs:\n  a: {}\n  a: {}\n",
		"cannot unmarshal":    "orgs: {a: 3}",
	} {
		if _, err := Parse([]byte(file), testKinds()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", file, err, says)
		}
	}
}

// carry carries a step out as a node would.
func carry(have Held, s Step, version uint64) error {
	item, exists := have[s.Kind][s.ID]
	if exists != (s.Op != Create) || s.Version != item.Version {
		return fmt.Errorf("%s of version %d, there is %d", s.String(), s.Version, item.Version)
	}
	if s.Op == Delete {
		for id, other := range have[s.Kind] {
			if slices.Contains(testKinds()[1].After(other.Spec), s.ID) && s.Kind == "teams" {
				return fmt.Errorf("%s: %s is below it", s.String(), id)
			}
		}
		delete(have[s.Kind], s.ID)
		return nil
	}
	if s.Kind == "teams" {
		for _, p := range testKinds()[1].After(s.After) {
			if _, ok := have["teams"][p]; !ok {
				return fmt.Errorf("%s: %s is not there", s.String(), p)
			}
		}
	}
	have[s.Kind][s.ID] = Item{Version: version, Spec: s.After}
	return nil
}

// drawSet draws teams, each below one that comes before it in a drawn order.
func drawSet(t *rapid.T, name string) Set {
	ids := rapid.Permutation([]string{"a", "b", "c", "d", "e"}).Draw(t, name)
	ids = ids[:rapid.IntRange(0, len(ids)).Draw(t, name+" teams")]
	out := Set{"teams": {}, "orgs": {}}
	for i, id := range ids {
		spec := `{}`
		if i > 0 && rapid.Bool().Draw(t, "below") {
			spec = `{"parent":"` + ids[rapid.IntRange(0, i-1).Draw(t, "parent")] + `"}`
		}
		out["teams"][id] = json.RawMessage(spec)
	}
	return out
}

func TestAPlanReachesTheFileAndIsThenEmpty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		have := Held{"teams": {}, "orgs": {}}
		for id, spec := range drawSet(t, "before")["teams"] {
			have["teams"][id] = Item{Version: 1, Spec: spec}
		}
		want := drawSet(t, "after")
		for _, s := range Plan(have, want, testKinds(), true) {
			if err := carry(have, s, 2); err != nil {
				t.Fatal(err)
			}
		}
		if rest := Plan(have, want, testKinds(), true); len(rest) != 0 {
			t.Fatalf("after the plan: %v", rest)
		}
		file, err := want.YAML(testKinds())
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(file, testKinds())
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if !maps.EqualFunc(again["teams"], want["teams"], func(a, b json.RawMessage) bool { return string(a) == string(b) }) {
			t.Fatalf("%s reads as %s", want["teams"], again["teams"])
		}
	})
}

func TestNumbersKeepTheirDigits(t *testing.T) {
	set := Set{"orgs": {"a": json.RawMessage(`{"big":9007199254740993,"exact":0.1,"fine":0.1234567890123456789,"list":[1,"x",{"y":null}],"text":"1.50"}`)}}
	file, err := set.YAML(testKinds())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"big: 9007199254740993\n", "exact: 0.1\n", `fine: "0.1234567890123456789"`, `text: "1.50"`} {
		if !strings.Contains(string(file), want) {
			t.Errorf("%q is not in\n%s", want, file)
		}
	}
}

func TestWhatCountsOnceIsNotCompared(t *testing.T) {
	kinds := []Kind{{Plural: "keys",
		Normal: func(_ string, b json.RawMessage) (json.RawMessage, error) { return b, nil },
		Shown:  func(json.RawMessage) json.RawMessage { return json.RawMessage(`{"name":"x"}`) },
	}}
	want := Set{"keys": {"a": json.RawMessage(`{"name":"x","once":"hush"}`)}}
	if steps := Plan(Held{"keys": {"a": {Version: 1, Spec: json.RawMessage(`{"name":"x"}`)}}}, want, kinds, true); len(steps) != 0 {
		t.Errorf("what is there already is to become %v", steps)
	}
	steps := Plan(Held{}, want, kinds, true)
	if len(steps) != 1 || string(steps[0].After) != `{"name":"x","once":"hush"}` || strings.Contains(steps[0].String(), "hush") {
		t.Errorf("making it is %+v, told as %s", steps, steps[0].String())
	}
}
