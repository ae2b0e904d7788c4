package policy_test

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/policy"
	"purser/proxy/policy/suite"
)

func compile(t testing.TB, text string) *policy.Set {
	t.Helper()
	doc, err := suite.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	set, err := policy.Compile(doc.Policies)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func facts(t testing.TB, text string) *policy.Input {
	t.Helper()
	f, err := suite.ParseFacts([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	in, err := f.Input()
	if err != nil {
		t.Fatal(err)
	}
	return in
}

const noon = "time: '2026-11-26T12:00:00Z'"

func verdictFor(t *testing.T, policies, request string) verdict {
	t.Helper()
	d := compile(t, policies).Decide(facts(t, "{"+noon+", "+request+"}"))
	return verdictOf(&d)
}

// TestComposition: each sentence of docs/policies.md on how policies compose.
func TestComposition(t *testing.T) {
	for name, c := range map[string]struct {
		policies, denied string
		did              []string
	}{
		"lower priority first": {
			"policies: {a: {priority: 2, rules: [{id: r, outcome: deny}]}, b: {priority: 1, rules: [{id: r, outcome: deny}]}}",
			"b/r", []string{"b/r denied"}},
		"then by id": {
			"policies: {b: {rules: [{id: r, outcome: deny}]}, a: {rules: [{id: r, outcome: deny}]}}",
			"a/r", []string{"a/r denied"}},
		"an allow ends its policy only": {
			"policies: {a: {rules: [{id: ok, outcome: allow}, {id: no, outcome: deny}]}, b: {rules: [{id: no, outcome: deny}]}}",
			"b/no", []string{"b/no denied"}},
		"a policy that ends denies nothing": {
			"policies: {a: {rules: [{id: w, outcome: warn}]}}", "", []string{"a/w warned"}},
		"an allow-list denies what no entry fits": {
			"policies: {a: {rules: [{id: only, outcome: deny, unless: {models: ['claude-*']}}]}}", "a/only", []string{"a/only denied"}},
		"and not what one does": {
			"policies: {a: {rules: [{id: only, outcome: deny, unless: {models: ['gpt-*']}}]}}", "", nil},
		"shadow does nothing, and is told": {
			"policies: {a: {mode: shadow, rules: [{id: w, outcome: warn}, {id: r, outcome: deny}, {id: after, outcome: warn}]}}",
			"", []string{"~a/w warned", "~a/r denied"}},
		"what cannot be decided denies": {
			`policies: {a: {rules: [{id: r, outcome: warn, when: {cel: 'tags["x"] == "y"'}}]}}`, "a/r", []string{"a/r undecided"}},
		"in shadow it does nothing": {
			`policies: {a: {mode: shadow, rules: [{id: r, outcome: deny, when: {cel: '1 / (request.n - 1) == 1'}}]}}`, "", []string{"~a/r undecided"}},
		"another part of the condition may decide": {
			`policies: {a: {rules: [{id: r, outcome: deny, when: {models: [o3], cel: 'tags["x"] == "y"'}}]}}`, "", nil},
		"a rewrite holds for the rules after it": {
			"policies: {a: {rules: [{id: r, outcome: rewrite, set: {max_output_tokens: 10}}]}, b: {rules: [{id: r, outcome: deny, when: {over: {max_output_tokens: 10}}}]}}",
			"", []string{"a/r rewrote"}},
		"of a shadow policy it does not": {
			"policies: {a: {mode: shadow, rules: [{id: r, outcome: rewrite, set: {max_output_tokens: 10}}]}, b: {rules: [{id: r, outcome: deny, when: {over: {max_output_tokens: 10}}}]}}",
			"b/r", []string{"~a/r rewrote", "b/r denied"}},
		"of two rewrites the lower counts": {
			"policies: {a: {rules: [{id: r, outcome: rewrite, set: {max_output_tokens: 10}}, {id: s, outcome: rewrite, set: {max_output_tokens: 20}}]}}",
			"", []string{"a/r rewrote"}},
	} {
		if got := verdictFor(t, c.policies, "model: gpt-4o, max_output_tokens: 100"); got.denied != c.denied || !slices.Equal(got.did, c.did) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestADoubtCountsAgainstTheCaller: of several regions in which the provider may
// process the call, a denial applies with one, an allow and an exception with all.
func TestADoubtCountsAgainstTheCaller(t *testing.T) {
	for name, c := range map[string]struct {
		rule, regions, want string
	}{
		"deny-list, one fits":      {"outcome: deny, when: {regions: [us*]}", "[eu, us]", "p/r denied"},
		"deny-list, none fits":     {"outcome: deny, when: {regions: [us*]}", "[eu]", ""},
		"deny-list, not known":     {"outcome: deny, when: {regions: [us*]}", "[]", "p/r undecided"},
		"allow-list, one fits":     {"outcome: deny, unless: {regions: [eu*]}", "[eu, us]", "p/r denied"},
		"allow-list, all fit":      {"outcome: deny, unless: {regions: [eu*]}", "[eu, eu-2]", ""},
		"allow-list, one unknown":  {"outcome: deny, unless: {regions: [eu*]}", "[eu, '']", "p/r undecided"},
		"allow, one fits":          {"outcome: allow, when: {regions: [eu*]}", "[eu, us]", "p/z denied"},
		"allow, all fit":           {"outcome: allow, when: {regions: [eu*]}", "[eu]", ""},
		"any region, also unknown": {"outcome: allow, when: {regions: ['*']}", "[]", ""},
	} {
		got := verdictFor(t, "policies: {p: {rules: [{id: r, "+c.rule+"}, {id: z, outcome: deny, when: {cel: '"+fmt.Sprint(strings.Contains(c.rule, "outcome: allow"))+"'}}]}}", "route: {regions: "+c.regions+"}")
		if strings.Join(got.did, " ") != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestTheBoundIsTightenedOnlyWhereItDenies: and the tightest one counts.
func TestTheBoundIsTightenedOnlyWhereItDenies(t *testing.T) {
	for name, c := range map[string]struct {
		rule   string
		denied bool
		asked  int // how many steps were taken
	}{
		"the cheapest fits":      {"outcome: deny, when: {over: {input_tokens: 5000}}", false, 1},
		"the second fits":        {"outcome: deny, when: {over: {input_tokens: 500}}", false, 2},
		"none fits":              {"outcome: deny, when: {over: {input_tokens: 50}}", true, 3},
		"an allow by the second": {"outcome: allow, when: {cel: 'tokens.input_max < 600'}", false, 2},
		"no bound is needed":     {"outcome: deny, when: {models: [o3], over: {input_tokens: 5}}", false, 0},
	} {
		set := compile(t, "policies: {p: {rules: [{id: r, "+c.rule+"}]}}")
		in := facts(t, "{"+noon+", model: gpt-4o}")
		b := &counting{bounder: bounder{{1000}, {500}, {100}}}
		in.Bounds = b
		if d := set.Decide(in); (d.Denied != nil) != c.denied || len(b.asked) != c.asked {
			t.Errorf("%s: denied by %+v, steps %v", name, d.Denied, b.asked)
		}
	}
}

// TestARewriteLowersTheCost: also of a request whose cost was asked for before.
func TestARewriteLowersTheCost(t *testing.T) {
	set := compile(t, `policies:
  a: {rules: [{id: dear, outcome: warn, when: {over: {cost_usd: 0.01}}}, {id: short, outcome: rewrite, set: {max_output_tokens: 10}}]}
  b: {rules: [{id: cap, outcome: deny, when: {over: {cost_usd: 0.01}}}]}`)
	in := facts(t, "{"+noon+", max_output_tokens: 5000}")
	in.Bounds = bounder{{1000}}
	d := set.Decide(in)
	if got := verdictOf(&d); got.denied != "" || !slices.Equal(got.did, []string{"a/dear warned", "a/short rewrote"}) {
		t.Errorf("%+v", got)
	}
}

// TestAShadowTightensNoBoundForOthers: an exception for large prompts holds by the
// bound that is in use, whatever a shadow has asked for before.
func TestAShadowTightensNoBoundForOthers(t *testing.T) {
	const rule = "b: {rules: [{id: small, outcome: deny, unless: {over: {input_tokens: 600}}}]}"
	for name, policies := range map[string]string{
		"alone": rule, "after a shadow": "a: {mode: shadow, rules: [{id: r, outcome: deny, when: {over: {input_tokens: 50}}}]}, " + rule,
	} {
		in := facts(t, "{"+noon+"}")
		in.Bounds = bounder{{1000}, {500}}
		if d := compile(t, "policies: {"+policies+"}").Decide(in); d.Denied != nil {
			t.Errorf("%s: denied by %+v", name, d.Denied)
		}
	}
}

type counting struct {
	bounder
	asked map[int]bool
}

func (c *counting) Bound(i int, p policy.Params) (policy.Bound, bool) {
	if c.asked == nil {
		c.asked = map[int]bool{}
	}
	c.asked[i] = true
	return c.bounder.Bound(i, p)
}

// TestAnExpressionIsStoppedAtItsLimit: facts beyond what the estimate was made for
// make it cost more, and that is no.
func TestAnExpressionIsStoppedAtItsLimit(t *testing.T) {
	set := compile(t, `policies: {p: {rules: [{id: r, outcome: warn, when: {cel: 'request.model.matches("^(a|b)*c$")'}}]}}`)
	in := facts(t, "{"+noon+", model: "+strings.Repeat("ab", 100)+"}")
	if d := set.Decide(in); d.Denied != nil {
		t.Fatalf("a name of usual length: %+v", d.Denied)
	}
	in.Model = strings.Repeat("ab", 500_000)
	d, steps := set.Explain(in)
	if d.Denied == nil || d.Denied.Effect != record.PolicyUndecided || !strings.Contains(steps[0].Why, "cost limit exceeded") {
		t.Errorf("decided %+v, %+v", d.Denied, steps)
	}
}

func TestRewriteOfWhatTakesNoCapDenies(t *testing.T) {
	set := compile(t, "policies: {p: {rules: [{id: r, outcome: rewrite, set: {max_output_tokens: 10}}]}}")
	in := facts(t, "{"+noon+", max_output_tokens: 100}")
	in.Uncapped = true
	if d := set.Decide(in); d.Denied == nil || d.Denied.Effect != record.PolicyUndecided {
		t.Errorf("%+v", d)
	}
}

func TestUnreadableParametersAreAboveAnyLimit(t *testing.T) {
	set := compile(t, "policies: {p: {rules: [{id: r, outcome: rewrite, set: {temperature: 0.5}}, {id: d, outcome: deny, when: {over: {top_p: 1}}}]}}")
	in := facts(t, "{"+noon+"}")
	in.Params.Temperature = policy.Unreadable
	if d := set.Decide(in); d.Denied != nil || d.Params.Temperature != 0.5 {
		t.Errorf("%+v", d)
	}
	in.Params.TopP = math.Inf(1)
	if d := set.Decide(in); d.Denied == nil || !set.ReadsSampling() {
		t.Errorf("%+v", d)
	}
}

func TestWhoReadsSampling(t *testing.T) {
	for rule, want := range map[string]bool{
		"outcome: deny": false,
		"outcome: deny, when: {cel: 'request.n > 1'}":                                               false,
		"outcome: deny, when: {cel: 'model == \"a\" || request.top_p > 0.5'}":                       true,
		"outcome: deny, when: {over: {temperature: 1}}":                                             true,
		"outcome: deny, unless: {over: {top_p: 1}}":                                                 true,
		"outcome: rewrite, set: {temperature: 1}":                                                   true,
		"outcome: rewrite, set: {n: 1}, when: {cel: '[1,2].all(x, x > request.max_output_tokens)'}": false,
	} {
		if got := compile(t, "policies: {p: {rules: [{id: r, "+rule+"}]}}").ReadsSampling(); got != want {
			t.Errorf("%s: %v", rule, got)
		}
	}
}

// TestTheDenialIsAmongManyRulings: however much was told before.
func TestTheDenialIsAmongManyRulings(t *testing.T) {
	var specs []policy.Spec
	for i := range 40 {
		specs = append(specs, policy.Spec{ID: fmt.Sprintf("a%02d", i), Rules: []policy.RuleSpec{{ID: "w", Outcome: policy.Warn}}})
	}
	specs = append(specs, policy.Spec{ID: "z", Rules: []policy.RuleSpec{{ID: "no", Outcome: policy.Deny}}})
	set, err := policy.Compile(specs)
	if err != nil {
		t.Fatal(err)
	}
	d := set.Decide(facts(t, "{"+noon+"}"))
	if len(d.Rulings) != record.MaxRulings || d.Denied == nil || d.Denied.Policy != "z" || d.Rulings[record.MaxRulings-1].Policy != "z" {
		t.Errorf("%d rulings, denied by %+v", len(d.Rulings), d.Denied)
	}
}

// TestIndexFindsWhatMatches: the same policies as looking at each of them.
func TestIndexFindsWhatMatches(t *testing.T) {
	dims := []string{"key", "team", "customer", "tag:x", "model"}
	values := []string{"a", "b", "c"}
	rapid.Check(t, func(t *rapid.T) {
		var specs []policy.Spec
		for i := range rapid.IntRange(1, 12).Draw(t, "policies") {
			s := policy.Spec{ID: fmt.Sprint("p", i), Priority: rapid.IntRange(-2, 2).Draw(t, "priority"), Rules: []policy.RuleSpec{{ID: "w", Outcome: policy.Warn}}}
			s.Match = rapid.MapOfN(rapid.SampledFrom(dims), rapid.SliceOfN(rapid.SampledFrom(values), 1, 3), 0, 3).Draw(t, "match")
			specs = append(specs, s)
		}
		set, err := policy.Compile(specs)
		if err != nil {
			t.Fatal(err)
		}
		f := policy.Facts{Time: "2026-11-26T12:00:00Z", Dims: rapid.MapOf(rapid.SampledFrom(dims), rapid.SampledFrom(values)).Draw(t, "dims")}
		in, err := f.Input()
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		slices.SortFunc(specs, func(a, b policy.Spec) int {
			if a.Priority != b.Priority {
				return a.Priority - b.Priority
			}
			return strings.Compare(a.ID, b.ID)
		})
		for _, s := range specs {
			meant := true
			for d, v := range s.Match {
				meant = meant && slices.Contains(v, f.Dims[d])
			}
			if meant {
				want = append(want, s.ID+"/w warned")
			}
		}
		d := set.Decide(in)
		if got := verdictOf(&d).did; !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

// TestAddresses: IPv4 written as IPv6 is IPv4, in ranges and in requests, and zones do
// not count.
func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		list, address string
		in            bool
	}{
		{"10.0.0.0/8", "10.1.2.3", true}, {"10.0.0.0/8", "::ffff:10.1.2.3", true}, {"::ffff:10.0.0.0/104", "10.1.2.3", true},
		{"::ffff:10.0.0.1", "10.0.0.1", true}, {"10.0.0.0/8", "11.0.0.1", false}, {"0.0.0.0/0", "::1", false}, {"::/0", "10.0.0.1", false},
		{"fe80::/10", "fe80::1%eth0", true}, {"2001:db8::1", "2001:db8::1", true}, {"0.0.0.0/0", "255.255.255.255", true},
	} {
		set := compile(t, "policies: {p: {rules: [{id: r, outcome: deny, when: {addresses: ['"+c.list+"']}}]}}")
		in := facts(t, "{"+noon+"}")
		in.Address = netip.MustParseAddr(c.address)
		if d := set.Decide(in); (d.Denied != nil) != c.in {
			t.Errorf("%s in %s: %v", c.address, c.list, d.Denied != nil)
		}
	}
}

// TestWindows: to the second, over midnight and where clocks change.
func TestWindows(t *testing.T) {
	const office, night, gone, twice = "{days: [mon-fri], from: '09:00', to: '17:00', zone: Europe/Berlin}",
		"{days: [fri], from: '22:00', to: '06:00', zone: Europe/Berlin}",
		"{from: '02:00', to: '03:00', zone: Europe/Berlin}", "{days: [sun], from: '02:30', to: '03:00', zone: Europe/Berlin}"
	for _, c := range []struct {
		window, at string
		in         bool
	}{
		{office, "2026-11-26T08:00:00Z", true}, {office, "2026-11-26T07:59:59Z", false}, {office, "2026-11-26T15:59:59Z", true}, {office, "2026-11-26T16:00:00Z", false},
		{office, "2026-07-01T07:00:00Z", true}, {office, "2026-07-01T15:00:00Z", false}, {office, "2026-11-28T10:00:00Z", false},
		{night, "2026-11-27T21:00:00Z", true}, {night, "2026-11-28T04:59:59Z", true}, {night, "2026-11-28T05:00:00Z", false}, {night, "2026-11-27T04:00:00Z", false}, {night, "2026-11-28T22:00:00Z", false},
		{gone, "2026-03-29T00:59:59Z", false}, {gone, "2026-03-29T01:00:00Z", false}, // 02:00 is 03:00 that night
		{twice, "2026-10-25T00:45:00Z", true}, {twice, "2026-10-25T01:15:00Z", false}, {twice, "2026-10-25T01:45:00Z", true},
		{"{days: [sat-sun]}", "2026-11-29T23:59:59Z", true}, {"{days: [sat-sun]}", "2026-11-30T00:00:00Z", false},
		{"{from: '23:00', to: '24:00'}", "2026-11-26T23:59:59Z", true}, {"{from: '23:00', to: '24:00'}", "2026-11-27T00:00:00Z", false},
		{"{from: '23:00', to: '00:00'}", "2026-11-26T23:30:00Z", true},
	} {
		set := compile(t, "policies: {p: {rules: [{id: r, outcome: deny, when: {times: ["+c.window+"]}}]}}")
		if d := set.Decide(facts(t, "{time: '"+c.at+"'}")); (d.Denied != nil) != c.in {
			t.Errorf("%s in %s: %v", c.at, c.window, d.Denied != nil)
		}
	}
}

// TestPatternsAreLinear: a pattern of many stars is no way to keep a node busy.
func TestPatternsAreLinear(t *testing.T) {
	set := compile(t, "policies: {p: {rules: [{id: r, outcome: deny, when: {models: ['"+strings.Repeat("*a", 100)+"*b']}}]}}")
	in := facts(t, "{"+noon+"}")
	in.Model = strings.Repeat("a", ledger.MaxDimValue)
	if d := set.Decide(in); d.Denied != nil { // would not end in this life if it were exponential
		t.Error("it fits")
	}
}

func TestExplain(t *testing.T) {
	set := compile(t, `policies:
  a: {match: {team: [ads]}, rules: [{id: r, outcome: deny}]}
  b: {rules: [{id: big, outcome: deny, when: {over: {input_tokens: 100}}}, {id: where, outcome: deny, unless: {addresses: [10.0.0.0/8]}}, {id: never, outcome: warn}]}
  c: {rules: [{id: r, outcome: warn}]}`)
	in := facts(t, "{"+noon+", address: 8.8.8.8, dims: {team: search}}")
	in.Bounds = bounder{{500}, {50}}
	d, steps := set.Explain(in)
	var got []string
	for _, s := range steps {
		got = append(got, strings.Join([]string{s.Policy, s.Rule, string(s.Result), s.Why}, "|"))
	}
	want := []string{
		`a||unmatched|team is "search", none of the policy's`,
		`b|big|not|no limit is exceeded`,
		`b|where|applied|unless:; address 8.8.8.8 is in none of 1 ranges`,
		`c||not_reached|the request is denied`,
	}
	if !slices.Equal(got, want) || d.Denied == nil || d.Denied.Rule != "where" {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}
