package proxy

import (
	"fmt"

	"purser/ledger"
	"purser/proxy/lever"
	"purser/proxy/loop"
	"purser/proxy/policy"
	"purser/proxy/template"
)

// noRules is a gateway that nothing rules but budgets and keys.
type noRules struct{}

// Rules implements Governance.
func (noRules) Rules() (Rules, error) { return noRules{}, nil }

// Complete implements Rules.
func (noRules) Complete(*ledger.Dimensions) error { return nil }

// Route implements Rules.
func (noRules) Route(string) (model, upstream string, ok bool) { return "", "", false }

// Policies implements Rules.
func (noRules) Policies() *policy.Set { return nil }

// RouteNames implements Rules.
func (noRules) RouteNames() []string { return nil }

// Loop implements Rules.
func (noRules) Loop(*ledger.Dimensions) *loop.Rule { return nil }

// Levers implements Rules.
func (noRules) Levers(string, *ledger.Dimensions) lever.Set { return lever.Default() }

// Template implements Rules.
func (noRules) Template(id string) (*template.Template, template.Use, error) {
	return nil, template.Use{}, fmt.Errorf("there is no template %q", id)
}
