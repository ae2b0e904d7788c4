package lookalike

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"purser/api/admin"
)

// openai adds the routes of OpenAI's organisation: its costs and usage.
// https://platform.openai.com/docs/api-reference/usage
func (a *API) openai(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/organization/costs", func(w http.ResponseWriter, r *http.Request) {
		a.buckets(w, r, []string{"1d"}, []string{"project_id", "user_id", "api_key_id"}, costOf)
	})
	mux.HandleFunc("GET /v1/organization/usage/completions", func(w http.ResponseWriter, r *http.Request) {
		a.buckets(w, r, []string{"1m", "1h", "1d"}, []string{"project_id", "user_id", "api_key_id", "model"}, usageOf)
	})
	mux.HandleFunc("/v1/organization/", func(w http.ResponseWriter, r *http.Request) {
		openaiError(w, admin.NotFound("of OpenAI's organisation API there are GET costs and usage/completions here, not "+r.Method+" "+r.URL.Path))
	})
}

// dims are the dimensions that OpenAI's names of things stand for.
var dims = map[string]string{"project_id": "project", "user_id": "member", "api_key_id": "key", "model": "model"}

// filters are the parameters by which results are chosen.
var filters = map[string]string{"project_ids": "project", "user_ids": "member", "api_key_ids": "key", "models": "model"}

type page struct {
	Object string   `json:"object"`
	Data   []bucket `json:"data"`
	More   bool     `json:"has_more"`
	Next   *string  `json:"next_page"`
}

type bucket struct {
	Object  string           `json:"object"`
	Start   int64            `json:"start_time"`
	End     int64            `json:"end_time"`
	Results []map[string]any `json:"results"`
}

// buckets answers with a row for each group in each bucket.
func (a *API) buckets(w http.ResponseWriter, r *http.Request, wide, groups []string, result func(*admin.UsageRow) map[string]any) {
	q := r.URL.Query()
	s, by, filter, err := a.question(q, wide, groups)
	if err != nil {
		openaiError(w, err)
		return
	}
	c := a.client(r, bearer(r))
	out := page{Object: "page", Data: []bucket{}, More: s.next != ""}
	if out.More {
		out.Next = &s.next
	}
	for at := s.from; at.Before(s.to); at = at.Add(s.width) {
		until := at.Add(s.width)
		query := admin.UsageQuery{From: at.Format(time.RFC3339), To: until.Format(time.RFC3339), Filter: filter, Limit: maxGroups, Raw: true}
		for _, name := range by {
			query.Group = append(query.Group, dims[name])
		}
		report, err := c.Usage(r.Context(), query)
		if err != nil {
			openaiError(w, err)
			return
		}
		b := bucket{Object: "bucket", Start: at.Unix(), End: until.Unix(), Results: []map[string]any{}}
		rows := report.Rows
		if len(by) == 0 && report.Total.Requests > 0 {
			rows = []admin.UsageRow{report.Total}
		}
		for i := range rows {
			line := result(&rows[i])
			for _, name := range groups {
				line[name] = nil
				if v := rows[i].Group[dims[name]]; v != "" && slices.Contains(by, name) {
					line[name] = v
				}
			}
			b.Results = append(b.Results, line)
		}
		out.Data = append(out.Data, b)
	}
	write(w, http.StatusOK, out)
}

// maxGroups bounds the rows of one bucket; the rest is one row more, named other.
const maxGroups = 1000

// question reads the parameters of a route.
func (a *API) question(q url.Values, wide, groups []string) (s span, by []string, filter map[string]string, err error) {
	names := []string{"start_time", "end_time", "bucket_width", "limit", "page", "group_by"}
	if err = only(q, append(names, slices.Sorted(maps.Keys(filters))...)...); err != nil {
		return s, nil, nil, err
	}
	by = list(q, "group_by")
	for _, name := range by {
		if !slices.Contains(groups, name) {
			return s, nil, nil, admin.Invalid(fmt.Sprintf("group_by %q is not served here; there are %v", name, groups))
		}
	}
	filter = map[string]string{}
	for name, dim := range filters {
		switch values := list(q, name); len(values) {
		case 0:
		case 1:
			filter[dim] = values[0]
		default:
			return s, nil, nil, admin.Invalid(name + " takes one value here; ask once for each, or group by it")
		}
	}
	s, err = spanOf(q, a.now(), wide...)
	return s, by, filter, err
}

func costOf(row *admin.UsageRow) map[string]any {
	return map[string]any{
		"object": "organization.costs.result", "line_item": nil, "quantity": nil, "quantity_unit": nil, "api_source": nil,
		"amount": map[string]any{"value": dollars(row.Cost), "currency": "usd"},
	}
}

func usageOf(row *admin.UsageRow) map[string]any {
	t := row.Tokens
	cached := t["cache_read"]
	written := t["cache_write"] + t["cache_write_5m"] + t["cache_write_30m"] + t["cache_write_1h"] + t["cache_write_12h"]
	audioIn, audioOut := t["audio_in"], t["audio_out"]
	return map[string]any{
		"object":       "organization.usage.completions.result",
		"input_tokens": t["input"] + cached + written + t["image_in"] + audioIn, "input_cached_tokens": cached, "input_audio_tokens": audioIn,
		"output_tokens": t["output"] + t["output_reasoning"] + t["image_out"] + audioOut, "output_audio_tokens": audioOut,
		"num_model_requests": row.Requests, "batch": nil, "service_tier": nil,
	}
}

// dollars is an amount of nano-dollars; in JSON it is dollars, with all digits.
type dollars int64

// MarshalJSON implements json.Marshaler.
func (n dollars) MarshalJSON() ([]byte, error) { return []byte(n.text(nanoDigits)), nil }

const nanoDigits = 9

// text writes the amount with the point so many digits from the right.
func (n dollars) text(digits int) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	s := fmt.Sprintf("%0*d", digits+1, int64(n))
	return sign + s[:len(s)-digits] + "." + s[len(s)-digits:]
}

// openaiError answers as OpenAI does.
func openaiError(w http.ResponseWriter, err error) {
	f := faultOf(err)
	kind := "invalid_request_error"
	if f.Status >= http.StatusInternalServerError {
		kind = "server_error"
	}
	tell(w, f)
	write(w, f.Status, map[string]any{"error": map[string]any{"message": f.Message, "type": kind, "param": nil, "code": f.Code}})
}
