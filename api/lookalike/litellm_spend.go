package lookalike

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"purser/api/admin"
	"purser/internal/litellm"
)

// maxDays bounds the days of a report: each is a question.
const maxDays = 180

// days are the days of a report, both named ones included.
func days(q url.Values) (out []time.Time, err error) {
	from, err := time.Parse(time.DateOnly, q.Get("start_date"))
	if err != nil {
		return nil, admin.Invalid("start_date is needed, such as 2026-01-31")
	}
	to, err := time.Parse(time.DateOnly, q.Get("end_date"))
	if err != nil {
		return nil, admin.Invalid("end_date is needed, such as 2026-01-31")
	}
	if to.Before(from) || to.Sub(from) >= maxDays*24*time.Hour {
		return nil, admin.Invalid("end_date is to be on start_date or after it, and within 180 days")
	}
	for at := from; !at.After(to); at = at.AddDate(0, 0, 1) {
		out = append(out, at)
	}
	return out, nil
}

// filtered reads by whom requests are to be.
func (s *session) filtered(q url.Values, fields map[string]string) (map[string]string, error) {
	filter := map[string]string{}
	for field, dim := range fields {
		v := q.Get(field)
		switch {
		case v == "":
		case dim == "key":
			k, err := s.key(v)
			if err != nil {
				return nil, err
			}
			filter[dim] = k.ID
		default:
			filter[dim] = litellm.Name(v)
		}
	}
	return filter, nil
}

// day asks what a day's requests were, by dimensions.
func (s *session) day(at time.Time, filter map[string]string, by ...string) ([]admin.UsageRow, error) {
	report, err := s.Usage(s.ctx, admin.UsageQuery{
		From: at.Format(time.RFC3339), To: at.AddDate(0, 0, 1).Format(time.RFC3339), Group: by, Filter: filter, Limit: maxGroups, Raw: true,
	})
	return report.Rows, err
}

// spendLogs sums the requests of each day: LiteLLM's form with summarize, the default
// of a question about days. Single requests are not served.
func (s *session) spendLogs(r *http.Request) (any, error) {
	q := r.URL.Query()
	if err := only(q, "start_date", "end_date", "api_key", "user_id", "summarize"); err != nil {
		return nil, err
	}
	if v := q.Get("summarize"); v != "" && v != "true" {
		return nil, admin.Invalid("summarize is true here: requests are summed by day")
	}
	span, err := days(q)
	if err != nil {
		return nil, err
	}
	filter, err := s.filtered(q, map[string]string{"api_key": "key", "user_id": "member"})
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for _, at := range span {
		rows, err := s.day(at, filter, "key", "member", "model")
		if err != nil {
			return nil, err
		}
		var spend int64
		users, models, keys := map[string]int64{}, map[string]int64{}, map[string]int64{}
		for _, row := range rows {
			spend += row.Cost
			users[row.Group["member"]] += row.Cost
			models[row.Group["model"]] += row.Cost
			keys[row.Group["key"]] += row.Cost
		}
		line := map[string]any{}
		for key, n := range keys {
			line[key] = dollars(n)
		}
		line["startTime"], line["spend"], line["users"], line["models"] = at.Format(time.DateOnly), dollars(spend), inDollars(users), inDollars(models)
		out = append(out, line)
	}
	return out, nil
}

func inDollars(m map[string]int64) map[string]dollars {
	out := map[string]dollars{}
	for name, n := range m {
		out[name] = dollars(n)
	}
	return out
}

// tokens are those that went in and came out.
func tokens(row *admin.UsageRow) (in, out int64) {
	for meter, n := range row.Tokens {
		switch meter {
		case "output", "output_reasoning", "image_out", "audio_out":
			out += n
		case "web_search", "web_fetch", "code_exec", "file_search", "requests":
		default:
			in += n
		}
	}
	return in, out
}

// spendReport is a report by day for teams or customers, or by key for all days.
func (s *session) spendReport(r *http.Request) (any, error) {
	q := r.URL.Query()
	if err := only(q, "start_date", "end_date", "group_by", "api_key", "internal_user_id", "team_id", "customer_id"); err != nil {
		return nil, err
	}
	span, err := days(q)
	if err != nil {
		return nil, err
	}
	filter, err := s.filtered(q, map[string]string{"api_key": "key", "internal_user_id": "member", "team_id": "team", "customer_id": "customer"})
	if err != nil {
		return nil, err
	}
	switch by := cmp.Or(q.Get("group_by"), "team"); {
	case by == "api_key", q.Get("group_by") == "" && (filter["key"] != "" || filter["member"] != ""):
		return s.reportOfKeys(span, filter)
	case by == "team":
		return s.reportByDay(span, filter, "team", "teams", "team_name", "Unassigned Team")
	case by == "customer":
		return s.reportByDay(span, filter, "customer", "customers", "customer", "")
	}
	return nil, admin.Invalid("group_by is team, customer or api_key")
}

// reportByDay has for each day on which there was something those of a dimension.
func (s *session) reportByDay(span []time.Time, filter map[string]string, dim, plural, name, nobody string) (any, error) {
	names := map[string]string{"": nobody}
	if dim == "team" {
		teams, err := s.ListObjects(s.ctx, "teams")
		if err != nil {
			return nil, err
		}
		for i := range teams {
			t, err := specAs[team](&teams[i])
			names[teams[i].ID] = teams[i].ID
			if err == nil && t.Name != "" {
				names[teams[i].ID] = t.Name
			}
		}
	}
	out := []map[string]any{}
	for _, at := range span {
		rows, err := s.day(at, filter, dim, "model", "key")
		if err != nil {
			return nil, err
		}
		spent, details := map[string]int64{}, map[string][]map[string]any{}
		for i := range rows {
			row := &rows[i]
			in, produced := tokens(row)
			of := row.Group[dim]
			spent[of] += row.Cost
			details[of] = append(details[of], map[string]any{"model": row.Group["model"], "spend": dollars(row.Cost), "total_tokens": in + produced, "api_key": row.Group["key"]})
		}
		list := []map[string]any{}
		for _, of := range slices.Sorted(maps.Keys(spent)) {
			shown, known := names[of]
			if !known {
				shown = of
			}
			list = append(list, map[string]any{name: shown, "total_spend": dollars(spent[of]), "metadata": details[of]})
		}
		if len(list) > 0 {
			out = append(out, map[string]any{"group_by_day": at.Format("2006-01-02T15:04:05+00:00"), plural: list})
		}
	}
	return out, nil
}

// keyReport sums a key's requests.
type keyReport struct {
	Key     string        `json:"api_key"`
	Cost    dollars       `json:"total_cost"`
	Input   int64         `json:"total_input_tokens"`
	Output  int64         `json:"total_output_tokens"`
	Details []modelReport `json:"model_details"`
}

type modelReport struct {
	Model  string  `json:"model"`
	Cost   dollars `json:"total_cost"`
	Input  int64   `json:"total_input_tokens"`
	Output int64   `json:"total_output_tokens"`
}

func (s *session) reportOfKeys(span []time.Time, filter map[string]string) (any, error) {
	last := span[len(span)-1]
	report, err := s.Usage(s.ctx, admin.UsageQuery{
		From: span[0].Format(time.RFC3339), To: last.AddDate(0, 0, 1).Format(time.RFC3339), Group: []string{"key", "model"}, Filter: filter, Limit: maxSpenders, Raw: true,
	})
	if err != nil {
		return nil, err
	}
	out := []*keyReport{}
	for i := range report.Rows {
		row := &report.Rows[i]
		key := row.Group["key"]
		at := slices.IndexFunc(out, func(k *keyReport) bool { return k.Key == key })
		if at < 0 {
			at, out = len(out), append(out, &keyReport{Key: key})
		}
		in, produced := tokens(row)
		k := out[at]
		k.Cost, k.Input, k.Output = k.Cost+dollars(row.Cost), k.Input+in, k.Output+produced
		k.Details = append(k.Details, modelReport{Model: row.Group["model"], Cost: dollars(row.Cost), Input: in, Output: produced})
	}
	return out, nil
}
