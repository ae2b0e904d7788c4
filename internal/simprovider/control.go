package simprovider

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"purser/ledger"
)

// The control surface, for the demo and tests that run the provider as a
// process of its own:
//
//	GET    /_sim/bill                                  totals
//	GET    /_sim/bill/rows?client_request_id=&limit=   kept rows, oldest first
//	PUT    /_sim/mode  {"mode":"429=1s","count":3}     a plan for the next calls, all if count is 0
//	DELETE /_sim/mode                                  ends it
//	POST   /_sim/reset                                 as Provider.Reset
const controlPrefix = "/_sim/"

const maxShownRows = 10_000 // of one answer

// BillTotals is the answer of GET /_sim/bill.
type BillTotals struct {
	Rows     int64            `json:"rows"`
	Cost     ledger.Amount    `json:"cost_nanousd"`
	Unpriced int64            `json:"unpriced"`
	Usage    map[string]int64 `json:"usage"` // by meter, as in the rows
}

func (p *Provider) handleControl(x *call) bool {
	uri := string(x.c.req.Header.RequestURI())
	path, query, _ := strings.Cut(uri, "?")
	answer, err := p.control(string(x.c.req.Header.Method())+" "+path, query, x.c.req.Body())
	if err != nil {
		x.fail(err)
		return !x.w.close
	}
	x.w.head(200, "application/json")
	x.w.body(answer)
	return !x.w.close
}

func (p *Provider) control(what, query string, body []byte) ([]byte, *apiError) {
	switch what {
	case "GET /_sim/bill":
		t := p.bill.Totals()
		out := BillTotals{Rows: t.Rows, Cost: t.Cost, Unpriced: t.Unpriced, Usage: map[string]int64{}}
		for m, n := range t.Usage {
			if n != 0 {
				out.Usage[meterNames[m]] = n
			}
		}
		return marshal(out)
	case "GET /_sim/bill/rows":
		q, err := url.ParseQuery(query)
		if err != nil {
			return nil, invalid("", "", "the query cannot be read")
		}
		return marshal(p.selectRows(q))
	case "PUT /_sim/mode", "POST /_sim/mode":
		var in struct {
			Mode  string `json:"mode"`
			Count int    `json:"count"`
		}
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, invalid("", "", "the body is not {\"mode\":\"...\",\"count\":n}")
		}
		plan, err := ParsePlan(in.Mode)
		if err != nil {
			return nil, invalid("invalid_mode", "mode", err.Error())
		}
		p.SetPlan(plan, in.Count)
		return []byte("{}"), nil
	case "DELETE /_sim/mode":
		p.SetPlan(nil, 0)
		return []byte("{}"), nil
	case "POST /_sim/reset":
		p.Reset()
		return []byte("{}"), nil
	}
	return nil, &apiError{status: 404, kind: "invalid_request_error", code: "unknown_url", message: "no such control: " + what}
}

func (p *Provider) selectRows(q url.Values) []Row {
	rows := p.bill.Rows()
	if id := q.Get("client_request_id"); id != "" {
		rows = p.bill.ByClient(id)
	}
	limit := maxShownRows
	if n, err := strconv.Atoi(q.Get("limit")); err == nil && n >= 0 {
		limit = min(n, maxShownRows)
	}
	rows = rows[max(0, len(rows)-limit):]
	if rows == nil {
		rows = []Row{}
	}
	return rows
}

func marshal(v any) ([]byte, *apiError) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, &apiError{status: 500, kind: "server_error", message: err.Error()}
	}
	return b, nil
}
