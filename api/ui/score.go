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

	"purser/api/admin"
)

const (
	// reportWait is how long a page waits for others' reports on efficiency: a node makes
	// one at a time, since each reads every record of its time.
	reportWait = 20 * time.Second
	// reportAgain is when it asks again.
	reportAgain = 500 * time.Millisecond
	// keptFor is how long the overview shows what needs every record of a day before it is
	// worked out again.
	keptFor = 5 * time.Minute
	// maxKept bounds what is kept, one for each reach.
	maxKept = 64
)

// lately keeps what was worked out not long ago, by the permissions of who asked, on which
// alone it depends.
type lately[T any] struct {
	mu sync.Mutex
	by map[string]kept[T]
}

type kept[T any] struct {
	what T
	at   time.Time
}

func (l *lately[T]) get(reach string, now time.Time) (T, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k, ok := l.by[reach]
	return k.what, ok && now.Sub(k.at) < keptFor
}

func (l *lately[T]) put(reach string, what T, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil || len(l.by) >= maxKept {
		l.by = map[string]kept[T]{}
	}
	l.by[reach] = kept[T]{what, now}
}

// reach writes down over what a reader has some permissions.
func (c *Call) reach(permissions ...string) (string, error) {
	var list []any
	for _, p := range permissions {
		over, ok := c.Who.Permissions[p]
		list = append(list, ok, over)
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "", fmt.Errorf("writing a reach: %w", err)
	}
	return string(text), nil
}

// efficiency asks of a time, or of one request, whether it was justified. While another
// report is made it waits, for a while.
func (c *Call) efficiency(q url.Values) (*admin.EfficiencyReport, error) {
	ctx, cancel := context.WithTimeout(c.R.Context(), reportWait)
	defer cancel()
	again := time.NewTicker(reportAgain)
	defer again.Stop()
	for {
		var e admin.EfficiencyReport
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
	reach, err := c.reach("usage:read")
	if err != nil {
		return err
	}
	sum, ok := c.u.scores.get(reach, c.Now)
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
		if sum.Score != nil { // without a record there is nothing to save
			c.u.scores.put(reach, sum, c.Now)
		}
	}
	return c.Part("overview", "score", &sum)
}

// unitsPart is what the last day bought, for the overview, which does not wait for it.
func unitsPart(c *Call) error {
	reach, err := c.reach("usage:read", "revenue:read")
	if err != nil {
		return err
	}
	total, ok := c.u.units.get(reach, c.Now)
	if !ok {
		day, err := spanOf(url.Values{}, c.Now)
		if err != nil {
			return err
		}
		var report admin.UnitsReport
		err = c.Get("/economics/units", day.values(), &report)
		if absent(err) {
			return c.gone()
		}
		if err != nil {
			return err
		}
		total = report.Total.Units
		c.u.units.put(reach, total, c.Now)
	}
	return c.Part("overview", "units", &total)
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
