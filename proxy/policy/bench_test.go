package policy_test

import (
	"strings"
	"testing"

	"purser/proxy/policy"
)

// tenPolicies are of each form, and none denies.
const tenPolicies = `policies:
  a: {rules: [{id: office, outcome: deny, unless: {addresses: [10.0.0.0/8, 192.168.0.0/16, "2001:db8::/32"]}}]}
  b: {rules: [{id: models, outcome: deny, unless: {models: ["gpt-4o*", "claude-*", "gemini-*"]}}]}
  c: {rules: [{id: hours, outcome: deny, when: {times: [{days: [sat, sun], zone: Europe/Berlin}]}}]}
  d: {rules: [{id: size, outcome: deny, when: {over: {max_output_tokens: 20000, tools: 100, input_bytes: 1000000}}}]}
  e: {rules: [{id: cost, outcome: deny, when: {over: {cost_usd: 1}}}]}
  f: {rules: [{id: tags, outcome: deny, when: {missing: [team]}}]}
  g: {match: {team: [search]}, rules: [{id: out, outcome: rewrite, set: {max_output_tokens: 16384}}]}
  h: {rules: [{id: providers, outcome: deny, when: {providers: [deepseek, "x*"]}}]}
  i: {mode: shadow, rules: [{id: stream, outcome: deny, when: {stream: false, endpoints: ["/v1/messages"]}}]}
  j: {rules: [{id: cel, outcome: deny, when: {cel: 'model.startsWith("o3") && dims.team != "research"'}}]}
`

const tenthRequest = "{" + noon + ", model: gpt-4o-mini, address: 10.1.2.3, max_output_tokens: 1000, input_bytes: 3000, dims: {team: search}, route: {provider: openai, upstream: up}, input_tokens: 900, cost_usd: 0.01}"

func BenchmarkDecideTenPolicies(b *testing.B) {
	set, in := compile(b, tenPolicies), facts(b, tenthRequest)
	b.ReportAllocs()
	for b.Loop() {
		if d := set.Decide(in); d.Denied != nil {
			b.Fatal(d.Denied)
		}
	}
}

// BenchmarkDecideOneOfManyPolicies: of 1000 policies one is for the request's team.
func BenchmarkDecideOneOfManyPolicies(b *testing.B) {
	var specs []policy.Spec
	for i := range 1000 {
		specs = append(specs, policy.Spec{
			ID: policyName(i), Match: map[string][]string{"team": {policyName(i)}},
			Rules: []policy.RuleSpec{{ID: "r", Outcome: policy.Deny, When: &policy.Condition{Models: []string{"o3"}}}},
		})
	}
	set, err := policy.Compile(specs)
	if err != nil {
		b.Fatal(err)
	}
	in := facts(b, "{"+noon+", model: gpt-4o, dims: {team: "+policyName(500)+"}}")
	b.ReportAllocs()
	for b.Loop() {
		if d := set.Decide(in); d.Denied != nil {
			b.Fatal(d.Denied)
		}
	}
}

func policyName(i int) string {
	return "p" + string([]byte{byte('0' + i/100), byte('0' + i/10%10), byte('0' + i%10)})
}

func BenchmarkCompileTenPolicies(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		compile(b, tenPolicies)
	}
}

// TestDecidingAllocatesLittle: nothing without an expression, and little with one.
func TestDecidingAllocatesLittle(t *testing.T) {
	set, in := compile(t, tenPolicies), facts(t, tenthRequest)
	if n := testing.AllocsPerRun(100, func() { set.Decide(in) }); n > 20 {
		t.Errorf("ten policies with an expression allocate %v times", n)
	}
	plain := compile(t, tenPolicies[:strings.Index(tenPolicies, "  j: ")])
	if n := testing.AllocsPerRun(100, func() { plain.Decide(in) }); n != 0 || plain.Len() != 9 {
		t.Errorf("%d policies without an expression allocate %v times", plain.Len(), n)
	}
}
