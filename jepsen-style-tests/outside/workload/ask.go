package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/rig"
)

// Call is one request to be made. Its body names its ID as the end user.
type Call struct {
	ID       string
	Try      int
	Client   int
	Workload string
	Node     *rig.Node
	Key      string // name of the virtual key
	Secret   string // of the key; "" is the present one of that name
	Budgets  []string
	Idem     string
	Mode     string // that the provider is asked for
	Path     string // "" is chat's
	Body     []byte
	Stream   bool
	Headers  map[string]string
	Reading  Reading
}

// Reading is how a client takes an answer, where not at once and to its end.
type Reading struct {
	LeaveAfter time.Duration // it hangs up, wherever the request is; 0: it stays
	LeaveAt    int           // it hangs up after so many bytes of the answer; 0: it stays
	PauseAt    int           // it stops reading after so many bytes ...
	Pause      time.Duration // ... for so long
}

const (
	askPatience = 30 * time.Second // above three attempts of which none is answered in time
	maxAnswer   = 16 << 20         // bytes
)

// errLeft is a client that hangs up by intent.
var errLeft = errors.New("hung up")

// Ask makes a request, reads its answer as far as the client wants it, and notes both.
// What is under way goes on when ctx ends.
func (t *Town) Ask(ctx context.Context, c Call) history.Request {
	r := history.Request{ID: c.ID, Try: c.Try, Client: c.Client, Workload: c.Workload, Node: c.Node.Place, Budgets: append([]string{everything}, c.Budgets...), Key: c.Key, Idem: c.Idem,
		Stream: c.Stream, Mode: c.Mode, Begun: t.History.Now()}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askPatience)
	defer cancel()
	if d := c.Reading.LeaveAfter; d > 0 {
		leave := time.AfterFunc(d, cancel)
		defer leave.Stop()
	}
	err := t.exchange(ctx, &c, &r)
	if err != nil {
		r.Status, r.Err = 0, err.Error()
		r.Left = errors.Is(err, errLeft) || c.Reading.LeaveAfter > 0 && errors.Is(err, context.Canceled)
	}
	r.Ended = t.History.Now()
	t.History.Requested(r)
	return r
}

func (t *Town) exchange(ctx context.Context, c *Call, r *history.Request) error {
	req, err := t.request(ctx, c)
	if err != nil {
		return err
	}
	res, err := t.Cluster.HTTP().Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	tell(r, res.Header)
	body, err := io.ReadAll(io.LimitReader(&reader{ctx: ctx, from: res.Body, how: c.Reading}, maxAnswer))
	if err != nil {
		return fmt.Errorf("after status %d and %d bytes: %w", res.StatusCode, len(body), err)
	}
	tell(r, res.Trailer)
	if r.Status = res.StatusCode; r.Status != http.StatusOK {
		r.Code, r.Refusal = problem(body)
		return nil
	}
	if c.Stream {
		ok, code := whole(body)
		if r.Code = code; !ok {
			return fmt.Errorf("the stream ended before its end, after %d bytes: %q", len(body), code)
		}
	}
	r.Digest = digest(body)
	return nil
}

func (t *Town) request(ctx context.Context, c *Call) (*http.Request, error) {
	path := c.Path
	if path == "" {
		path = chatPath
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Node.URL()+path, bytes.NewReader(c.Body))
	if err != nil {
		return nil, err
	}
	secret := c.Secret
	if secret == "" {
		secret = t.Secret(c.Key)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("TE", "trailers")
	for name, value := range c.Headers {
		req.Header.Set(name, value)
	}
	if c.Mode != "" {
		req.Header.Set("x-sim-mode", c.Mode)
	}
	if c.Idem != "" {
		req.Header.Set("Idempotency-Key", c.Idem)
	}
	return req, nil
}

// reader reads as a client does that may stop or leave.
type reader struct {
	ctx  context.Context
	from io.Reader
	how  Reading
	done int
}

func (r *reader) Read(p []byte) (int, error) {
	if r.how.LeaveAt > 0 && r.done >= r.how.LeaveAt {
		return 0, errLeft
	}
	if r.how.Pause > 0 && r.done >= r.how.PauseAt {
		pause(r.ctx, r.how.Pause)
		r.how.Pause = 0
	}
	n, err := r.from.Read(p)
	r.done += n
	return n, err
}

// pause waits, and says whether it was not cut short.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// backOff is what a client waits that got no answer.
func backOff(ctx context.Context, rng *rand.Rand) {
	pause(ctx, between(rng, 50*time.Millisecond, 200*time.Millisecond))
}
