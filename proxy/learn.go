package proxy

import (
	"context"
	"time"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/route"
)

// learnTime is how long a learner may take: it is asked on the way of each request,
// and what it says is worth a few milliseconds and no more.
const learnTime = 50 * time.Millisecond

// learn asks the learner of a route. Whatever goes wrong there, the request goes on.
func (x *exchange) learn(r *route.Route, f *route.Facts) {
	if x.g.seams.Learner == nil {
		f.Unranked = "there is no learner"
		return
	}
	q := &route.Query{Route: r.Name(), Learner: r.Learner(), Text: x.lastText, Random: r.Chance(f)}
	var of []int
	for i := range f.Of {
		if f.Of[i].Barred == "" {
			of = append(of, i)
			c := &r.Candidates()[i]
			q.Candidates = append(q.Candidates, route.Option{Name: r.Named(i), Model: c.Model, Quality: c.Quality, Cost: f.Of[i].Cost})
		}
	}
	ctx, stop := context.WithTimeout(x.g.base, learnTime)
	defer stop()
	ranking, err := x.g.seams.Learner.Rank(ctx, q)
	switch {
	case err != nil:
		f.Unranked = err.Error()
	case len(ranking.Scores) != len(of):
		f.Unranked = "the learner has not scored every candidate"
	default:
		f.Ranked = ranking.Why
		x.rec.Route.Cluster, x.rec.Route.Canary = ranking.Cluster, ranking.Canary
		for n, i := range of {
			f.Of[i].Score = ranking.Scores[n]
		}
	}
}

// lastText is the last text of the prompt, "" where there is none: what an agent or a
// person has just said.
func (x *exchange) lastText() string {
	for i := len(x.call.Texts) - 1; i >= 0; i-- {
		t := x.call.Texts[i]
		text := x.call.Raw[t.Start:t.End]
		switch t.Kind {
		case dialect.PlainText:
			return string(text)
		case dialect.EscapedText:
			return string(jsonscan.AppendText(nil, text))
		}
	}
	return ""
}
