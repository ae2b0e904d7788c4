package ui

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"time"

	"purser/api/admin"
	"purser/internal/record"
)

const (
	// pageOfRequests is how many requests a page lists.
	pageOfRequests = 50
)

// request is one record of the API.
type request struct {
	ID         string            `json:"id"`
	At         time.Time         `json:"at"`
	Dimensions map[string]string `json:"dimensions"`
	Endpoint   string            `json:"endpoint"`
	Dialect    string            `json:"dialect"`
	Upstream   string            `json:"upstream"`
	UpstreamID string            `json:"upstream_id"`
	Model      string            `json:"model"`
	Served     string            `json:"model_served"`
	Tier       string            `json:"tier"`
	Stream     bool              `json:"stream"`
	Outcome    string            `json:"outcome"`
	Status     int               `json:"status"`
	Code       string            `json:"code"`

	Usage    map[string]int64 `json:"usage"`
	Cost     int64            `json:"cost_nanousd"`
	List     int64            `json:"list_nanousd"`
	Priced   int64            `json:"priced_nanousd"`
	Hold     int64            `json:"hold_nanousd"`
	Overrun  int64            `json:"overrun_nanousd"`
	Baseline int64            `json:"baseline_nanousd"`
	Savings  map[string]int64 `json:"savings_nanousd"`
	RateID   string           `json:"rate"`
	Prices   string           `json:"catalogue"`
	Basis    string           `json:"basis"`
	Bound    string           `json:"bound"`

	Attempt   int    `json:"attempt"`
	Attempts  int    `json:"attempts"`
	Cache     string `json:"cache"`
	Admit     int64  `json:"admit_ns"`
	FirstByte int64  `json:"first_byte_ns"`
	Total     int64  `json:"total_ns"`

	Charges  []charge `json:"charges"`
	Policies []struct {
		Policy, Rule, Effect string
		Shadow               bool
	} `json:"policies"`
	Route *struct {
		Name, Strategy, Reason string
		Considered             []struct {
			Model, Upstream, Why string
			Score                int64 `json:"score_millionths"`
		}
		Cluster int64
		Canary  bool
	} `json:"route"`
	PromptVersion int64 `json:"prompt_version"`
	Semantic      *struct {
		Verdict, Reason string
		Similarity      int64 `json:"similarity_millionths"`
		Probability     int64 `json:"probability_millionths"`
	} `json:"semantic"`
	Shape *struct {
		Level       string `json:"compression"`
		Before      int64  `json:"tokens_before"`
		After       int64  `json:"tokens_after"`
		Breakpoints int64  `json:"cache_breakpoints"`
	} `json:"shape"`

	Kind       string `json:"kind"`
	Corrects   string `json:"corrects"`
	Note       string `json:"note"`
	Step       string `json:"step"`
	Parent     string `json:"parent"`
	Client     string `json:"client"`
	Trace      string `json:"trace_id"`
	Credential string `json:"credential"`
	OutputCap  int64  `json:"output_cap"`
	Made       int64  `json:"answer_bytes"`
	Delivered  int64  `json:"delivered_bytes"`

	Raw string `json:"-"` // as the API wrote it
}

// charge is one account's part of a request, in the unit of its budget.
type charge struct {
	Budget string   `json:"budget"`
	Split  []string `json:"split"`
	Start  int64    `json:"window_start_ns"`
	Held   int64    `json:"held"`
	Spent  int64    `json:"spent"`

	Unit string `json:"-"` // of the budget, where the reader may know it
}

// Saved is what all levers saved.
func (r *request) Saved() (n int64) {
	for _, v := range r.Savings {
		n += v
	}
	return n
}

// When is when it came, as the API writes moments.
func (r *request) When() string { return r.At.UTC().Format(time.RFC3339Nano) }

// Period is when it counts, and what lists are ordered by: of an adjustment that is not when
// it came.
func (r *request) Period() string {
	id, ok := record.ParseID(r.ID)
	if !ok {
		return r.When()
	}
	return time.Unix(0, int64(id.At())).UTC().Format(time.RFC3339Nano)
}

// Tokens are those of all meters.
func (r *request) Tokens() (n int64) {
	for name, v := range r.Usage {
		if !slices.Contains(counts, name) {
			n += v
		}
	}
	return n
}

// Called is what it asked for: the model that answered, or else the one that was named.
func (r *request) Called() string { return cmp.Or(r.Served, r.Dimensions["model"], r.Model) }

// latest are the newest records of a selection, the newest first, and whether there are
// older ones.
func (c *Call) latest(s *selection, most int) (list []*request, more bool, err error) {
	v := s.values()
	v.Set("newest", "true")
	v.Set("limit", strconv.Itoa(most+1))
	err = c.Lines("/usage/records", v, func(line json.RawMessage) error {
		r := &request{Raw: string(line)}
		if err := json.Unmarshal(line, r); err != nil {
			return err
		}
		list = append(list, r)
		return nil
	})
	if len(list) > most {
		return list[:most], true, err
	}
	return list, false, err
}

// requestsView is what the list of requests shows.
type requestsView struct {
	selection
	Chips    []chip
	Requests []*request
	Pager    pager
	Explorer string
	Exports  []export
}

// pager leads to the pages before and after.
type pager struct{ Prev, Next, Text string }

// requests lists the requests of a selection, the newest first.
func requests(c *Call) error {
	var v requestsView
	var err error
	if v.selection, err = c.selected(); err != nil {
		return err
	}
	whole := v.Span
	if before := c.Q.Get("before"); before != "" {
		if v.Span.To, err = momentOf(before); err != nil {
			return err
		}
	}
	var more bool
	if v.Requests, more, err = c.latest(&v.selection, pageOfRequests); err != nil {
		return err
	}
	v.Span = whole
	if n := len(v.Requests); more && n > 0 {
		v.Pager.Next = v.link("/ui/requests", "before", v.Requests[n-1].Period())
	}
	if c.Q.Get("before") != "" {
		v.Pager.Prev = v.link("/ui/requests")
	}
	for _, f := range v.Filters {
		v.Chips = append(v.Chips, chip{f, v.without(f).link("/ui/requests")})
	}
	v.Explorer, v.Exports = v.link("/ui/explorer"), v.exports()[2:]
	return c.Render("requests", "Requests", &v)
}

// requestView is what the page of one request shows.
type requestView struct {
	*request
	Others []*request // its other attempts, and what was corrected later
	Story  []string   // what happened, in sentences
	Steps  []step
	Meters []meter
	Levers []lever
	Links  []fact
}

// oneRequest shows everything that is known of a request.
func oneRequest(c *Call) error {
	id, ok := record.ParseID(c.R.PathValue("id"))
	if !ok {
		return notFound("That is no id of a request: it is req_ and 26 characters, as the header x-purser-request-id has it.")
	}
	var answer admin.RequestRecords
	if err := c.Get("/usage/requests/"+id.String(), nil, &answer); err != nil {
		return err
	}
	var v requestView
	for _, raw := range answer.Records {
		r := &request{Raw: string(raw)}
		if err := json.Unmarshal(raw, r); err != nil {
			return err
		}
		switch {
		case r.ID == id.String() && v.request == nil:
			v.request = r
		default:
			v.Others = append(v.Others, r)
		}
	}
	if v.request == nil {
		return notFound("Of this request there is only what corrects it.")
	}
	if err := v.units(c); err != nil {
		return err
	}
	v.explain()
	return c.Render("request", "Request "+v.ID, &v)
}

// units finds the units of the budgets that were charged.
func (v *requestView) units(c *Call) error {
	const most = 32 // budgets of one request
	for i := range v.Charges[:min(len(v.Charges), most)] {
		var b admin.BudgetDetail
		err := c.Get("/budgets/"+url.PathEscape(v.Charges[i].Budget), url.Values{"stale": {"ok"}}, &b)
		if err != nil && !absent(err) {
			return err
		}
		v.Charges[i].Unit = b.Unit
	}
	return nil
}

// runLink is where the run of a request is shown.
func runLink(run string) string { return "/ui/runs/" + url.PathEscape(run) }
