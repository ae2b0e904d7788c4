package policy_test

import (
	"strings"
	"testing"

	"purser/proxy/policy"
	"purser/proxy/policy/suite"
)

// TestBadPoliciesAreRefused: with where the fault is, and for expressions with the
// line and column.
func TestBadPoliciesAreRefused(t *testing.T) {
	rule := func(r string) string { return "  p: {rules: [{id: r, outcome: deny, " + r + "}]}" }
	cel := func(e string) string { return rule("when: {cel: '" + e + "'}") }
	long := strings.Repeat("x", 600)
	for name, c := range map[string]struct{ policies, says string }{
		"odd id":                       {"  a/b: {rules: [{id: r, outcome: deny}]}", "policy a/b: id \"a/b\" is not"},
		"long id":                      {"  " + long + ": {rules: [{id: r, outcome: deny}]}", "id \"xxx"},
		"odd id of a rule":             {"  p: {rules: [{id: 'a b', outcome: deny}]}", "rules[0] (a b): id \"a b\""},
		"id twice":                     {"  p: {rules: [{id: r, outcome: deny}]}\n  p: {rules: [{id: r, outcome: deny}]}", "mapping key \"p\" already defined"},
		"rule twice":                   {"  p: {rules: [{id: r, outcome: deny}, {id: r, outcome: warn}]}", "rules[1]: the id r is there twice"},
		"no rules":                     {"  p: {}", "rules: there are 0, not 1 to 64"},
		"no outcome":                   {"  p: {rules: [{id: r}]}", `outcome: "" is not allow, deny, warn or rewrite`},
		"mode":                         {"  p: {mode: off, rules: [{id: r, outcome: deny}]}", `mode: "off" is not enforce or shadow`},
		"priority":                     {"  p: {priority: 1001, rules: [{id: r, outcome: deny}]}", "priority: 1001 is not within"},
		"match of an unknown dim":      {"  p: {match: {tem: [a]}, rules: [{id: r, outcome: deny}]}", "match: "},
		"match without values":         {"  p: {match: {team: []}, rules: [{id: r, outcome: deny}]}", "match: team: has 0 entries"},
		"long message":                 {rule("message: " + long), "message: is longer than 512 bytes"},
		"message with a line break":    {rule(`message: "a\nb"`), "message: is longer"},
		"empty condition":              {rule("when: {}"), "when.condition: says nothing"},
		"empty exception":              {rule("unless: {}"), "unless.condition: says nothing"},
		"empty list":                   {rule("when: {models: []}"), "when.models: has 0 entries, not 1 to 256"},
		"empty pattern":                {rule("when: {models: [\"\"]}"), "when.models: [0] is empty"},
		"long pattern":                 {rule("when: {models: [" + long + "]}"), "when.models: [0] is empty, longer than 256"},
		"too many entries":             {rule("when: {models: [" + strings.Repeat("a,", 257) + "a]}"), "when.models: has 258 entries"},
		"no address":                   {rule("when: {addresses: [10.0.0]}"), `when.addresses: [0]: "10.0.0" is no address`},
		"no range":                     {rule("when: {addresses: [10.0.0.0/33]}"), "is no range of addresses"},
		"range with bits after it":     {rule("when: {addresses: [10.0.0.1/8]}"), "has bits after its range; write 10.0.0.0/8"},
		"address with a zone":          {rule("when: {addresses: [\"fe80::1%eth0\"]}"), "is no address"},
		"unknown zone":                 {rule("when: {times: [{zone: Europe/Berlinn}]}"), `when.times: [0]: zone "Europe/Berlinn" is no time zone`},
		"zone of the machine":          {rule("when: {times: [{zone: Local}]}"), "is no time zone"},
		"zone that is a path":          {rule("when: {times: [{zone: ../../etc/passwd}]}"), "is no time zone"},
		"unknown day":                  {rule("when: {times: [{days: [monday]}]}"), `days: "monday" is none of`},
		"time without colon":           {rule("when: {times: [{from: \"9\", to: \"17:00\"}]}"), `from: "9" is no time of the day`},
		"time after midnight":          {rule("when: {times: [{from: \"09:00\", to: \"24:01\"}]}"), "to: "},
		"from without to":              {rule("when: {times: [{from: \"09:00\"}]}"), "to: \"\" is no time"},
		"empty span":                   {rule("when: {times: [{from: \"09:00\", to: \"09:00\"}]}"), "is no span of a day"},
		"over nothing":                 {rule("when: {over: {}}"), "when.over: sets no limit"},
		"over below zero":              {rule("when: {over: {tools: -1}}"), "over: tools: -1 is not within"},
		"cost with a sign":             {rule("when: {over: {cost_usd: -1}}"), "over: cost_usd: "},
		"cost with ten decimals":       {rule("when: {over: {cost_usd: \"0.0000000001\"}}"), "over: cost_usd: "},
		"cost of nothing":              {rule("when: {over: {cost_usd: 0}}"), "over: cost_usd: 0 is not above 0"},
		"missing an unknown dim":       {rule("when: {missing: [tem]}"), "when.missing: [0]: "},
		"set of a denial":              {rule("set: {n: 1}"), "set: is for the outcome rewrite"},
		"rewrite of nothing":           {"  p: {rules: [{id: r, outcome: rewrite}]}", "set: a rewrite needs what to set"},
		"rewrite to zero":              {"  p: {rules: [{id: r, outcome: rewrite, set: {max_output_tokens: 0}}]}", "max_output_tokens: 0 is not within 1"},
		"rewrite of top_p above one":   {"  p: {rules: [{id: r, outcome: rewrite, set: {top_p: 1.5}}]}", "top_p: 1.5 is not within"},
		"cel: unknown variable":        {cel("modle == \"x\""), "when.cel: 1:1: undeclared reference to 'modle'"},
		"cel: unknown dimension":       {cel("true &&\n dims.tem == \"x\""), "when.cel: 1:13: undeclared reference to 'dims.tem' (did you mean 'dims.team'?)"},
		"cel: no dimension like it":    {cel("dims.colour == \"x\""), "undeclared reference to 'dims' with this field; there are "},
		"cel: unknown field":           {cel("request.prompt == \"x\""), "undeclared reference to 'request'"},
		"cel: wrong types":             {cel("request.n > \"1\""), "when.cel: 1:11: found no matching overload"},
		"cel: no truth value":          {cel("request.n + 1"), "is of type int, not bool"},
		"cel: not closed":              {cel("(model == \"x\""), "when.cel: 1:"},
		"cel: no expression":           {cel("&&&"), "when.cel: 1:1: Syntax error"},
		"cel: unknown function":        {cel("fetch(\"http://x\") == \"\""), "undeclared reference to 'fetch'"},
		"cel: bad pattern":             {cel("model.matches(\"(a\")"), "invalid matches argument"},
		"cel: large pattern":           {cel("model.matches(\"((a{50}){50}){50}\")"), "matches"},
		"cel: unknown zone":            {cel("request.time.getHours(\"Mars/Base\") > 1"), "1:23: zone \"Mars/Base\" is no time zone"},
		"cel: zone out of the request": {cel("request.time.getHours(model) > 1"), "the time zone must be written out"},
		"cel: loops in loops":          {cel("[1,2].all(a, [1,2].all(b, [1,2].all(c, a+b+c > 0)))"), "comprehension exceeds nesting limit"},
		"cel: loops over what is long": {cel("tags.all(a, tags.all(b, tags[a].contains(tags[b])))"), "more than 20000"},
		"cel: many comparisons":        {cel("[" + strings.Repeat("model.matches(model + model), ", 20) + "true].all(x, x)"), "more than 20000"},
		"cel: nested deep":             {cel(strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100)), "recursion limit"},
		"cel: long":                    {cel(strings.Repeat("true && ", 600) + "true"), "when.cel: "},
		"unknown field":                {"  p: {rule: []}", `unknown field "rule"`},
		"unknown form":                 {rule("when: {ips: [10.0.0.1]}"), `unknown field "ips"`},
		"text for a number":            {rule("when: {over: {n: many}}"), "[2:"},
		"list for a map":               {"  p: {match: [team], rules: []}", "[2:"},
	} {
		doc, err := suite.Parse([]byte("policies:\n" + c.policies + "\n"))
		if err == nil {
			_, err = policy.Compile(doc.Policies)
		}
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; it does not say %q", name, err, c.says)
		}
		if err != nil && len(err.Error()) > 8000 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
}

func TestEveryFaultIsTold(t *testing.T) {
	_, err := policy.Compile([]policy.Spec{
		{ID: "a", Rules: []policy.RuleSpec{{ID: "x", Outcome: "no"}, {ID: "y", Outcome: policy.Deny, When: &policy.Condition{CEL: "nope", Models: []string{""}}}}},
		{ID: "b"},
	})
	for _, says := range []string{"policy a: rules[0] (x): outcome", "policy a: rules[1] (y): when.models", "policy a: rules[1] (y): when.cel: 1:1", "policy b: rules"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is not in: %v", says, err)
		}
	}
}
