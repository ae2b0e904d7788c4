package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"purser/internal/access"
)

// Live tells of requests as they end.
type Live interface {
	// Watch calls say with the records that a query's filter and reach select, as they
	// end, and with an event that has none now and then, so that it is known who has gone
	// away. It returns say's error, or nil when the watch has lasted as long as it may.
	Watch(ctx context.Context, q UsageQuery, say func(LiveEvent) error) error
}

// LiveEvent is some records that have just ended.
type LiveEvent struct {
	Records []json.RawMessage `json:"records"` // as GET /admin/v1/usage/records gives them
	// Dropped is how many more there were since the event before, for which there was no
	// room: who watches is slower than they come.
	Dropped uint64 `json:"dropped"`
	// Missing are the nodes of whose records nothing is heard at present.
	Missing []string `json:"missing,omitempty"`
}

const eventStream = "text/event-stream"

// live streams records as server-sent events (WHATWG HTML, section 9.2), one LiveEvent each.
func (a *API) live(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	for name := range r.URL.Query() {
		if name != "filter" {
			a.fail(w, r, Invalid("records that are yet to come have a filter and nothing else: GET /admin/v1/usage/records has those that are there"))
			return
		}
	}
	q, fault := parseUsageQuery(r.URL.Query())
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	q.Reach = reach
	w.Header().Set("Cache-Control", "no-store")
	out := &streamed{w: w, mediaType: eventStream}
	err := a.Live.Watch(r.Context(), q, func(e LiveEvent) error {
		if e.Records == nil {
			e.Records = []json.RawMessage{}
		}
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "data: %s\n\n", line)
		return err
	})
	switch {
	case err == nil:
	case !out.begun:
		a.fail(w, r, err)
	default: // as a rule, who watched has gone away
		a.Log.DebugContext(r.Context(), "live records were broken off", slog.Any("error", err))
	}
}

// maxEvent bounds one event that a client reads.
const maxEvent = 32 << 20

// Watch calls see with each event of live records, until the node ends them, ctx does, or
// see returns an error.
func (c *Client) Watch(ctx context.Context, q UsageQuery, see func(LiveEvent) error) error {
	return c.stream(ctx, "/usage/live?"+q.encode(), func(r io.Reader) error {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxEvent)
		for lines.Scan() {
			data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
			if !ok {
				continue
			}
			var e LiveEvent
			if err := json.Unmarshal(data, &e); err != nil {
				return fmt.Errorf("an event of live records cannot be read: %w", err)
			}
			if err := see(e); err != nil {
				return err
			}
		}
		if err := lines.Err(); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading live records: %w", err)
		}
		return nil
	})
}
