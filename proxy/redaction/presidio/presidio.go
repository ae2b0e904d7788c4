package presidio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"purser/proxy/outside"
	"purser/proxy/redaction"
)

// Config is one recognizer.
type Config struct {
	Name string // as specs name it
	URL  string // the base address; /analyze is below it
	// Timeout bounds all calls for one request together. Default 2 s, 10 ms to 60 s.
	Timeout time.Duration
	// Concurrent is how many calls run at once. Default 8, 1 to 256.
	Concurrent int
	// TextBytes bounds one text; a longer one is asked about in parts that overlap.
	// Default 100,000, 1,000 to 10,000,000.
	TextBytes int
	// Header is sent with each call, such as Authorization.
	Header map[string]string
}

// Default is what [Config.Validate] accepts with a name and an address.
func Default() Config {
	return Config{Timeout: 2 * time.Second, Concurrent: 8, TextBytes: 100_000}
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
	if c.Timeout < 10*time.Millisecond || c.Timeout > time.Minute {
		errs = append(errs, errors.New("timeout is not within 10 ms to 60 s"))
	}
	if c.Concurrent < 1 || c.Concurrent > 256 {
		errs = append(errs, errors.New("concurrent is not within 1 to 256"))
	}
	if c.TextBytes < 1000 || c.TextBytes > 10_000_000 {
		errs = append(errs, errors.New("text_bytes is not within 1,000 to 10,000,000"))
	}
	return errors.Join(errs...)
}

// Limits of what is asked and answered.
const (
	maxAnswer  = 4 << 20 // bytes
	maxCalls   = 1000    // for one request
	overlap    = 200     // bytes that two parts of a text share
	shortest   = 3       // bytes of a text that is worth a call
	idleForEnd = 90 * time.Second
)

// Errors of a recognizer. None quotes a text.
var (
	ErrResting = errors.New("it failed repeatedly and is given a rest")
	ErrTooMuch = fmt.Errorf("the request needs more than %d calls", maxCalls)
)

// Client asks one recognizer. It is safe for concurrent use.
type Client struct {
	cfg    Config
	http   *http.Client
	places chan struct{}

	rest outside.Rest
}

// New makes a client.
func New(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("recognizer %s: %w", cfg.Name, err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: cfg.Concurrent, MaxConnsPerHost: cfg.Concurrent, IdleConnTimeout: idleForEnd}
	return &Client{
		cfg: cfg, places: make(chan struct{}, cfg.Concurrent),
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// Close lets go of idle connections. Calls under way end with their contexts.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// part is a part of a text that is asked about at once.
type part struct {
	text, from int
	bytes      []byte
}

// Analyze asks about texts and gives the spans of each, in bytes, of those that score
// at least what the hook wants.
func (c *Client) Analyze(ctx context.Context, h *redaction.Hook, texts [][]byte) ([][]redaction.Finding, error) {
	if c.rest.Resting(time.Now()) {
		return nil, ErrResting
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	parts := c.parts(texts)
	if len(parts) > maxCalls {
		return nil, ErrTooMuch
	}
	out := make([][]redaction.Finding, len(texts))
	var (
		wait  sync.WaitGroup
		mu    sync.Mutex
		fault error
	)
	for _, p := range parts {
		select {
		case c.places <- struct{}{}:
		case <-ctx.Done():
			wait.Wait()
			return nil, c.rest.Note(cmpError(fault, ctx.Err()))
		}
		wait.Go(func() {
			defer func() { <-c.places }()
			found, err := c.call(ctx, h, p)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				fault = cmpError(fault, err)
				cancel()
				return
			}
			out[p.text] = append(out[p.text], found...)
		})
	}
	wait.Wait()
	if c.rest.Note(fault) != nil {
		return nil, fault
	}
	return out, nil
}

func cmpError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// parts cuts texts where they are too long, between characters.
func (c *Client) parts(texts [][]byte) (all []part) {
	for i, t := range texts {
		for from := 0; len(t)-from >= shortest; {
			end := min(from+c.cfg.TextBytes, len(t))
			for end < len(t) && !utf8.RuneStart(t[end]) {
				end--
			}
			all = append(all, part{i, from, t[from:end]})
			if end == len(t) {
				break
			}
			for from = end - overlap; !utf8.RuneStart(t[from]); from-- {
			}
		}
	}
	return all
}

type question struct {
	Text      string   `json:"text"`
	Language  string   `json:"language"`
	Entities  []string `json:"entities,omitempty"`
	Threshold float64  `json:"score_threshold,omitempty"`
}

type result struct {
	Entity string  `json:"entity_type"`
	Start  int     `json:"start"`
	End    int     `json:"end"`
	Score  float64 `json:"score"`
}

func (c *Client) call(ctx context.Context, h *redaction.Hook, p part) ([]redaction.Finding, error) {
	q := question{Text: strings.ToValidUTF8(string(p.bytes), "\ufffd"), Language: h.Language, Entities: h.Entities, Threshold: h.MinScore}
	if q.Language == "" {
		q.Language = "en"
	}
	body, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("writing the question: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.cfg.URL, "/")+"/analyze", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("making the call: %w", err)
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
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	var list []result
	if len(answer) > maxAnswer || json.Unmarshal(answer, &list) != nil {
		return nil, errors.New("its answer is no list of results, or too long")
	}
	return spans(p, q.Text, list, h.MinScore)
}

// spans turns offsets of code points into those of bytes.
func spans(p part, text string, list []result, least float64) ([]redaction.Finding, error) {
	at := make([]int, 0, len(text)+1)
	for i := range text {
		at = append(at, i)
	}
	at = append(at, len(text))
	var out []redaction.Finding
	for _, r := range list {
		if r.Start < 0 || r.End <= r.Start || r.End >= len(at) {
			return nil, errors.New("its answer has a span that is none of the text")
		}
		if r.Score < least {
			continue
		}
		if len(text) != len(p.bytes) {
			return nil, errors.New("the text is not UTF-8")
		}
		out = append(out, redaction.Finding{Start: p.from + at[r.Start], End: p.from + at[r.End], Entity: r.Entity})
	}
	return out, nil
}
