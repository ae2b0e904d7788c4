package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"purser/internal/access"
)

// Requests shows single requests.
type Requests interface {
	// Request is the records of one request, each as [Reports] writes them, and what
	// corrects them; not found if there are none within the reach.
	Request(ctx context.Context, id string, reach access.Reach) (RequestRecords, error)
	// Run is a run of an agent: q has its range and reach.
	Run(ctx context.Context, run string, q UsageQuery) (RunTree, error)
}

// RequestRecords are the records of one request, in the order of its attempts.
type RequestRecords struct {
	ID      string            `json:"id"`
	Records []json.RawMessage `json:"records"`
	Answered
}

// RunTree is an agent's run. Each call is under the one it was made for.
type RunTree struct {
	Run   string    `json:"run"`
	From  string    `json:"from"`
	To    string    `json:"to"`
	Cost  Money     `json:"cost_nanousd"` // of all records of the run in the range
	Calls int       `json:"calls"`        // shown
	More  bool      `json:"more"`         // there are more than are shown
	Roots []RunCall `json:"roots"`
	Answered
}

// RunCall is one request of a run.
type RunCall struct {
	ID       string    `json:"id"`
	At       string    `json:"at"`
	Step     string    `json:"step,omitempty"`
	Parent   string    `json:"parent,omitempty"` // as the client named it
	Agent    string    `json:"agent,omitempty"`
	Model    string    `json:"model,omitempty"`
	Outcome  string    `json:"outcome"`
	Class    string    `json:"error_class,omitempty"`
	Calls    int       `json:"calls"` // of upstreams
	Tokens   int64     `json:"tokens"`
	Cost     Money     `json:"cost_nanousd"`
	Total    int64     `json:"total_ns"`
	Children []RunCall `json:"children,omitempty"`
}

func (a *API) request(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	out, err := a.Requests.Request(r.Context(), r.PathValue("id"), reach)
	a.reply(w, r, http.StatusOK, out, err)
}

func (a *API) run(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	q, fault := parseUsageQuery(r.URL.Query())
	if fault == nil && (len(q.Group) > 0 || q.Interval != "" || q.Worth) {
		fault = Invalid("a run takes from, to and limit, and is not grouped")
	}
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	q.Reach = reach
	out, err := a.Requests.Run(r.Context(), r.PathValue("run"), q)
	a.reply(w, r, http.StatusOK, out, err)
}

// Request asks for the records of one request.
func (c *Client) Request(ctx context.Context, id string) (out RequestRecords, err error) {
	err = c.call(ctx, http.MethodGet, "/usage/requests/"+url.PathEscape(id), nil, &out)
	return out, err
}

// Run asks for an agent's run within a range.
func (c *Client) Run(ctx context.Context, run string, q UsageQuery) (out RunTree, err error) {
	err = c.call(ctx, http.MethodGet, "/usage/runs/"+url.PathEscape(run)+"?"+q.encode(), nil, &out)
	return out, err
}
