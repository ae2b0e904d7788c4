package embed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Remote asks a server for vectors. Make it with [OpenAI] or [Ollama].
//
// Each call has a deadline, an answer has a bound, every vector is checked, and a
// server that fails several times in a row is left alone for a while. Vectors of
// recent texts are remembered by the texts' hashes. [Remote.Close] lets its
// connections go.
type Remote struct {
	id       string
	wire     wire
	endpoint string
	o        RemoteOptions
	client   *http.Client
	own      *http.Transport // nil if the caller brought one
	calls    chan struct{}
	recent   *recent
	rest     rest
}

// RemoteOptions say which server is asked and how.
type RemoteOptions struct {
	// URL is the base of the API: http or https, without credentials, query or
	// fragment, such as https://api.openai.com/v1 or http://localhost:11434.
	URL string
	// Model is the model's name, 1 to 200 bytes.
	Model string
	// Dim is the dimension of the model's vectors, 1 to 4096; an answer with another
	// is an error.
	Dim int
	// AskDim sends Dim to the server, for models that can shorten their vectors.
	AskDim bool
	// Key is sent as a bearer token if it is not empty.
	Key string
	// Timeout bounds a call, however long the caller's context lasts: default
	// 500 ms, at most 30 s.
	Timeout time.Duration
	// Calls bounds the calls in flight; others wait for theirs, within their time:
	// default 32, at most 1024.
	Calls int
	// RecentBytes bounds the vectors that are remembered: default 16 MiB, at most
	// 1 GiB; negative for none.
	RecentBytes int
	// PicoDollarsPerToken is the price of a token, not negative.
	PicoDollarsPerToken int64
	// Transport carries the calls; nil for one of its own.
	Transport http.RoundTripper
}

const (
	defaultTimeout = 500 * time.Millisecond
	maxTimeout     = 30 * time.Second
	defaultCalls   = 32
	maxCalls       = 1024
	defaultRecent  = 16 << 20
	maxRecent      = 1 << 30
	maxModel       = 200
	maxRemoteDim   = 4096
	// MaxBatch is how many texts are sent with one call.
	MaxBatch = 64
	// valueBytes bounds what a value takes in an answer, with its comma and space.
	valueBytes = 40
	// answerBytes bounds what an answer has beside its values.
	answerBytes = 64 << 10
)

// remotePipeline is the version of what happens between a text and its vector, on
// this side. Raise it with any change that moves a vector.
const remotePipeline = "1"

var (
	// ErrAnswer is the error for an answer that cannot be read.
	ErrAnswer = errors.New("embed: the server's answer cannot be read")
	// ErrTooLarge is the error for an answer beyond its bound.
	ErrTooLarge = errors.New("embed: the server's answer is too large")
	// ErrResting is the error for a server that is left alone after failures.
	ErrResting = errors.New("embed: the server failed several times and is left alone for a while")
	// ErrTextTooLong is the error for a text beyond [MaxTextBytes].
	ErrTextTooLong = errors.New("embed: the text is too long")
)

// StatusError is the error for an answer with a status other than 200.
type StatusError int

func (e StatusError) Error() string { return fmt.Sprintf("embed: the server answered %d", int(e)) }

// wire is how one kind of server is spoken to.
type wire struct {
	kind, path string
	ask        func(o *RemoteOptions, texts []string) ([]byte, error)
	// read gives a vector for each of n texts, in their order, and the tokens that
	// were billed, negative if the answer does not tell.
	read func(body []byte, n int) (vectors [][]float32, tokens int64, err error)
}

func newRemote(w wire, o RemoteOptions) (*Remote, error) {
	base, err := url.Parse(o.URL)
	switch {
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https":
		return nil, errors.New("embed: the URL is not one of http or https")
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("embed: the URL has credentials, a query or a fragment")
	case o.Model == "" || len(o.Model) > maxModel:
		return nil, fmt.Errorf("embed: the model's name has %d bytes, not 1 to %d", len(o.Model), maxModel)
	case o.Dim < 1 || o.Dim > maxRemoteDim:
		return nil, fmt.Errorf("embed: dimension %d, not 1 to %d", o.Dim, maxRemoteDim)
	case o.Timeout < 0 || o.Timeout > maxTimeout:
		return nil, fmt.Errorf("embed: timeout %v, not up to %v", o.Timeout, maxTimeout)
	case o.Calls < 0 || o.Calls > maxCalls:
		return nil, fmt.Errorf("embed: %d calls in flight, not up to %d", o.Calls, maxCalls)
	case o.RecentBytes > maxRecent:
		return nil, fmt.Errorf("embed: %d bytes of recent vectors, not up to %d", o.RecentBytes, maxRecent)
	case o.PicoDollarsPerToken < 0:
		return nil, errors.New("embed: a negative price")
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Calls == 0 {
		o.Calls = defaultCalls
	}
	if o.RecentBytes == 0 {
		o.RecentBytes = defaultRecent
	}
	base.Host = strings.ToLower(base.Host)
	endpoint := strings.TrimSuffix(base.String(), "/") + w.path
	r := &Remote{
		id: remoteID(w.kind, endpoint, &o), wire: w, endpoint: endpoint, o: o,
		calls: make(chan struct{}, o.Calls), recent: newRecent(o.RecentBytes, o.Dim), rest: rest{now: time.Now},
	}
	if o.Transport == nil {
		r.own = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: o.Calls, MaxConnsPerHost: o.Calls,
			IdleConnTimeout: time.Minute, TLSHandshakeTimeout: o.Timeout, MaxResponseHeaderBytes: 64 << 10,
		}
		r.o.Transport = r.own
	}
	r.client = &http.Client{
		Transport: r.o.Transport,
		// Where texts and the key are sent is the operator's choice, not the server's.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return r, nil
}

// remoteID names the model for people, and everything by a hash.
func remoteID(kind, endpoint string, o *RemoteOptions) string {
	asked := fmt.Sprintf("%q %q %q %d %t %q", kind, endpoint, o.Model, o.Dim, o.AskDim, remotePipeline)
	sum := sha256.Sum256([]byte(asked))
	model := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._/", r) {
			return r
		}
		return '_'
	}, o.Model)
	return fmt.Sprintf("%s:%.64s:%d:%s", kind, model, o.Dim, hex.EncodeToString(sum[:8]))
}

// ID implements [Embedder]: it changes with the kind of API, the address, the model
// and the dimension.
func (r *Remote) ID() string { return r.id }

// Dim implements [Embedder].
func (r *Remote) Dim() int { return r.o.Dim }

// Close lets idle connections go. Calls in flight end by their contexts.
func (r *Remote) Close() {
	if r.own != nil {
		r.own.CloseIdleConnections()
	}
}

// Embed implements [Embedder].
func (r *Remote) Embed(ctx context.Context, dst []float32, text string) error {
	_, err := r.EmbedMetered(ctx, dst, text)
	return err
}

// EmbedMetered implements [Metered].
func (r *Remote) EmbedMetered(ctx context.Context, dst []float32, text string) (Spend, error) {
	return r.EmbedBatch(ctx, [][]float32{dst}, []string{text})
}

// EmbedBatch embeds texts into dst, one each, with as few calls as [MaxBatch] allows.
// The spend is told also beside an error.
func (r *Remote) EmbedBatch(ctx context.Context, dst [][]float32, texts []string) (Spend, error) {
	if len(dst) != len(texts) {
		return Spend{}, ErrDimension
	}
	var asked []int
	for i, text := range texts {
		switch {
		case len(dst[i]) != r.o.Dim:
			return Spend{}, ErrDimension
		case strings.TrimSpace(text) == "":
			return Spend{}, ErrNoWords
		case len(text) > MaxTextBytes:
			return Spend{}, ErrTextTooLong
		}
		if !r.recent.get(dst[i], text) {
			asked = append(asked, i)
		}
	}
	var spend Spend
	for len(asked) > 0 {
		n := min(len(asked), MaxBatch)
		s, err := r.embed(ctx, dst, texts, asked[:n])
		spend = spend.Add(s)
		if err != nil {
			return spend, err
		}
		asked = asked[n:]
	}
	return spend, nil
}

// embed asks for the texts with the numbers of asked, and remembers their vectors.
func (r *Remote) embed(ctx context.Context, dst [][]float32, texts []string, asked []int) (Spend, error) {
	part := make([]string, len(asked))
	size := 0
	for i, at := range asked {
		part[i] = texts[at]
		size += len(texts[at])
	}
	body, err := r.wire.ask(&r.o, part)
	if err != nil {
		return Spend{}, err
	}
	if !r.rest.may() {
		return Spend{}, ErrResting
	}
	vectors, tokens, err := r.call(ctx, body, len(part))
	spend := r.spend(tokens, size, len(part), err)
	if err == nil {
		err = r.take(dst, texts, asked, vectors)
	}
	// A caller that went away says nothing of the server.
	r.rest.note(err == nil, ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded))
	return spend, err
}

// take checks vectors, all before one of them is remembered.
func (r *Remote) take(dst [][]float32, texts []string, asked []int, vectors [][]float32) error {
	for i, at := range asked {
		if len(vectors[i]) != r.o.Dim {
			return fmt.Errorf("%w: the server's vectors have %d values, not %d", ErrDimension, len(vectors[i]), r.o.Dim)
		}
		copy(dst[at], vectors[i])
		if err := Normalize(dst[at]); err != nil {
			return err
		}
	}
	for _, at := range asked {
		r.recent.put(dst[at], texts[at])
	}
	return nil
}

// spend is what a call cost. A server's count is believed up to what its text could
// be: a token has a byte at least, and there are few beside the text's.
func (r *Remote) spend(tokens int64, size, texts int, err error) Spend {
	s := Spend{Tokens: tokens}
	if tokens < 0 {
		if err != nil {
			return Spend{} // no answer that would have been billed
		}
		s = Spend{Tokens: int64(size+3) / 4, Estimated: true}
	}
	s.Tokens = min(s.Tokens, int64(size+16*texts))
	s.PicoDollars = product(s.Tokens, r.o.PicoDollarsPerToken)
	return s
}

func (r *Remote) call(ctx context.Context, body []byte, texts int) ([][]float32, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	select {
	case r.calls <- struct{}{}:
		defer func() { <-r.calls }()
	case <-ctx.Done():
		return nil, -1, fmt.Errorf("embed: waiting for a call: %w", ctx.Err())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, -1, fmt.Errorf("embed: making the call: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if r.o.Key != "" {
		req.Header.Set("Authorization", "Bearer "+r.o.Key)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, -1, fmt.Errorf("embed: asking the server: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, -1, StatusError(resp.StatusCode)
	}
	bound := int64(answerBytes + texts*r.o.Dim*valueBytes)
	if resp.ContentLength > bound {
		return nil, -1, ErrTooLarge
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, bound+1))
	if err != nil {
		return nil, -1, fmt.Errorf("embed: reading the answer: %w", err)
	}
	if int64(len(answer)) > bound {
		return nil, -1, ErrTooLarge
	}
	return r.wire.read(answer, texts)
}
