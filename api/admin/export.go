package admin

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"purser/internal/access"
)

// Exports writes what was used for other programs.
type Exports interface {
	// PrepareExport checks a query and says how its file is written: what write writes is
	// whole only if it returns nil.
	PrepareExport(ExportQuery) (Export, error)
	// ExportState is how the exports that are kept up are getting on.
	ExportState(ctx context.Context) ([]ExportState, error)
}

// ExportQuery asks for a file.
type ExportQuery struct {
	Format  string // focus, cbf, vantage, usage
	Version string // of focus: 1.2, 1.3, 1.4; empty: 1.2
	File    string // csv, parquet; empty: csv, of usage parquet
	Rows    string // hour, day, request: what a row stands for; empty: hour, of vantage day
	From    string // RFC 3339 or a date; empty: the beginning of this month, UTC
	To      string // the same; empty: now
	Filter  map[string]string
	AnyOf   map[string][]string // dimension to values of which one will do
	Raw     bool                // whose it is as it was recorded, without the rules of tags

	// Reach is whose requests are in it, whatever the filter says. It is the caller's and
	// not sent.
	Reach access.Reach
}

// Export is a file that can be written.
type Export struct {
	MediaType string
	Name      string // of the file
	// Write writes it, and says before whose records it is made of.
	Write func(ctx context.Context, tell func([]NodeAnswer), w io.Writer) error
}

// ExportState is how one export is getting on.
type ExportState struct {
	ID       string `json:"id"`
	State    string `json:"state"`             // waiting, written, failing; elsewhere: another node does it
	Written  string `json:"written,omitempty"` // when a run last went well, RFC 3339
	Next     string `json:"next,omitempty"`    // when the next begins
	Failures int    `json:"failures,omitempty"`
	Error    string `json:"error,omitempty"` // of the last run
	Days     int    `json:"days,omitempty"`  // that the last run wrote
	Gone     int    `json:"gone,omitempty"`  // days that it left as they are: less is known of them than was written
}

func (a *API) export(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	q, fault := parseExportQuery(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	q.Reach = reach
	e, err := a.Exports.PrepareExport(q)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Disposition", "attachment; filename="+strconv.Quote(e.Name))
	a.lines(w, r, e.MediaType, "an export", func(out io.Writer) error {
		err := e.Write(r.Context(), func(nodes []NodeAnswer) { tellNodes(w.Header(), nodes) }, out)
		if err != nil {
			w.Header().Del("Content-Disposition") // an error is no file
		}
		return err
	})
}

func parseExportQuery(r *http.Request) (ExportQuery, *Fault) {
	v := r.URL.Query()
	q := ExportQuery{Format: r.PathValue("format"), Version: v.Get("version"), File: v.Get("file"), Rows: v.Get("rows"), From: v.Get("from"), To: v.Get("to")}
	for name := range v {
		switch name {
		case "version", "file", "rows", "from", "to", "filter", "raw":
		default:
			return q, Invalid("unknown parameter " + strconv.Quote(name) + "; known are version, file, rows, from, to, filter, raw")
		}
	}
	var filters UsageQuery
	if fault := filters.filters(v["filter"]); fault != nil {
		return q, fault
	}
	q.Filter, q.AnyOf = filters.Filter, filters.AnyOf
	switch s := v.Get("raw"); s {
	case "", "false":
	case "true":
		q.Raw = true
	default:
		return q, Invalid("raw " + strconv.Quote(s) + " is neither true nor false")
	}
	return q, nil
}

func (a *API) exportStates(w http.ResponseWriter, r *http.Request) {
	list, err := a.Exports.ExportState(r.Context())
	a.reply(w, r, http.StatusOK, map[string]any{"exports": list}, err)
}

// Export has read called with a file. What it reads is whole only if reading ends without
// an error.
func (c *Client) Export(ctx context.Context, q ExportQuery, read func(io.Reader) error) error {
	v := url.Values{}
	for name, s := range map[string]string{"version": q.Version, "file": q.File, "rows": q.Rows, "from": q.From, "to": q.To} {
		if s != "" {
			v.Set(name, s)
		}
	}
	for name, s := range q.Filter {
		v.Add("filter", name+":"+s)
	}
	for name, values := range q.AnyOf {
		for _, s := range values {
			v.Add("filter", name+":"+s)
		}
	}
	if q.Raw {
		v.Set("raw", "true")
	}
	return c.stream(ctx, "/export/"+url.PathEscape(q.Format)+"?"+v.Encode(), read)
}

// ExportState is how the exports that are kept up are getting on.
func (c *Client) ExportState(ctx context.Context) ([]ExportState, error) {
	var out struct {
		Exports []ExportState `json:"exports"`
	}
	err := c.call(ctx, http.MethodGet, "/exportstates", nil, &out)
	return out.Exports, err
}
