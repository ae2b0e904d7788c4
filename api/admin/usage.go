package admin

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"purser/internal/access"
)

// usage answers what was used, as JSON, lines of JSON or CSV.
func (a *API) usage(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	v := r.URL.Query()
	form, fault := formOf(v.Get("format"), r.Header.Get("Accept"))
	var q UsageQuery
	if fault == nil {
		v.Del("format")
		q, fault = parseUsageQuery(v)
	}
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	q.Reach = reach
	out, err := a.Reports.Usage(r.Context(), q)
	if err != nil || form == formJSON {
		a.reply(w, r, http.StatusOK, out, err)
		return
	}
	a.table(w, r, form, &q, &out)
}

// usageParameters are those of a question about usage.
var usageParameters = []string{"from", "to", "group", "filter", "limit", "worth", "interval", "zone", "raw"}

func parseUsageQuery(v url.Values) (UsageQuery, *Fault) {
	q := UsageQuery{From: v.Get("from"), To: v.Get("to"), Interval: v.Get("interval"), Zone: v.Get("zone")}
	for name := range v {
		if !slices.Contains(usageParameters, name) {
			return q, Invalid("unknown parameter " + strconv.Quote(name) + "; known are " + strings.Join(usageParameters, ", ") + ", and format where the answer is not one object a line anyway")
		}
	}
	for _, g := range v["group"] {
		q.Group = append(q.Group, strings.Split(g, ",")...)
	}
	if fault := q.filters(v["filter"]); fault != nil {
		return q, fault
	}
	if s := v.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return q, Invalid("limit " + strconv.Quote(s) + " is not a positive number")
		}
		q.Limit = n
	}
	for name, to := range map[string]*bool{"worth": &q.Worth, "raw": &q.Raw} {
		if fault := readSwitch(v, name, to); fault != nil {
			return q, fault
		}
	}
	return q, nil
}

// readSwitch reads a parameter that is true or false, which it is if it is not there.
func readSwitch(v url.Values, name string, to *bool) *Fault {
	switch s := v.Get(name); s {
	case "", "false":
	case "true":
		*to = true
	default:
		return Invalid(name + " " + strconv.Quote(s) + " is neither true nor false")
	}
	return nil
}

// filters reads <dimension>:<value>, or tag:<name>:<value>. Of a dimension that is there
// several times, any of the values will do.
func (q *UsageQuery) filters(list []string) *Fault {
	q.Filter = map[string]string{}
	for _, f := range list {
		name, value, ok := strings.Cut(f, ":")
		if name == "tag" {
			var rest string
			rest, value, ok = strings.Cut(value, ":")
			name = "tag:" + rest
		}
		if !ok {
			return Invalid("filter " + strconv.Quote(f) + " is not <dimension>:<value>")
		}
		first, again := q.Filter[name]
		switch {
		case len(q.AnyOf[name]) > 0:
			q.AnyOf[name] = append(q.AnyOf[name], value)
		case again:
			if q.AnyOf == nil {
				q.AnyOf = map[string][]string{}
			}
			q.AnyOf[name] = []string{first, value}
			delete(q.Filter, name)
		default:
			q.Filter[name] = value
		}
	}
	return nil
}

// Usage asks what was used.
func (c *Client) Usage(ctx context.Context, q UsageQuery) (out UsageReport, err error) {
	err = c.call(ctx, http.MethodGet, "/usage?"+q.encode(), nil, &out)
	return out, err
}

// encode is the query of its path.
func (q *UsageQuery) encode() string {
	v := url.Values{}
	for name, value := range map[string]string{"from": q.From, "to": q.To, "group": strings.Join(q.Group, ","), "interval": q.Interval, "zone": q.Zone} {
		if value != "" {
			v.Set(name, value)
		}
	}
	for name, value := range q.Filter {
		v.Add("filter", name+":"+value)
	}
	for name, values := range q.AnyOf {
		for _, value := range values {
			v.Add("filter", name+":"+value)
		}
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Worth {
		v.Set("worth", "true")
	}
	if q.Raw {
		v.Set("raw", "true")
	}
	if q.Newest {
		v.Set("newest", "true")
	}
	return v.Encode()
}
