package ui

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"purser/api/admin"
	policies "purser/proxy/policy"
)

var policyKind = kind{plural: "policies", one: "policy",
	about: "Rules are asked in their order, before a request is held, looked up in a cache or sent.",
	example: `{
  "description": "what trial keys may do",
  "mode": "shadow",
  "match": {"team": ["trial"]},
  "rules": [
    {"id": "models", "outcome": "deny", "unless": {"models": ["gpt-4o-mini"]}, "message": "ask for gpt-4o-mini"}
  ]
}`}

// policyRow is a policy in the list.
type policyRow struct {
	policies.Spec
	ID, Path string
	Fault    string // what cannot be read of it
}

type policiesView struct {
	Rows     []policyRow
	MayWrite bool
	Bench    *form
	Answer   *policies.Answer
}

// policiesPage lists the policies in the order in which they are asked, with a bench.
func policiesPage(c *Call) error {
	if c.Q.Has("new") {
		return showNewObject(c, policyKind, nil)
	}
	return showPolicies(c, nil, nil, nil)
}

func showPolicies(c *Call, sent url.Values, answer *policies.Answer, wrong *refused) error {
	list, err := c.objects("policies")
	if err != nil {
		return err
	}
	v := policiesView{MayWrite: c.CanAll("policies:write"), Answer: answer}
	for _, o := range list {
		v.Rows = append(v.Rows, rowOfPolicy(&o))
	}
	slices.SortStableFunc(v.Rows, func(a, b policyRow) int { return cmp.Compare(a.Priority, b.Priority) })
	if v.Bench, err = c.benchForm("/ui/policies#bench", "Ask the policies", "gpt-4o-mini"); err != nil {
		return err
	}
	v.Bench = wrong.into(refill(v.Bench, sent))
	return c.RenderAs(wrong.status(), "policies", "Policies", &v)
}

func rowOfPolicy(o *admin.Object) policyRow {
	r := policyRow{ID: o.ID, Path: policyKind.path(o.ID)}
	if err := json.Unmarshal(o.Spec, &r.Spec); err != nil {
		r.Fault = err.Error()
	}
	if r.Mode == "" {
		r.Mode = policies.Enforce
	}
	return r
}

// askPolicies answers the bench, or makes a policy.
func askPolicies(c *Call) error {
	v, err := c.posted()
	if err != nil {
		return err
	}
	if v.Get("do") != "explain" {
		return creating(c, policyKind, v)
	}
	call, err := callFrom(v)
	var answer policies.Answer
	if err == nil {
		err = c.Do(http.MethodPost, "/policies/explain", admin.PolicyQuestion{Call: &call}, &answer)
	}
	if err != nil {
		return again(err, "bench", v, func(r *refused) error { return showPolicies(c, nil, nil, r) })
	}
	return showPolicies(c, v, &answer, nil)
}

// ruleRow is one rule with its conditions as text.
type ruleRow struct {
	policies.RuleSpec
	When, Unless, Set string
}

type policyView struct {
	policyRow
	Object *object
	Rules  []ruleRow
}

func policyPage(c *Call) error { return showPolicy(c, nil) }

func showPolicy(c *Call, wrong *refused) error {
	o, err := c.object(policyKind, c.R.PathValue("id"), wrong)
	if err != nil {
		return err
	}
	v := policyView{policyRow: rowOfPolicy(&o.Object), Object: o}
	for _, r := range v.Spec.Rules {
		v.Rules = append(v.Rules, ruleRow{r, compact(r.When), compact(r.Unless), compact(r.Set)})
	}
	return c.RenderAs(wrong.status(), "policy", o.ID, &v)
}

// compact is a part of a spec in a line; "" where it is not there.
func compact(x any) string {
	b, err := json.Marshal(x)
	if err != nil || string(b) == "null" {
		return ""
	}
	return unescaped(string(b))
}

func changePolicy(c *Call) error { return changing(c, policyKind, showPolicy) }
