package admin

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Outcomes is what was had for requests, and what customers paid.
type Outcomes interface {
	// ImportOutcomes and ImportRevenue keep what a body has, as JSON or CSV.
	ImportOutcomes(ctx context.Context, body []byte, csv bool) (Imported, error)
	ImportRevenue(ctx context.Context, body []byte, csv bool) (Imported, error)
	ListOutcomes(context.Context, OutcomeQuery) (OutcomeList, error)
	ListRevenue(context.Context, RevenueQuery) (RevenueList, error)
}

// Imported is what became of the things in a body. Those that are kept stay so, whatever is
// said of the others: the body can be sent again.
type Imported struct {
	Recorded  int           `json:"recorded"`
	Known     int           `json:"known"`              // the same was there
	Outdated  int           `json:"outdated,omitempty"` // a later revision is there
	Conflicts int           `json:"conflicts"`          // something else has the id, and stays
	Invalid   int           `json:"invalid"`            // cannot be read
	Problems  []ImportFault `json:"problems,omitempty"` // of the last two, the first 1000
}

// ImportFault is one thing in a body that is not kept.
type ImportFault struct {
	Line    int    `json:"line,omitempty"` // of CSV, from 1
	Item    int    `json:"item"`           // of the things in the body, from 0
	ID      string `json:"id,omitempty"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

// OutcomeQuery selects outcomes.
type OutcomeQuery struct {
	From  string // RFC 3339; empty: 24 hours ago. Of the requests that they can be of
	To    string // RFC 3339; empty: now
	Name  string
	ID    string // only those of this id, whatever their time
	Limit int    // most, the latest first; 0: 100
}

// OutcomeItem is an outcome as lists show it.
type OutcomeItem struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	At      string            `json:"at"`
	Taken   string            `json:"taken"`  // when it was reported
	Source  string            `json:"source"` // client, import, stripe, langfuse, quality
	Key     string            `json:"key,omitempty"`
	Org     string            `json:"org,omitempty"`
	Count   int64             `json:"count"`
	Success *bool             `json:"success"`
	Quality *float64          `json:"quality"`
	Value   *Money            `json:"value_nanousd"`
	Of      string            `json:"of"` // request, run, session, trace or dimensions
	OfName  string            `json:"of_name,omitempty"`
	Where   map[string]string `json:"of_dimensions,omitempty"`
	From    string            `json:"of_from,omitempty"`
	To      string            `json:"of_to,omitempty"`
}

// OutcomeList is the answer to an OutcomeQuery.
type OutcomeList struct {
	Outcomes  []OutcomeItem `json:"outcomes"`
	Total     int           `json:"total"`     // of the time, also those beyond the limit
	Conflicts int           `json:"conflicts"` // ids of which nodes have different outcomes
	Nodes     []NodeAnswer  `json:"nodes,omitempty"`
	Complete  bool          `json:"complete"`
}

// RevenueQuery selects payments.
type RevenueQuery struct {
	From, To string // RFC 3339; empty: 24 hours ago, now
	Customer string
	Limit    int // 0: 100
}

// RevenueItem is what a customer paid for a time.
type RevenueItem struct {
	ID       string `json:"id"`
	Revision int64  `json:"revision"`
	Customer string `json:"customer"`
	Plan     string `json:"plan,omitempty"`
	Cohort   string `json:"cohort,omitempty"`
	From     string `json:"from"`
	To       string `json:"to"`
	Amount   Money  `json:"amount_nanousd"`
	Taken    string `json:"taken"`
}

// RevenueList is the answer to a RevenueQuery. Sum is of all payments that overlap the time,
// as far as they fall into it.
type RevenueList struct {
	Revenue   []RevenueItem `json:"revenue"`
	Total     int           `json:"total"`
	Sum       Money         `json:"sum_nanousd"`
	Conflicts int           `json:"conflicts"`
	Nodes     []NodeAnswer  `json:"nodes,omitempty"`
	Complete  bool          `json:"complete"`
}

// maxImport bounds the body of an import: some ten thousand lines.
const maxImport = 4 << 20

func (a *API) importOutcomes(w http.ResponseWriter, r *http.Request) {
	a.imports(w, r, a.Outcomes.ImportOutcomes)
}

func (a *API) importRevenue(w http.ResponseWriter, r *http.Request) {
	a.imports(w, r, a.Outcomes.ImportRevenue)
}

func (a *API) imports(w http.ResponseWriter, r *http.Request, keep func(context.Context, []byte, bool) (Imported, error)) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		media = "application/json"
	}
	if media != "application/json" && media != "text/csv" {
		a.fail(w, r, Invalid("the body is of the type "+strconv.Quote(media)+"; application/json and text/csv are read"))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxImport))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		a.fail(w, r, &Fault{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Message: "the body is larger than 4 MiB: send it in parts, as the command line does"})
		return
	case err != nil:
		a.fail(w, r, Invalid("the body broke off"))
		return
	}
	out, err := keep(r.Context(), body, media == "text/csv")
	a.reply(w, r, http.StatusOK, out, err)
}

func (a *API) listOutcomes(w http.ResponseWriter, r *http.Request) {
	v, limit, fault := parameters(r, "from", "to", "name", "id", "limit")
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	out, err := a.Outcomes.ListOutcomes(r.Context(), OutcomeQuery{From: v.Get("from"), To: v.Get("to"), Name: v.Get("name"), ID: v.Get("id"), Limit: limit})
	a.reply(w, r, http.StatusOK, out, err)
}

func (a *API) listRevenue(w http.ResponseWriter, r *http.Request) {
	v, limit, fault := parameters(r, "from", "to", "customer", "limit")
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	out, err := a.Outcomes.ListRevenue(r.Context(), RevenueQuery{From: v.Get("from"), To: v.Get("to"), Customer: v.Get("customer"), Limit: limit})
	a.reply(w, r, http.StatusOK, out, err)
}

// maxListed bounds a list.
const maxListed = 10_000

// parameters are those of a query, of which all must be known.
func parameters(r *http.Request, known ...string) (v url.Values, limit int, fault *Fault) {
	v = r.URL.Query()
	for name := range v {
		ok := false
		for _, k := range known {
			ok = ok || k == name
		}
		if !ok {
			return v, 0, Invalid("unknown parameter " + strconv.Quote(name) + "; known are " + strings.Join(known, ", "))
		}
	}
	if s := v.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxListed {
			return v, 0, Invalid("limit " + strconv.Quote(s) + " is not a number from 1 to " + strconv.Itoa(maxListed))
		}
		limit = n
	}
	return v, limit, nil
}

// ImportOutcomes sends outcomes to be kept. What is not kept is in the answer, and no error.
func (c *Client) ImportOutcomes(ctx context.Context, mediaType string, body []byte) (out Imported, err error) {
	err = c.call(ctx, http.MethodPost, "/outcomes", written{mediaType, body}, &out)
	return out, err
}

// ImportRevenue sends payments to be kept, as ImportOutcomes outcomes.
func (c *Client) ImportRevenue(ctx context.Context, mediaType string, body []byte) (out Imported, err error) {
	err = c.call(ctx, http.MethodPut, "/revenue", written{mediaType, body}, &out)
	return out, err
}

// ListOutcomes lists outcomes.
func (c *Client) ListOutcomes(ctx context.Context, q OutcomeQuery) (out OutcomeList, err error) {
	err = c.call(ctx, http.MethodGet, "/outcomes?"+query(map[string]string{"from": q.From, "to": q.To, "name": q.Name, "id": q.ID}, q.Limit), nil, &out)
	return out, err
}

// ListRevenue lists what customers paid.
func (c *Client) ListRevenue(ctx context.Context, q RevenueQuery) (out RevenueList, err error) {
	err = c.call(ctx, http.MethodGet, "/revenue?"+query(map[string]string{"from": q.From, "to": q.To, "customer": q.Customer}, q.Limit), nil, &out)
	return out, err
}

func query(of map[string]string, limit int) string {
	v := url.Values{}
	for name, s := range of {
		if s != "" {
			v.Set(name, s)
		}
	}
	if limit > 0 {
		v.Set("limit", strconv.Itoa(limit))
	}
	return v.Encode()
}
