package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"

	"purser/internal/access"
)

// records streams usage records as lines of JSON.
func (a *API) records(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	v, newest := r.URL.Query(), false
	fault := readSwitch(v, "newest", &newest)
	v.Del("newest")
	var q UsageQuery
	if fault == nil {
		q, fault = parseUsageQuery(v)
	}
	if fault == nil && len(q.Group) > 0 {
		fault = Invalid("records are not grouped; GET /admin/v1/usage is")
	}
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	q.Reach, q.Newest = reach, newest
	a.lines(w, r, "application/x-ndjson", "usage records", func(out io.Writer) error {
		return a.Reports.Records(r.Context(), q, func(nodes []NodeAnswer) { tellNodes(w.Header(), nodes) }, out)
	})
}

// The headers of an answer that is a stream of records.
const (
	headerComplete = "X-Purser-Complete" // true or false, as UsageReport.Complete
	headerNodes    = "X-Purser-Nodes"    // JSON: the NodeAnswers of nodes that did not answer for themselves
)

// maxToldNodes bounds the nodes that a header names.
const maxToldNodes = 32

// Complete says that no record of these nodes is known to be missing.
func Complete(nodes []NodeAnswer) bool {
	return !slices.ContainsFunc(nodes, func(a NodeAnswer) bool { return a.Err != "" || a.MayLack })
}

// tellNodes says in headers whose records follow.
func tellNodes(h http.Header, nodes []NodeAnswer) {
	h.Set(headerComplete, strconv.FormatBool(Complete(nodes)))
	others := slices.DeleteFunc(slices.Clone(nodes), func(a NodeAnswer) bool { return a.By == a.Node })
	if len(others) == 0 {
		return
	}
	text, err := json.Marshal(others[:min(len(others), maxToldNodes)])
	if err != nil {
		panic(fmt.Sprintf("node answers are no JSON: %v", err)) // they are texts and truths
	}
	h.Set(headerNodes, string(text))
}

// lines streams what write writes. An answer that breaks off is cut: the client must not
// take what it has for the whole.
func (a *API) lines(w http.ResponseWriter, r *http.Request, mediaType, of string, write func(io.Writer) error) {
	out := &streamed{w: w, mediaType: mediaType}
	lines := bufio.NewWriterSize(out, 64<<10) // out sends each write on its way
	err := write(lines)
	if err == nil {
		err = lines.Flush()
	}
	switch {
	case err == nil && !out.begun: // there is nothing to tell
		w.Header().Set("Content-Type", mediaType)
		w.WriteHeader(http.StatusOK)
	case err == nil:
	case !out.begun:
		a.fail(w, r, err)
	default:
		a.Log.ErrorContext(r.Context(), of+" were broken off", slog.Any("error", err))
		panic(http.ErrAbortHandler)
	}
}

// Records has read called with the usage records of the cluster, one JSON object a line, the
// oldest first unless the query says otherwise.
func (c *Client) Records(ctx context.Context, q UsageQuery, read func(io.Reader) error) error {
	return c.stream(ctx, "/usage/records?"+q.encode(), read)
}
