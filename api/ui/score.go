package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	// reportWait is how long a page waits for others' reports on efficiency: a node makes
	// one at a time, since each reads every record of its time.
	reportWait = 20 * time.Second
	// reportAgain is when it asks again.
	reportAgain = 500 * time.Millisecond
	// scoreFor is how long the overview shows a score before it is worked out again.
	scoreFor = 5 * time.Minute
	// maxScores bounds the scores that are kept, one for each reach.
	maxScores = 64
)

// scores are those of the last day, by the reach of who asks, on which alone they depend.
type scores struct {
	mu   sync.Mutex
	kept map[string]score
}

type score struct {
	sum efficiencySum
	at  time.Time
}

func (s *scores) get(reach string, now time.Time) (efficiencySum, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.kept[reach]
	return k.sum, ok && now.Sub(k.at) < scoreFor
}

func (s *scores) put(reach string, sum efficiencySum, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil || len(s.kept) >= maxScores {
		s.kept = map[string]score{}
	}
	s.kept[reach] = score{sum, now}
}

// efficiency asks of a time, or of one request, whether it was justified. While another
// report is made it waits, for a while.
func (c *Call) efficiency(q url.Values) (*efficiency, error) {
	ctx, cancel := context.WithTimeout(c.R.Context(), reportWait)
	defer cancel()
	again := time.NewTicker(reportAgain)
	defer again.Stop()
	for {
		var e efficiency
		err := c.Get("/economics/efficiency", q, &e)
		var f *fault
		if err == nil {
			return &e, nil
		}
		if !errors.As(err, &f) || f.status != http.StatusServiceUnavailable {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-again.C:
		}
	}
}

// scorePart is the score of the last day, for the overview, which does not wait for it.
func scorePart(c *Call) error {
	reach, err := json.Marshal(c.Who.Permissions["usage:read"])
	if err != nil {
		return fmt.Errorf("writing a reach: %w", err)
	}
	sum, ok := c.u.scores.get(string(reach), c.Now)
	if !ok {
		day, err := spanOf(url.Values{}, c.Now)
		if err != nil {
			return err
		}
		e, err := c.efficiency(day.values())
		if absent(err) {
			return c.gone()
		}
		if err != nil {
			return err
		}
		sum = e.Sum
		c.u.scores.put(string(reach), sum, c.Now)
	}
	return c.Part("overview", "score", &sum)
}

// gone has a page take a part away that it cannot have.
func (c *Call) gone() error {
	c.W.Header().Set("HX-Reswap", "delete")
	c.W.WriteHeader(http.StatusOK)
	return nil
}

// verdictPart says whether a request was justified, for its page, which does not wait for it.
func verdictPart(c *Call) error {
	e, err := c.efficiency(url.Values{"request": {c.R.PathValue("id")}})
	if absent(err) {
		return c.gone()
	}
	if err != nil {
		return err
	}
	return c.Part("request", "verdict", e)
}
