package waste

import (
	"purser/internal/economics"
	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

// Survey learns from all records of a range what no record says alone.
type Survey struct {
	opt    Options
	prices Prices

	tasks  map[key]map[key]*model
	peers  map[key]*sizes
	runs   map[key]*run
	groups map[key]*group
	counts map[key]struct{} // runs that a task's model has been judged by
	least  map[key]int64    // input tokens of the shortest call with a beginning
	cuts   aging[cutCall]
	again  map[record.ID]struct{} // whose answers were cut, and asked again

	// Full says that a limit was met: what came after it is not judged by the survey.
	Full bool
}

// model is how one model does a task.
type model struct {
	worth share
	rate  *price.Rate
	tier  price.Tier
}

type run struct {
	group    key
	last     ledger.Instant
	reported bool
}

// group is the runs of one agent or feature.
type group struct{ runs, reported int64 }

type cutCall struct {
	id    record.ID
	at    ledger.Instant
	exact uint64
}

// NewSurvey begins one.
func NewSurvey(o Options, p Prices) *Survey {
	return &Survey{
		opt: o, prices: p,
		tasks: map[key]map[key]*model{}, peers: map[key]*sizes{}, runs: map[key]*run{}, groups: map[key]*group{},
		counts: map[key]struct{}{}, least: map[key]int64{}, again: map[record.ID]struct{}{}, cuts: newAging[cutCall](o.Limits.Calls),
	}
}

// Add takes in a record and what was reported of it. Records come in the order of their
// times.
func (s *Survey) Add(r *record.Record, e economics.Evidence) {
	if r.Kind != record.KindRequest {
		return
	}
	c := callOf(r, s.prices)
	s.seeRun(&c, &e)
	if r.Attempts == 0 {
		return
	}
	s.seeCut(&c)
	if !c.billed() {
		return
	}
	good, judged := worth(&e)
	judged = judged && s.counted(&c)
	if c.task != 0 && judged {
		s.seeTask(&c, good)
	}
	if c.peers != 0 {
		s.seePeers(&c, good, judged)
	}
	if input := r.Usage.TotalInput(); r.Prefix != 0 && input > 0 {
		k := newKey.number(r.Prefix).number(uint64(c.model))
		if was, known := s.least[k]; known {
			s.least[k] = min(was, input)
		} else if room(s.least, s.opt.Limits.Groups, &s.Full) {
			s.least[k] = input
		}
	}
}

// room says whether a map may grow, and notes where it may not.
func room[K comparable, V any](m map[K]V, limit int, full *bool) bool {
	if len(m) < limit {
		return true
	}
	*full = true
	return false
}

func (s *Survey) seeRun(c *call, e *economics.Evidence) {
	if c.run == 0 || c.group == 0 {
		return
	}
	x := s.runs[c.run]
	if x == nil {
		if !room(s.runs, s.opt.Limits.Runs, &s.Full) {
			return
		}
		x = &run{group: c.group}
		s.runs[c.run] = x
	}
	x.last = max(x.last, c.end())
	x.reported = x.reported || e.Known()
}

// counted says whether what was reported of a call counts: what is of a run as a whole
// counts once for each model, or a long run would weigh more than a short one.
func (s *Survey) counted(c *call) bool {
	if c.run == 0 {
		return true
	}
	k := c.run.number(uint64(c.model)).number(uint64(c.task))
	if _, done := s.counts[k]; done || !room(s.counts, s.opt.Limits.Runs, &s.Full) {
		return false
	}
	s.counts[k] = struct{}{}
	return true
}

func (s *Survey) seeTask(c *call, good float64) {
	models := s.tasks[c.task]
	if models == nil {
		if !room(s.tasks, s.opt.Limits.Groups, &s.Full) {
			return
		}
		models = map[key]*model{}
		s.tasks[c.task] = models
	}
	m := models[c.model]
	if m == nil {
		if !room(models, s.opt.Limits.Models, &s.Full) {
			return
		}
		m = &model{}
		models[c.model] = m
	}
	m.worth.add(good)
	m.rate, m.tier = c.terms.Rate, c.terms.Tier
}

func (s *Survey) seePeers(c *call, good float64, judged bool) {
	p := s.peers[c.peers]
	if p == nil {
		if !room(s.peers, s.opt.Limits.Groups, &s.Full) {
			return
		}
		p = &sizes{}
		s.peers[c.peers] = p
	}
	b := bin(c.r.Usage.TotalInput())
	p.n++
	p.count[b]++
	if judged {
		p.worth[b].add(good)
	}
	switch c.r.Shape.Level {
	case "lossless", "near_lossless":
		if c.r.Shape.Before > 0 {
			p.compressed++
			p.before += c.r.Shape.Before
			p.after += c.r.Shape.After
		}
		if judged {
			p.shaped.add(good)
		}
	case "":
		if judged {
			p.plain.add(good)
		}
	}
}

// seeCut notes a call whose answer ended at its cap, and one that asks it again.
func (s *Survey) seeCut(c *call) {
	if c.r.Gist == 0 {
		return
	}
	k := uint64(newKey.number(c.r.Gist).number(c.r.Prefix).text(c.r.Dims.Values[ledger.DimKey]).text(c.r.Dims.Values[ledger.DimRun]))
	if was, ok := s.cuts.get(k); ok && was.id != c.id && was.exact != c.r.Fingerprint && c.r.At-was.at <= s.opt.AgainWindow && room(s.again, s.opt.Limits.Calls, &s.Full) {
		s.again[was.id] = struct{}{}
	}
	if c.cut() {
		s.cuts.put(k, cutCall{c.id, c.end(), c.r.Fingerprint})
	} else if _, ok := s.cuts.get(k); ok {
		s.cuts.put(k, cutCall{}) // answered: later ones are another matter
	}
}

// close counts the runs, once all records are known.
func (s *Survey) close() {
	for _, x := range s.runs {
		if x.last > s.opt.Now-s.opt.Reporting {
			continue
		}
		g := s.groups[x.group]
		if g == nil {
			g = &group{}
			s.groups[x.group] = g
		}
		g.runs++
		if x.reported {
			g.reported++
		}
	}
}

// lacking says whether the run of a call ought to have an outcome and has none.
func (s *Survey) lacking(c *call) bool {
	x := s.runs[c.run]
	if c.run == 0 || x == nil || x.reported || x.last > s.opt.Now-s.opt.Reporting {
		return false
	}
	g := s.groups[x.group]
	return g != nil && g.runs >= s.opt.LeastRuns && float64(g.reported) >= s.opt.Reported*float64(g.runs)
}
