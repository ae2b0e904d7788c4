package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"

	"purser/ledger"
	"purser/proxy/route"
	"purser/proxy/route/learned"
	"purser/semcache/embed"
)

// learner scores candidates of routes by the routers of the directory.
type learner struct {
	rules *ruleBook
	// stopped are the canaries that this node found to be no good, until the directory
	// says so: canaryName to nothing.
	stopped sync.Map
}

// canaryName is one canary of a router: put again, it is another.
type canaryName struct {
	router, candidate string
	since             int64
}

func nameCanary(router string, c *learned.Canary) canaryName {
	return canaryName{router, c.Candidate, c.Since}
}

// Scores of a canary that a request was drawn for, and of one that it was not: before
// and after all others, whose scores are 0 to a million.
const (
	canaryFirst = 2_000_000
	canaryLast  = -1
)

// prepare makes ready for the routers that there are, so that no request waits for the
// table to be indexed.
func (l *learner) prepare(log *slog.Logger) {
	rules, err := l.rules.compiled()
	if err != nil {
		return // requests are refused until the rules can be read
	}
	for range rules.Routers() {
		if _, err := embed.NewStatic(); err != nil {
			log.Error("prompts have no vectors: routes of the strategy learned go as they are written", "error", err)
		}
		return
	}
}

// Rank implements route.Learner.
func (l *learner) Rank(ctx context.Context, q *route.Query) (route.Ranking, error) {
	rules, err := l.rules.compiled()
	if err != nil {
		return route.Ranking{}, err
	}
	r := rules.Router(q.Learner)
	if r == nil {
		return route.Ranking{}, errors.New("there is no router " + strconv.Quote(q.Learner))
	}
	if id := embed.StaticID(); r.Embedder != id {
		return route.Ranking{}, fmt.Errorf("the router was trained with the embedder %s, and this node has %s: train it anew", r.Embedder, id)
	}
	table, err := embed.NewStatic()
	if err != nil {
		return route.Ranking{}, err
	}
	options := make([]learned.Option, 0, len(q.Candidates))
	for _, c := range q.Candidates {
		options = append(options, learned.Option{ID: c.Name, Quality: c.Quality, Cost: c.Cost})
	}
	vector := make([]float32, table.Dim())
	if err := table.Embed(ctx, vector, q.Text()); errors.Is(err, embed.ErrNoWords) {
		vector = nil
	} else if err != nil {
		return route.Ranking{}, err
	}
	scored, err := r.Score(vector, options)
	if err != nil {
		return route.Ranking{}, err
	}
	out := route.Ranking{Scores: scored.Scores, Cluster: int64(scored.Cluster), Why: "cluster " + strconv.Itoa(scored.Cluster)}
	if vector == nil {
		out.Why = "of all clusters, as nothing of the prompt has a vector"
	}
	l.drawCanary(q, r.Canary, &out)
	return out, nil
}

// drawCanary puts the canary first in its share of the requests, and last in others.
func (l *learner) drawCanary(q *route.Query, c *learned.Canary, out *route.Ranking) {
	if c == nil {
		return
	}
	i := slices.IndexFunc(q.Candidates, func(o route.Option) bool { return o.Name == c.Candidate })
	if i < 0 {
		return
	}
	out.Scores[i] = canaryLast
	if _, stopped := l.stopped.Load(nameCanary(q.Learner, c)); !stopped && c.Draws(q.Random) {
		out.Scores[i], out.Canary = canaryFirst, true
		out.Why = fmt.Sprintf("canary, %v %% of requests; %s", c.Percent, out.Why)
	}
}

// answerOf is the candidate of a route that a model at an upstream is; "" for none.
func answerOf(r *route.Route, model, upstream string) string {
	name := ""
	for i, c := range r.Candidates() {
		switch {
		case c.Model != model || c.Upstream != "" && c.Upstream != upstream:
		case c.Upstream == upstream:
			return r.Named(i)
		case name == "":
			name = r.Named(i)
		}
	}
	return name
}

// instantAt is an instant as routers have it: whole seconds since 1970.
func instantAt(s int64) ledger.Instant { return ledger.Instant(s) * ledger.Second }
