package admin

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"

	"purser/internal/access"
)

// records streams usage records as lines of JSON.
func (a *API) records(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	q, fault := parseUsageQuery(r.URL.Query())
	if fault == nil && len(q.Group) > 0 {
		fault = Invalid("records are not grouped; GET /admin/v1/usage is")
	}
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	q.Reach = reach
	a.lines(w, r, "application/x-ndjson", "usage records", func(out io.Writer) error {
		return a.Reports.Records(r.Context(), q, out)
	})
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

// Records has read called with the usage records of the node that is asked, one JSON
// object a line, the oldest first.
func (c *Client) Records(ctx context.Context, q UsageQuery, read func(io.Reader) error) error {
	return c.stream(ctx, "/usage/records?"+q.encode(), read)
}
