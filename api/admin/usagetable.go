package admin

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"purser/internal/sheet"
)

// form is how a report is written.
type form string

// The forms, as the parameter format names them, and their media types.
const (
	formJSON  form = "json"
	formCSV   form = "csv"
	formLines form = "jsonl"
)

var mediaTypes = map[form]string{formJSON: "application/json", formCSV: "text/csv", formLines: "application/x-ndjson"}

// formOf is the form that a parameter asks for, or else the first in an Accept header that
// there is.
func formOf(format, accept string) (form, *Fault) {
	if format != "" {
		if f := form(format); mediaTypes[f] != "" {
			return f, nil
		}
		return "", Invalid("format " + strconv.Quote(format) + " is none of json, csv and jsonl")
	}
	for part := range strings.SplitSeq(accept, ",") {
		media, _, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		for f, m := range mediaTypes {
			if m == media {
				return f, nil
			}
		}
	}
	return formJSON, nil
}

// completeHeader says of a table whether no record is known to be missing: false where a
// node did not answer.
const completeHeader = "X-Purser-Complete"

// table writes a report as CSV, its rows without the total, or as lines of JSON, of which
// the last is the report without its rows.
func (a *API) table(w http.ResponseWriter, r *http.Request, f form, q *UsageQuery, report *UsageReport) {
	w.Header().Set(completeHeader, strconv.FormatBool(report.Complete))
	a.lines(w, r, mediaTypes[f], "usage", func(out io.Writer) error {
		if f == formCSV {
			return report.WriteCSV(out, q)
		}
		e := json.NewEncoder(out)
		for i := range report.Rows {
			if err := e.Encode(&report.Rows[i]); err != nil {
				return fmt.Errorf("write usage as lines: %w", err)
			}
		}
		end := struct {
			*UsageReport
			Rows []UsageRow `json:"rows,omitempty"` // in the place of the report's: none
		}{UsageReport: report}
		if err := e.Encode(end); err != nil {
			return fmt.Errorf("write usage as lines: %w", err)
		}
		return nil
	})
}

// column is one column of a table of usage.
type column struct {
	name string
	of   func(*UsageRow) string
}

// WriteCSV writes the rows as CSV (RFC 4180), a header first. Money is whole nano-dollars;
// there is a column for each meter, lever and outcome that any row has. Texts are written
// by [Cell].
func (u *UsageReport) WriteCSV(out io.Writer, q *UsageQuery) error {
	columns := u.columns(q)
	w := csv.NewWriter(out)
	line := make([]string, len(columns))
	for i, c := range columns {
		line[i] = sheet.Text(c.name)
	}
	err := w.Write(line)
	for i := range u.Rows {
		if err != nil {
			break
		}
		for k, c := range columns {
			line[k] = c.of(&u.Rows[i])
		}
		err = w.Write(line)
	}
	if w.Flush(); err == nil {
		err = w.Error()
	}
	if err != nil {
		return fmt.Errorf("write usage as CSV: %w", err)
	}
	return nil
}

func (u *UsageReport) columns(q *UsageQuery) []column {
	var list []column
	if q.Interval != "" {
		list = append(list, column{"start", func(r *UsageRow) string { return r.Start }})
	}
	for _, g := range q.Group {
		list = append(list, column{g, func(r *UsageRow) string { return sheet.Text(r.Group[g]) }})
	}
	number := func(name string, of func(*UsageRow) int64) {
		list = append(list, column{name, func(r *UsageRow) string { return strconv.FormatInt(of(r), 10) }})
	}
	list = append(list, column{"rest", func(r *UsageRow) string { return strconv.FormatBool(r.Rest) }})
	number("requests", func(r *UsageRow) int64 { return r.Requests })
	number("calls", func(r *UsageRow) int64 { return r.Calls })
	number("retries", func(r *UsageRow) int64 { return r.Retries })
	number("cost_nanousd", func(r *UsageRow) int64 { return r.Cost })
	number("list_nanousd", func(r *UsageRow) int64 { return r.List })
	number("priced_nanousd", func(r *UsageRow) int64 { return r.Priced })
	number("baseline_nanousd", func(r *UsageRow) int64 { return r.Baseline })
	number("saved_nanousd", func(r *UsageRow) int64 { return r.Saved })
	number("overrun_nanousd", func(r *UsageRow) int64 { return r.Overrun })
	number("presumed_nanousd", func(r *UsageRow) int64 { return r.Presumed })
	number("adjusted_nanousd", func(r *UsageRow) int64 { return r.Adjusted })
	number("total_p50_ns", func(r *UsageRow) int64 { return r.TotalP50 })
	number("total_p90_ns", func(r *UsageRow) int64 { return r.TotalP90 })
	number("total_p99_ns", func(r *UsageRow) int64 { return r.TotalP99 })
	number("first_byte_p50_ns", func(r *UsageRow) int64 { return r.FirstP50 })
	number("first_byte_p90_ns", func(r *UsageRow) int64 { return r.FirstP90 })
	number("first_byte_p99_ns", func(r *UsageRow) int64 { return r.FirstP99 })
	each := func(prefix string, of func(*UsageRow) map[string]int64) {
		for _, name := range u.names(of) {
			number(prefix+"."+name, func(r *UsageRow) int64 { return of(r)[name] })
		}
	}
	each("tokens", func(r *UsageRow) map[string]int64 { return r.Tokens })
	each("savings", func(r *UsageRow) map[string]int64 { return r.Savings })
	each("outcomes", func(r *UsageRow) map[string]int64 { return r.Outcomes })
	return list
}

// names are the keys that any row has.
func (u *UsageReport) names(of func(*UsageRow) map[string]int64) []string {
	all := map[string]struct{}{}
	for i := range u.Rows {
		for name := range of(&u.Rows[i]) {
			all[name] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(all))
}
