package googletoken

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"purser/proxy/upstream"
)

// Limits of the refreshing.
const (
	// ahead is how long before its end a token is replaced. The metadata server has
	// a new one from five minutes before; asked earlier it gives the old one again.
	ahead = 4 * time.Minute
	// spare is how long a token must still be good for to go upstream: it is
	// checked there, by another clock.
	spare = 10 * time.Second
	// fetchTime limits one fetch.
	fetchTime = 15 * time.Second
	// firstRetry doubles with each failure up to lastRetry, which is also the least
	// between two fetches that succeed.
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// Token is an access token and when it ends.
type Token struct {
	Secret  upstream.Secret
	Expires time.Time
}

// Fetch gets a new token. It ends with its context.
type Fetch func(context.Context) (Token, error)

// Source keeps a token at hand. It is safe for concurrent use.
type Source struct {
	fetch Fetch
	log   *slog.Logger
	token atomic.Pointer[Token]
	stop  context.CancelFunc
	tasks sync.WaitGroup
	tried chan struct{} // closed when the first fetch has ended
}

var _ upstream.Authorizer = (*Source)(nil)

// New starts a Source. Its first token comes soon, or never: see Ready.
func New(fetch Fetch, log *slog.Logger) *Source {
	ctx, stop := context.WithCancel(context.Background())
	s := &Source{fetch: fetch, log: log, stop: stop, tried: make(chan struct{})}
	s.tasks.Go(func() { s.run(ctx) })
	return s
}

// Ready waits until the first fetch has ended, however it did, or ctx has.
func (s *Source) Ready(ctx context.Context) {
	select {
	case <-s.tried:
	case <-ctx.Done():
	}
}

// Close ends the refreshing and waits for it. The token stays as it is.
func (s *Source) Close() {
	s.stop()
	s.tasks.Wait()
}

var errNone = errors.New("there is no access token of Google's that is valid now")

// Authorize implements upstream.Authorizer. It never waits.
func (s *Source) Authorize(*upstream.Outgoing) ([]upstream.Header, error) {
	t := s.token.Load()
	if t == nil || time.Until(t.Expires) < spare {
		return nil, errNone
	}
	return []upstream.Header{{Name: "Authorization", Value: "Bearer " + string(t.Secret)}}, nil
}

func (s *Source) run(ctx context.Context) {
	retry := firstRetry
	for first := true; ; first = false {
		t, err := s.once(ctx)
		wait := time.Until(t.Expires) - ahead
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Warn("no access token could be had from Google", "error", err, "again_in", retry)
			wait = retry/2 + rand.N(retry/2)
			retry = min(2*retry, lastRetry)
		default:
			s.token.Store(&t)
			retry, wait = firstRetry, max(wait, lastRetry)
		}
		if first {
			close(s.tried)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// once gets a token that can be used.
func (s *Source) once(ctx context.Context) (Token, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	t, err := s.fetch(ctx)
	switch {
	case err != nil:
		return Token{}, harmless(err)
	case t.Secret == "":
		return Token{}, errors.New("the token that came is empty")
	case time.Until(t.Expires) < spare:
		return Token{}, fmt.Errorf("the token that came ends at %s, which is too soon or past: compare this machine's clock", t.Expires.UTC().Format(time.RFC3339))
	}
	return t, nil
}
