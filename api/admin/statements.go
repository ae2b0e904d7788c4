package admin

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"purser/internal/access"
	"purser/internal/statement"
	"purser/proxy/price"
)

// Statements are of what owners used in a period.
type Statements interface {
	Statements(ctx context.Context, q StatementQuery) (StatementReport, error)
}

// StatementQuery asks for the statements of a period.
type StatementQuery struct {
	By     string   // the dimension whose values own; empty: customer
	Value  string   // one owner's alone; empty: all
	Lines  []string // what lines are divided by, at most three; none: model
	Month  string   // such as 2026-11, unless From and To are there; empty: this month
	From   string   // RFC 3339
	To     string
	Zone   string // IANA name; empty: UTC
	Shared string // none, proportional or even; empty: none
	Markup string // percent, such as 12.5 or -5
	Reach  access.Reach
}

// StatementReport is what was asked for.
type StatementReport struct {
	Heading  statement.Heading
	All      []statement.Statement
	Unshared Money
	Cost     Money // of everything in the period, within the reach
	Complete bool
}

// MaxMarkup bounds a markup, in percent.
const MaxMarkup = 1000

func (a *API) statements(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	q, form, fault := parseStatementQuery(r.URL.Query(), r.Header.Get("Accept"))
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	q.Reach = reach
	out, err := a.Statements.Statements(r.Context(), q)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	var b bytes.Buffer
	switch form {
	case "csv":
		// Its rows have no place to say so, and they are charged for.
		if len(out.Heading.Missing) > 0 {
			a.fail(w, r, Undecided("the records of these nodes are missing: "+strings.Join(out.Heading.Missing, ", ")+"; format=json and format=html have what is known"))
			return
		}
		err = statement.CSV(&b, &out.Heading, out.All)
	case "html":
		err = statement.HTML(&b, &out.Heading, out.All)
	default:
		a.reply(w, r, http.StatusOK, documentOf(&out), nil)
		return
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Purser-Complete", strconv.FormatBool(out.Complete))
	if form == "csv" {
		h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
		h.Set("Content-Disposition", `attachment; filename="statements-`+strings.NewReplacer(`"`, "", "\\", "").Replace(out.Heading.Period)+`.csv"`)
	} else {
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", statement.Policy())
	}
	_, _ = w.Write(b.Bytes()) // a client that went away is no fault of ours
}

func parseStatementQuery(v url.Values, accept string) (q StatementQuery, form string, fault *Fault) {
	q = StatementQuery{By: v.Get("by"), Value: v.Get("value"), Month: v.Get("month"), From: v.Get("from"), To: v.Get("to"), Zone: v.Get("zone"), Shared: v.Get("shared"), Markup: v.Get("markup")}
	known := []string{"by", "value", "month", "from", "to", "zone", "shared", "markup", "lines", "format"}
	for name := range v {
		if !slices.Contains(known, name) {
			return q, "", Invalid("unknown parameter " + strconv.Quote(name) + "; known are " + strings.Join(known, ", "))
		}
	}
	if s := v.Get("lines"); s != "" {
		q.Lines = strings.Split(s, ",")
	}
	switch form = v.Get("format"); {
	case form == "" && strings.HasPrefix(accept, "text/html"):
		form = "html"
	case form == "" && strings.HasPrefix(accept, "text/csv"):
		form = "csv"
	case form != "" && form != "json" && form != "csv" && form != "html":
		return q, "", Invalid("format " + strconv.Quote(form) + " is none of json, csv and html")
	}
	return q, form, nil
}

// ParseMarkup reads percent, such as "12.5", as millionths.
func ParseMarkup(text string) (int64, *Fault) {
	if text == "" {
		return 0, nil
	}
	digits, negative := strings.CutPrefix(strings.TrimSuffix(strings.TrimSpace(text), "%"), "-")
	n, exact, err := price.Decimal(strings.TrimSpace(digits), 4)
	if negative {
		n = -n
	}
	if err != nil || !exact || n < -statement.Million || n > MaxMarkup*10_000 {
		return 0, Invalid("markup " + strconv.Quote(text) + " is not -100 to " + strconv.Itoa(MaxMarkup) + " percent, with four decimals at most")
	}
	return n, nil
}

// statementsDocument is the JSON form. Money is nano-dollars.
type statementsDocument struct {
	Dimension string              `json:"dimension"`
	Period    string              `json:"period"`
	From      string              `json:"from"`
	To        string              `json:"to"`
	Shared    string              `json:"shared"`
	Markup    int64               `json:"markup_millionths"`
	List      []statementDocument `json:"statements"`
	Unshared  Money               `json:"unshared_nanousd"`
	Cost      Money               `json:"cost_nanousd"`
	Missing   []string            `json:"missing,omitempty"`   // nodes whose records are not in it
	Collapsed []string            `json:"collapsed,omitempty"` // fields whose rarer values are one, "other"
	Complete  bool                `json:"complete"`
}

type statementDocument struct {
	Owner  string         `json:"owner"`
	Lines  []lineDocument `json:"lines"`
	Own    Money          `json:"own_nanousd"`
	Shared Money          `json:"shared_nanousd"`
	Cost   Money          `json:"cost_nanousd"`
	Markup Money          `json:"markup_nanousd"`
	Charge Money          `json:"charge_nanousd"`
}

type lineDocument struct {
	Of       map[string]string `json:"of"`
	Requests int64             `json:"requests"`
	Input    int64             `json:"input_tokens"`
	Cached   int64             `json:"cached_input_tokens"`
	Output   int64             `json:"output_tokens"`
	List     Money             `json:"list_nanousd"`
	Saved    Money             `json:"saved_nanousd"`
	Adjusted Money             `json:"adjusted_nanousd"`
	Cost     Money             `json:"cost_nanousd"`
	Charge   Money             `json:"charge_nanousd"`
}

func documentOf(r *StatementReport) statementsDocument {
	h := &r.Heading
	d := statementsDocument{
		Dimension: h.Dimension, Period: h.Period, From: h.From, To: h.To, Shared: string(h.Terms.Sharing), Markup: h.Terms.Markup,
		List: []statementDocument{}, Unshared: r.Unshared, Cost: r.Cost, Missing: h.Missing, Collapsed: h.Collapsed, Complete: r.Complete,
	}
	for _, s := range r.All {
		x := statementDocument{Owner: s.Owner, Own: Money(s.Own.Cost), Shared: Money(s.Shared), Cost: Money(s.Cost), Markup: Money(s.Markup), Charge: Money(s.Charge)}
		for _, l := range s.Lines {
			of := map[string]string{}
			for i, name := range h.By {
				of[name] = l.Of[i]
			}
			x.Lines = append(x.Lines, lineDocument{
				of, l.Requests, l.Input, l.Cached, l.Output, Money(l.List), Money(l.Saved), Money(l.Adjusted), Money(l.Cost), Money(l.Charge),
			})
		}
		d.List = append(d.List, x)
	}
	return d
}

// Statements has write called with statements in a form: json, csv or html.
func (c *Client) Statements(ctx context.Context, q StatementQuery, form string, read func(io.Reader) error) error {
	return c.stream(ctx, "/statements?"+c.query(map[string]string{
		"by": q.By, "value": q.Value, "lines": strings.Join(q.Lines, ","), "month": q.Month, "from": q.From, "to": q.To, "zone": q.Zone,
		"shared": q.Shared, "markup": q.Markup, "format": form,
	}), read)
}
