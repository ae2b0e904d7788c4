package anomaly

import (
	"cmp"
	"math"
	"slices"
	"time"

	"purser/ledger"
)

// MaxSeries bounds the keys that are followed, and maxOfDim those of one dimension, so that
// customers without number leave room for teams and models.
const (
	MaxSeries = 8192
	maxOfDim  = MaxSeries / 4
)

// Config says what is worth telling.
type Config struct {
	// Score is how many scales the excess of a minute must reach.
	Score float64
	// Material is how much excess an hour, at the rate of the minute, is worth telling.
	Material ledger.Amount // nano-dollars
}

// DefaultConfig is for a spending of some dollars an hour and more.
func DefaultConfig() Config {
	return Config{Score: 6, Material: 1_000_000_000}
}

const (
	confirm     = 2   // bins in a row
	calm        = 6   // bins in a row until it is over
	leastOfFew  = 3   // requests that a flagged minute must be spread over
	adaptAfter  = 30  // minutes after which what is far from usual becomes it
	farFrom     = 0.5 // of the bound: what is beyond is not learned from at once
	forgetAfter = 2 * 60 * 6
	leastPeers  = 200 // minutes of others that a key which is not known is compared with
	maxPeers    = 4096
	peersFactor = 3    // how far beyond nearly all minutes of others a new key must be
	explained   = 0.75 // the part of an excess that makes another key its explanation
)

// Event is an anomaly.
type Event struct {
	Key
	Began    ledger.Instant // of the minute that was flagged first
	Flagged  ledger.Instant // when it was
	Ended    ledger.Instant // 0: it lasts
	Spent    float64        // nano-dollars in the minute that was flagged; later in the dearest one
	Usual    float64        // in a minute
	Scale    float64
	Requests int64 // in that minute
	New      bool  // the key was not known: compared with others of its dimension
	// By is the narrower key that most of it is, where there is one; its zero value, none.
	By Key
}

// Score is how many scales the excess was at its worst.
func (e *Event) Score() float64 {
	if e.Scale <= 0 {
		return math.Inf(1)
	}
	return (e.Spent - e.Usual) / e.Scale
}

// Detector follows the spending of a cluster. It is not safe for concurrent use.
type Detector struct {
	cfg     Config
	series  map[Key]*series
	dims    map[string]int    // series by dimension
	peers   map[string]*peers // minutes of all values of a dimension, in which anything was spent
	seasons map[Key]*Season
	began   int64 // the first bin
	bin     int64 // the last one
	scratch []float64
}

// peers are minutes of all keys of a dimension.
type peers struct {
	costs []float64 // a ring once it is full
	next  int
	high  float64 // what nearly none passes; of an earlier look
	stale int     // minutes since
}

// New follows nothing yet.
func New(cfg Config) *Detector {
	return &Detector{
		cfg: cfg, series: map[Key]*series{}, dims: map[string]int{}, peers: map[string]*peers{}, seasons: map[Key]*Season{},
		scratch: make([]float64, 0, maxPeers),
	}
}

// Seasons gives what is usual by hour of the week, for the keys of which that is known.
func (d *Detector) Seasons(all map[Key]*Season) {
	d.seasons = all
	for k, s := range d.series {
		s.season = all[k]
	}
}

// Learn gives whole minutes that a key spent in before the next bin, the last ones last.
// Those that are not given are not known; it is for a detector that begins.
func (d *Detector) Learn(k Key, minutes []Sum, next int64) {
	s := d.of(k)
	if s == nil {
		return
	}
	s.minutes, s.oldest, s.active = nil, 0, next
	for _, m := range minutes[max(0, len(minutes)-minutesKept):] {
		s.keep(minute{Sum: m})
	}
}

// SeasonOf is what is usual by hour of the week, of what was spent in hours, by their
// numbers since 1970. An hour of the week is known that is there three times.
func SeasonOf(hours map[int64]float64, from, to int64) *Season {
	var of [hoursOfWeek][]float64
	for n := from; n < to; n++ {
		h := HourOfWeek(ledger.Instant(n) * ledger.Hour)
		of[h] = append(of[h], hours[n]/60)
	}
	s := &Season{}
	for h, minutes := range of {
		if len(minutes) >= leastWeeks {
			m, mad := MedianMAD(minutes)
			// Minutes of an hour differ more than hours do.
			s[h] = Usual{Median: m, Scale: mad + m/2, Known: true}
		}
	}
	return s
}

// leastWeeks is how often an hour of the week must have been there.
const leastWeeks = 3

// Bin takes what was spent in a bin, and returns the anomalies that began or ended with
// it. Bins come in order; of those that are left out nothing is known.
func (d *Detector) Bin(number int64, samples []Sample) (news []*Event) {
	if d.bin == 0 {
		d.began = number
	}
	if number <= d.bin {
		return nil
	}
	for n := max(d.bin+1, number-forgetAfter); n <= number; n++ {
		if n%binsOfMinute == 0 && n > d.began {
			d.endMinute(n)
		}
		for _, s := range d.series {
			s.window[n%binsOfMinute] = Sum{}
		}
	}
	d.bin = number
	for _, x := range samples {
		s := d.of(x.Key)
		if s == nil {
			continue
		}
		s.window[number%binsOfMinute].Add(x.Sum)
		s.current.Add(x.Sum)
		s.active = number
	}
	for k, s := range d.series {
		if e := d.judge(k, s); e != nil {
			news = append(news, e)
		}
	}
	d.explain(news)
	slices.SortFunc(news, func(a, b *Event) int {
		return cmp.Or(cmp.Compare(b.Spent, a.Spent), cmp.Compare(a.Dim, b.Dim), cmp.Compare(a.Value, b.Value))
	})
	return news
}

func (d *Detector) of(k Key) *series {
	s := d.series[k]
	if s == nil && len(d.series) < MaxSeries && d.dims[k.Dim] < maxOfDim {
		s = &series{season: d.seasons[k]}
		d.series[k] = s
		d.dims[k.Dim]++
	}
	return s
}

// endMinute has every series remember the minute that has ended before bin n.
func (d *Detector) endMinute(n int64) {
	for k, s := range d.series {
		if s.event == nil && n-s.active > forgetAfter {
			delete(d.series, k)
			d.dims[k.Dim]--
			continue
		}
		if u, known := s.usual(d.hour(), d.scratch); s.event != nil || known && s.current.Cost-u.Median >= farFrom*d.bound(u) {
			s.held++
		} else {
			s.held = 0
		}
		s.current.held = s.held > 0 && s.held <= adaptAfter
		s.keep(s.current)
		if s.current.Cost > 0 && !s.current.held && k.Dim != "" {
			p := d.peers[k.Dim]
			if p == nil {
				p = &peers{stale: leastPeers}
				d.peers[k.Dim] = p
			}
			p.add(s.current.Cost)
		}
		s.current = minute{}
	}
}

func (p *peers) add(cost float64) {
	p.stale++
	if len(p.costs) < maxPeers {
		p.costs = append(p.costs, cost)
		return
	}
	p.costs[p.next] = cost
	p.next = (p.next + 1) % maxPeers
}

// bound is what nearly no minute of the dimension's values passes; false where too few
// are known.
func (p *peers) bound(scratch []float64) (float64, bool) {
	if p == nil || len(p.costs) < leastPeers {
		return 0, false
	}
	if p.stale >= leastPeers/4 {
		sorted := append(scratch[:0], p.costs...)
		slices.Sort(sorted)
		p.high, p.stale = quantile(sorted, 0.995), 0
	}
	return p.high, true
}

// judge looks at the last minute of a series.
func (d *Detector) judge(k Key, s *series) *Event {
	sum := s.last()
	u, known := s.usual(d.hour(), d.scratch)
	if !known {
		high, ok := d.peers[k.Dim].bound(d.scratch)
		if !ok || k.Dim == "" {
			return nil
		}
		u = Usual{Median: high, Scale: (peersFactor - 1) * high / d.cfg.Score}
	}
	excess := sum.Cost - u.Median
	bound := d.bound(u)
	if e := s.event; e != nil {
		return d.follow(s, e, sum, excess, bound)
	}
	if excess < bound || sum.spread() < leastOfFew {
		s.over = 0
		return nil
	}
	if s.over++; s.over < confirm {
		return nil
	}
	s.over, s.under = 0, 0
	at := ledger.Instant(d.bin+1) * Bin
	s.event = &Event{
		Key: k, Began: at - ledger.Minute, Flagged: at, Spent: sum.Cost, Usual: u.Median, Scale: u.Scale, Requests: sum.Requests, New: !known,
	}
	return s.event
}

// bound is the excess of a minute that is flagged.
func (d *Detector) bound(u Usual) float64 {
	return max(d.cfg.Score*u.Scale, float64(d.cfg.Material)/60)
}

// follow looks whether an anomaly is over.
func (d *Detector) follow(s *series, e *Event, sum Sum, excess, bound float64) *Event {
	if sum.Cost > e.Spent {
		e.Spent, e.Requests = sum.Cost, sum.Requests
	}
	if s.under++; excess >= bound/2 {
		s.under = 0
	}
	if s.under < calm {
		return nil
	}
	s.event = nil
	e.Ended = ledger.Instant(d.bin+1) * Bin
	return e
}

// hour is that of the week, UTC, from Sunday midnight.
func (d *Detector) hour() int { return HourOfWeek(ledger.Instant(d.bin) * Bin) }

// HourOfWeek is the hour of the week an instant is in, UTC, from Sunday midnight: 0 to 167.
func HourOfWeek(at ledger.Instant) int {
	t := time.Unix(0, int64(at)).UTC()
	return int(t.Weekday())*24 + t.Hour()
}

// explain finds for each new anomaly the narrowest other one that is most of it.
func (d *Detector) explain(news []*Event) {
	for _, e := range news {
		if e.Ended != 0 {
			continue
		}
		own := e.Spent - e.Usual
		least := e.Spent
		for k, s := range d.series {
			o := s.event
			if o == nil || k == e.Key {
				continue
			}
			total := s.last().Cost
			if o.Spent-o.Usual >= explained*own && (total < least || total == least && e.By == (Key{}) && narrower(k, e.Key)) {
				least, e.By = total, k
			}
		}
	}
}

// narrower orders keys that spend the same: everything comes last.
func narrower(a, b Key) bool { return a.Dim != "" && (b.Dim == "" || a.Dim < b.Dim) }

// Active are the anomalies that last.
func (d *Detector) Active() (list []*Event) {
	for _, s := range d.series {
		if s.event != nil {
			list = append(list, s.event)
		}
	}
	slices.SortFunc(list, func(a, b *Event) int {
		return cmp.Or(cmp.Compare(a.Began, b.Began), cmp.Compare(a.Dim, b.Dim), cmp.Compare(a.Value, b.Value))
	})
	return list
}
