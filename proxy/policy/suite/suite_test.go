package suite

import (
	"os"
	"slices"
	"strings"
	"testing"

	"purser/proxy/policy"
)

// TestTheDocument: the policies, the request and the cases of docs/policies.md are
// what they say, and the document names every variable and field there is.
func TestTheDocument(t *testing.T) {
	text, err := os.ReadFile("../../../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for i, part := range strings.Split(string(text), "```") {
		if body, ok := strings.CutPrefix(part, "yaml\n"); ok && i%2 == 1 {
			blocks = append(blocks, body)
		}
	}
	if len(blocks) != 3 {
		t.Fatalf("%d blocks of YAML", len(blocks))
	}
	doc, err := Parse([]byte(blocks[0] + blocks[2]))
	if err != nil {
		t.Fatal(err)
	}
	set, err := policy.Compile(doc.Policies)
	if err != nil {
		t.Fatal(err)
	}
	results, err := Run(set, doc.Cases)
	if err != nil || len(results) != 2 {
		t.Fatalf("%d cases, %v", len(results), err)
	}
	for _, r := range results {
		if len(r.Wrong) > 0 {
			t.Errorf("%s: %v %+v", r.Case.Name, r.Wrong, r.Answer)
		}
	}
	f, err := ParseFacts([]byte(blocks[1]))
	if err != nil {
		t.Fatal(err)
	}
	if in, err := f.Input(); err != nil || in.Regions[0] != "eu" || in.Bounds != policy.Fixed(policy.Bound{Input: 1200, Cost: 20_000_000}) {
		t.Errorf("%+v, %v", in, err)
	}
	for _, name := range policy.Variables() {
		if dim, ok := strings.CutPrefix(name, "dims."); ok {
			name = "`" + dim + "`"
			if dim == "org" || dim == "team" {
				name = "`dims." + dim + "`"
			}
		} else {
			name = "`" + name + "`"
		}
		if !strings.Contains(string(text), name) {
			t.Errorf("docs/policies.md does not name the variable %s", name)
		}
	}
}

// TestACaseComparesWhatItHas, and says what is another.
func TestACaseComparesWhatItHas(t *testing.T) {
	const policies = "policies: {p: {rules: [{id: w, outcome: warn}, {id: n, outcome: rewrite, set: {n: 1}}, {id: d, outcome: deny, when: {models: [o3]}}]}, s: {mode: shadow, rules: [{id: d, outcome: deny}]}}\n"
	for expect, wrong := range map[string]string{
		"{decision: allow}": "",
		"{decision: deny}":  `decision is "allow", not "deny"`,
		"{decision: allow, warnings: [p/w], rewrites: [n=1]}": "",
		"{decision: allow, warnings: []}":                     `warnings are ["p/w"], not []`,
		"{decision: allow, rewrites: [n=2]}":                  `rewrites are ["n=1"], not ["n=2"]`,
		"{decision: allow, shadow: [s/d denied]}":             "",
		"{decision: allow, shadow: []}":                       `shadow are ["s/d denied"], not []`,
		"{decision: deny, policy: p, rule: d}":                `decision is "allow", not "deny"; policy is "", not "p"; rule is "", not "d"`,
	} {
		doc, err := Parse([]byte(policies + "cases: [{name: c, request: {time: '2026-11-26T12:00:00Z', n: 3}, expect: " + expect + "}]"))
		if err != nil {
			t.Fatal(err)
		}
		set, err := policy.Compile(doc.Policies)
		if err != nil {
			t.Fatal(err)
		}
		results, err := Run(set, doc.Cases)
		if err != nil || len(results) != 1 || strings.Join(results[0].Wrong, "; ") != wrong {
			t.Errorf("%s: %+v, %v", expect, results, err)
		}
	}
}

func TestWhatIsNoCase(t *testing.T) {
	set, err := policy.Compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	for text, says := range map[string]string{
		"cases: [{name: c, request: {time: now}, expect: {decision: allow}}]":                                               `case 0 (c): time: "now" is not a time`,
		"cases: [{name: c, request: {time: '2026-11-26T12:00:00Z'}, expect: {decision: maybe}}]":                            `expect.decision: "maybe" is not allow or deny`,
		"cases: [{name: c, request: {time: '2026-11-26T12:00:00Z', address: here}, expect: {decision: allow}}]":             `address: "here" is none`,
		"cases: [{name: c, request: {time: '2026-11-26T12:00:00Z', dims: {tem: x}}, expect: {decision: allow}}]":            "dims: ",
		"cases: [{name: c, request: {time: '2026-11-26T12:00:00Z', cost_usd: 1}, expect: {decision: allow}}]":               "go together",
		"cases: [{name: c, request: {time: '2026-11-26T12:00:00Z', cost_usd: -1, input_tokens: 1}, expect: {decision: a}}]": "cost_usd: ",
		"cases: [{name: c, reqest: {}}]": `unknown field "reqest"`,
		"cases: {a: b}":                  "mapping was used where sequence is expected",
		"cases: [":                       "[1:",
	} {
		doc, err := Parse([]byte(text))
		if err == nil {
			_, err = Run(set, doc.Cases)
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestOtherPartsOfAFileAreLeftAlone: of a file for purser apply the policies count.
func TestOtherPartsOfAFileAreLeftAlone(t *testing.T) {
	doc, err := Parse([]byte("orgs: {acme: {anything: at all}}\npolicies: {b: {rules: [{id: r, outcome: deny}]}, a: {rules: [{id: r, outcome: deny}]}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, p := range doc.Policies {
		ids = append(ids, p.ID)
	}
	if !slices.Equal(ids, []string{"a", "b"}) {
		t.Errorf("policies %v", ids)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("policies: {p: {match: {team: [a]}, rules: [{id: r, outcome: deny, when: {cel: 'model == \"x\"', over: {cost_usd: 0.5}}}]}}"))
	f.Add([]byte("cases: [{request: {time: '2026-11-26T12:00:00Z'}, expect: {decision: allow}}]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := Parse(b)
		if err != nil {
			return
		}
		set, err := policy.Compile(doc.Policies)
		if err != nil {
			return
		}
		in, err := (&policy.Facts{Time: "2026-11-26T12:00:00Z", Model: "gpt-4o"}).Input()
		if err != nil {
			t.Fatal(err)
		}
		if d := set.Decide(in); d.Denied != nil && d.Denied.Rule == "" {
			t.Fatalf("a denial without its rule: %q", b)
		}
	})
}
