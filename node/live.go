package node

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"purser/api/admin"
	"purser/internal/live"
	"purser/internal/record"
	"purser/internal/usage"
)

const (
	// liveEvery is how often one who watches is told that there is nothing: so soon it is
	// known that nobody reads any more.
	liveEvery = 10 * time.Second
	// liveLong is how long a watch lasts: what its caller may see is asked again after that.
	liveLong = 15 * time.Minute
)

// Watch implements admin.Live.
func (c control) Watch(ctx context.Context, q admin.UsageQuery, say func(admin.LiveEvent) error) error {
	query := usage.Query{Within: within(q.Reach)}
	var err error
	if query.Where, err = conditions(&q); err != nil {
		return err
	}
	in := live.NewInbox()
	end, err := c.n.live.Watch(in, query.Selects)
	if err != nil {
		return &admin.Fault{Status: http.StatusServiceUnavailable, Code: "undecided", Message: err.Error(), RetryAfter: time.Minute}
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, liveLong)
	defer cancel()
	for {
		if err := say(admin.LiveEvent{}); err != nil {
			return err
		}
		if over, err := relay(ctx, in, say); over || err != nil {
			return err
		}
	}
}

// relay says what comes into an inbox until nothing has for a while. over: nothing will.
func relay(ctx context.Context, in *live.Inbox, say func(admin.LiveEvent) error) (over bool, err error) {
	for {
		waiting, cancel := context.WithTimeout(ctx, liveEvery)
		batch, err := in.Next(waiting)
		cancel()
		switch {
		case errors.Is(err, live.ErrClosed), ctx.Err() != nil:
			return true, nil
		case err != nil:
			return false, nil
		}
		e, err := eventOf(batch)
		if err == nil {
			err = say(e)
		}
		if err != nil {
			return true, err
		}
	}
}

// eventOf reads the records of a batch, which may be another node's.
func eventOf(b live.Batch) (e admin.LiveEvent, err error) {
	e.Dropped = b.Dropped
	var dec record.Decoder
	for _, stored := range b.Records {
		var r record.Record
		if err := dec.Decode(&r, stored); err != nil {
			return e, err
		}
		text, err := json.Marshal(&r)
		if err != nil {
			return e, err
		}
		e.Records = append(e.Records, text)
	}
	return e, nil
}
