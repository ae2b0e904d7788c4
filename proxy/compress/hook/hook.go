package hook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"purser/proxy/outside"
)

// Config is one compressor.
type Config struct {
	Name string // as levers name it
	URL  string // that is asked
	// Timeout bounds one call. Default 500 ms, 10 ms to 30 s.
	Timeout time.Duration
	// Concurrent is how many calls run at once; a further one is not made. Default 8, 1
	// to 256.
	Concurrent int
	// CacheBytes bounds the answers that are remembered. Default 16 MiB, 0 to 1 GiB.
	CacheBytes int
	// Header is sent with each call, such as Authorization.
	Header map[string]string
}

// Default is what [Config.Validate] accepts with a name and an address.
func Default() Config {
	return Config{Timeout: 500 * time.Millisecond, Concurrent: 8, CacheBytes: 16 << 20}
}

// Validate reports every field that is out of its range.
func (c *Config) Validate() error {
	var errs []error
	if c.Name == "" {
		errs = append(errs, errors.New("name is missing"))
	}
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		errs = append(errs, errors.New("url is not an address with http or https"))
	}
	if c.Timeout < 10*time.Millisecond || c.Timeout > 30*time.Second {
		errs = append(errs, errors.New("timeout is not within 10 ms to 30 s"))
	}
	if c.Concurrent < 1 || c.Concurrent > 256 {
		errs = append(errs, errors.New("concurrent is not within 1 to 256"))
	}
	if c.CacheBytes < 0 || c.CacheBytes > 1<<30 {
		errs = append(errs, errors.New("cache_bytes is not within 0 to 1 GiB"))
	}
	return errors.Join(errs...)
}

// Limits of what is asked and answered.
const (
	maxQuestion = 4 << 20 // bytes of texts
	idleForEnd  = 90 * time.Second
)

// Errors of a compressor. None quotes a text.
var (
	ErrResting = errors.New("it failed repeatedly and is given a rest")
	ErrBusy    = errors.New("it is asked as often at once as it may be")
	ErrTooMuch = fmt.Errorf("the texts have more than %d bytes", maxQuestion)
)

// Client asks one compressor. It is safe for concurrent use.
type Client struct {
	cfg    Config
	http   *http.Client
	places chan struct{}
	known  *memory

	rest outside.Rest
}

// New makes a client.
func New(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("compressor %s: %w", cfg.Name, err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: cfg.Concurrent, MaxConnsPerHost: cfg.Concurrent, IdleConnTimeout: idleForEnd}
	return &Client{
		cfg: cfg, places: make(chan struct{}, cfg.Concurrent), known: newMemory(cfg.CacheBytes),
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// Close lets go of idle connections. Calls under way end with their contexts.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Shorten gives texts in the place of others, "" for one that stays as it is. ratio is
// how much is to stay. What is remembered of a scope is not given to another.
func (c *Client) Shorten(ctx context.Context, scope string, texts []string, ratio float64) ([]string, error) {
	out, keys := make([]string, len(texts)), make([]key, len(texts))
	var asked []string
	var at []int
	size := 0
	for i, t := range texts {
		keys[i] = keyOf(scope, t, ratio)
		if to, ok := c.known.get(keys[i]); ok {
			out[i] = to
			continue
		}
		asked, at, size = append(asked, t), append(at, i), size+len(t)
	}
	if len(asked) == 0 {
		return out, nil
	}
	if size > maxQuestion {
		return out, ErrTooMuch
	}
	if c.rest.Resting(time.Now()) {
		return out, ErrResting
	}
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	default:
		return out, ErrBusy
	}
	answer, err := c.call(ctx, asked, ratio, size)
	if c.rest.Note(err) != nil {
		return out, err
	}
	for j, to := range answer {
		out[at[j]] = to
		c.known.put(keys[at[j]], to)
	}
	return out, nil
}

type question struct {
	Texts []string `json:"texts"`
	Ratio float64  `json:"ratio"`
}

func (c *Client) call(ctx context.Context, texts []string, ratio float64, size int) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	body, err := json.Marshal(question{texts, ratio})
	if err != nil {
		return nil, fmt.Errorf("writing the question: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("making the call: the address cannot be asked")
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range c.cfg.Header {
		req.Header.Set(name, value)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("calling: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered with status %d", res.StatusCode)
	}
	// An answer is no longer than the question, but JSON may escape each byte.
	const escaped = 6
	most := int64(len(body)+size)*escaped + 1<<10
	doc, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	var answer struct{ Texts []string }
	if int64(len(doc)) > most || json.Unmarshal(doc, &answer) != nil || len(answer.Texts) != len(texts) {
		return nil, errors.New("its answer is not one text for each, or too long")
	}
	return answer.Texts, nil
}
