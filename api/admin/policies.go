package admin

import (
	"context"
	"encoding/json"
	"net/http"

	"purser/proxy/policy"
)

// Policies answer what the policies in force make of a request.
type Policies interface {
	ExplainPolicies(context.Context, PolicyQuestion) (policy.Answer, error)
}

// PolicyQuestion is a request, as it would be sent or by its facts.
type PolicyQuestion struct {
	Call  *PolicyCall   `json:"call,omitempty"`
	Facts *policy.Facts `json:"facts,omitempty"` // time: default now
}

// PolicyCall is a request that a key would send now.
type PolicyCall struct {
	Key     string            `json:"key"`               // its id
	Method  string            `json:"method,omitempty"`  // default POST
	Path    string            `json:"path"`              // with the query
	Address string            `json:"address,omitempty"` // where it comes from
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

// ExplainPolicies asks what the policies make of a request.
func (c *Client) ExplainPolicies(ctx context.Context, q PolicyQuestion) (out policy.Answer, err error) {
	err = c.call(ctx, http.MethodPost, "/policies/explain", q, &out)
	return out, err
}

func (a *API) explainPolicies(w http.ResponseWriter, r *http.Request) {
	var in PolicyQuestion
	if !a.read(w, r, &in) {
		return
	}
	if (in.Call == nil) == (in.Facts == nil) {
		a.fail(w, r, Invalid("give one of call and facts"))
		return
	}
	out, err := a.Policies.ExplainPolicies(r.Context(), in)
	a.reply(w, r, http.StatusOK, out, err)
}
