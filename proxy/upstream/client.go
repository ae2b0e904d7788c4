package upstream

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"
)

// Client sends requests to one upstream. It is safe for concurrent use.
type Client struct {
	cfg  Config
	base base
	// fixed[i] are the rendered header lines that each request with key i begins with.
	fixed [][]byte
	// secrets are the keys that are long enough not to be a word of a text.
	secrets [][]byte
	// keyHeader carries the credential; "" without keys.
	keyHeader string
	// slots holds one token per attempt in flight, from Do until the end of its body.
	slots chan struct{}
	life  context.Context // ends when the client is closed
	end   context.CancelFunc
	// shut is closed when Close begins, before it collects the tokens.
	shut   chan struct{}
	once   sync.Once
	idlers sync.WaitGroup
	via    carrier
}

// carrier makes one attempt in one version of HTTP. On success the answer's
// source gives the slot back at its end; on failure Do does.
type carrier interface {
	attempt(r *Request, deadline time.Time) (*Response, *Failure)
	// closeIdle closes the connections that have carried nothing since before t; abort closes all.
	closeIdle(t time.Time)
	abort()
}

// New makes a Client and starts the goroutine that closes its idle connections.
// Nothing is dialled before the first attempt.
func New(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	b, err := parseBase(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("upstream %q: %w", cfg.Name, err)
	}
	c := &Client{cfg: cfg, base: b, slots: make(chan struct{}, cfg.MaxConns), shut: make(chan struct{})}
	c.life, c.end = context.WithCancel(context.Background())
	c.fixed = renderFixed(&cfg, b)
	if len(cfg.Keys) > 0 {
		c.keyHeader = cfg.KeyHeader
	}
	for _, k := range cfg.Keys {
		if len(k.Secret) >= shortestSecret {
			c.secrets = append(c.secrets, []byte(k.Secret))
		}
	}
	if cfg.Protocol == HTTP2 {
		c.via = newHTTP2(c)
	} else {
		c.via = newHTTP1(c)
	}
	c.idlers.Go(c.reap)
	return c, nil
}

// renderFixed writes what no request changes, once per key; without keys, once.
func renderFixed(cfg *Config, b base) [][]byte {
	out := make([][]byte, 0, max(1, len(cfg.Keys)))
	for i := range max(1, len(cfg.Keys)) {
		line := appendLine(nil, "host", b.host)
		// Compression would cost both sides more than the bytes do, and hides the ends of events.
		line = appendLine(line, "accept-encoding", "identity")
		if i < len(cfg.Keys) {
			line = appendLine(line, cfg.KeyHeader, cfg.KeyPrefix+string(cfg.Keys[i].Secret))
		}
		for _, h := range cfg.ExtraHeaders {
			line = appendLine(line, h.Name, h.Value)
		}
		out = append(out, line)
	}
	return out
}

// Name is the configured name.
func (c *Client) Name() string { return c.cfg.Name }

// Keys are the ids of the credentials, in the order that Request.Key counts.
func (c *Client) Keys() []string {
	ids := make([]string, len(c.cfg.Keys))
	for i, k := range c.cfg.Keys {
		ids[i] = k.ID
	}
	return ids
}

// shortestSecret is the length from which a key is looked for in answers: that of
// no real one is below it, but that of "none" and "ollama" is.
const shortestSecret = 12

// withheld stands in an answer where a key was.
var withheld = []byte("key-withheld")

// Withhold gives b without the client's keys and the one that a request brought, if
// it did: b itself, or a copy where one was in it.
func (c *Client) Withhold(b []byte, brought Secret) []byte {
	for _, secret := range c.secrets {
		if bytes.Contains(b, secret) {
			b = bytes.ReplaceAll(b, secret, withheld)
		}
	}
	if len(brought) >= shortestSecret && bytes.Contains(b, []byte(brought)) {
		b = bytes.ReplaceAll(b, []byte(brought), withheld)
	}
	return b
}

// InFlight is the number of attempts whose answers have not ended.
func (c *Client) InFlight() int { return len(c.slots) }

// Do makes one attempt, never more. It returns when the status and the headers
// are here, and exactly one of its results is nil. It blocks within the
// configured limits only. The caller must close the Response.
func (c *Client) Do(r *Request) (*Response, *Failure) {
	start := time.Now()
	if err := r.check(len(c.cfg.Keys)); err != nil {
		return nil, fail(false, PhaseStart, err)
	}
	if f := c.takeSlot(); f != nil {
		return nil, f
	}
	// After the wait for a slot: a signature has the time in it.
	proof, f := c.authorize(r)
	if f != nil {
		c.giveSlot()
		return nil, f
	}
	if proof != nil {
		proved := *r
		proved.proof, r = proof, &proved
	}
	total := c.cfg.Timeouts.Total
	if r.Timeout > 0 {
		total = min(total, r.Timeout)
	}
	resp, f := c.via.attempt(r, start.Add(total))
	if f != nil {
		c.giveSlot()
		return nil, f
	}
	if f := resp.decode(c.cfg.MaxDecoded); f != nil {
		resp.Close()
		return nil, f
	}
	return resp, nil
}

func (c *Client) takeSlot() *Failure {
	select {
	case c.slots <- struct{}{}:
	default:
		limit := time.NewTimer(c.cfg.Timeouts.Connect)
		defer limit.Stop()
		select {
		case c.slots <- struct{}{}:
		case <-limit.C:
			return fail(false, PhaseWait, ErrBusy)
		case <-c.shut:
			return fail(false, PhaseStart, ErrClosed)
		}
	}
	select {
	case <-c.shut:
		c.giveSlot()
		return fail(false, PhaseStart, ErrClosed)
	default:
		return nil
	}
}

func (c *Client) giveSlot() { <-c.slots }

// fixedFor is the rendered head of the request's key.
func (c *Client) fixedFor(r *Request) []byte {
	if len(c.cfg.Keys) == 0 {
		return c.fixed[0]
	}
	return c.fixed[r.Key]
}

// reap closes connections that have been idle for longer than idleLife.
func (c *Client) reap() {
	tick := time.NewTicker(idleLife / 4)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			c.via.closeIdle(now.Add(-idleLife))
		case <-c.life.Done():
			return
		}
	}
}

// Close refuses new attempts, waits for the ones in flight until ctx ends, then
// breaks them off, and closes every connection. It returns ctx's error if it had
// to break something off. Answers that were broken off must still be closed.
func (c *Client) Close(ctx context.Context) error {
	var err error
	c.once.Do(func() {
		close(c.shut)
		for range cap(c.slots) {
			select {
			case c.slots <- struct{}{}:
				continue
			case <-ctx.Done():
				err = fmt.Errorf("upstream %q: attempts broken off: %w", c.cfg.Name, ctx.Err())
			}
			break
		}
		c.end()
		c.via.abort()
		c.idlers.Wait()
	})
	return err
}
