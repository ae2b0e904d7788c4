package node

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"purser/internal/anomaly"
	"purser/internal/record"
	"purser/internal/usage"
	"purser/ledger"
	"purser/proxy/price"
)

// AnomaliesConfig is what spending is worth telling as an anomaly.
type AnomaliesConfig struct {
	Enabled  bool    `yaml:"enabled"`  // default true
	Score    float64 `yaml:"score"`    // default 6, 3 to 100: how many times the usual variation
	Material string  `yaml:"material"` // default 1: dollars an hour beyond what is usual
}

func defaultAnomalies() AnomaliesConfig {
	c := anomaly.DefaultConfig()
	return AnomaliesConfig{Enabled: true, Score: c.Score, Material: "1"}
}

func (c *AnomaliesConfig) settings() (anomaly.Config, error) {
	material, exact, err := price.Decimal(c.Material, 9)
	switch {
	case err != nil || !exact:
		return anomaly.Config{}, fmt.Errorf("material: %q is not an amount of dollars", c.Material)
	case material <= 0:
		return anomaly.Config{}, errors.New("material: must be more than 0")
	case c.Score < 3 || c.Score > 100:
		return anomaly.Config{}, fmt.Errorf("score: %v is not within 3 to 100", c.Score)
	}
	return anomaly.Config{Score: c.Score, Material: ledger.Amount(material)}, nil
}

func (c *AnomaliesConfig) validate() error {
	_, err := c.settings()
	return err
}

// watchedDims are the dimensions whose values are watched.
var watchedDims = [...]ledger.Dim{
	ledger.DimTeam, ledger.DimProject, ledger.DimMember, ledger.DimKey, ledger.DimCustomer, ledger.DimFeature, ledger.DimAgent, ledger.DimPrompt, ledger.DimModel,
}

const (
	// binLag is how long after its end a bin is asked for: requests that end in it are
	// counted then.
	binLag = time.Second
	// binWait bounds the wait for what others counted in a bin.
	binWait = 3 * time.Second
	// learnWait bounds the reading of what is usual.
	learnWait = time.Minute
	// seasonEvery is how often what is usual by hour of the week is read again, and
	// seasonSpan what it is read of.
	seasonEvery = time.Hour
	seasonSpan  = 28 * 24 * ledger.Hour
	// learned bounds the values of a dimension of which the past is read, by cost.
	learnedValues = 50
	topicBin      = "anomaly.bin"
)

// anomalies watch what is spent. Every node counts; the one that leads judges.
type anomalies struct {
	n   *Node
	cfg anomaly.Config

	mu     sync.Mutex // guards what follows
	recent anomaly.Recent
}

func newAnomalies(n *Node) (*anomalies, error) {
	if !n.cfg.Anomalies.Enabled {
		return nil, nil
	}
	cfg, err := n.cfg.Anomalies.settings()
	if err != nil {
		return nil, fmt.Errorf("anomalies: %w", err)
	}
	return &anomalies{n: n, cfg: cfg}, nil
}

// see counts a finished request: when it ended is when it is known what it cost.
func (a *anomalies) see(r *record.Record) {
	if r.Cost <= 0 || r.Kind != record.KindRequest {
		return
	}
	keys := make([]anomaly.Key, 0, len(watchedDims))
	for _, d := range watchedDims {
		if v := r.Dims.Values[d]; v != "" {
			keys = append(keys, anomaly.Key{Dim: d.String(), Value: v})
		}
	}
	at := now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.recent.Add(at, r.Cost, keys)
}

func (a *anomalies) counted(bin int64) []anomaly.Sample {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.recent.Of(bin)
}

// answerBin is what this node tells the one that leads: a bin's samples, as JSON.
func (n *Node) answerBin(_ context.Context, _ string, body []byte, say func([]byte) error) error {
	if len(body) != 8 {
		return errors.New("a bin has a number of 8 bytes")
	}
	a := n.anomalies
	if a == nil {
		return nil
	}
	b, err := json.Marshal(a.counted(int64(binary.BigEndian.Uint64(body))))
	if err != nil {
		return err
	}
	return say(b)
}

// watch judges bin after bin while this node leads. It returns when ctx is done.
func (a *anomalies) watch(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	var d *anomaly.Detector
	var next int64
	var seasoned time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if !a.n.raft.Leader() {
			d = nil // what it knew as an earlier leader is old
			continue
		}
		last := anomaly.BinOf(now()-ledger.Instant(binLag)) - 1
		if d == nil {
			d, next, seasoned = anomaly.New(a.cfg), last+1, time.Time{}
			a.learn(ctx, d, next)
			continue
		}
		if time.Since(seasoned) >= seasonEvery {
			seasoned = time.Now()
			a.season(ctx, d)
		}
		for ; next <= last; next++ {
			for _, e := range d.Bin(next, a.gather(ctx, next)) {
				a.tell(ctx, e)
			}
		}
	}
}

// gather adds up what all nodes counted in a bin. What a node that does not answer has
// spent is missing.
func (a *anomalies) gather(ctx context.Context, bin int64) []anomaly.Sample {
	sums := map[anomaly.Key]anomaly.Sum{}
	add := func(list []anomaly.Sample) {
		for _, x := range list {
			if sum, ok := sums[x.Key]; ok || len(sums) < anomaly.MaxSeries {
				sum.Add(x.Sum)
				sums[x.Key] = sum
			}
		}
	}
	add(a.counted(bin))
	ctx, cancel := context.WithTimeout(ctx, binWait)
	defer cancel()
	faults := a.n.colleagues.ask(ctx, topicBin, binary.BigEndian.AppendUint64(nil, uint64(bin)), func(_ string, piece []byte) error {
		var list []anomaly.Sample
		if err := json.Unmarshal(piece, &list); err != nil {
			return err
		}
		add(list)
		return nil
	})
	for node, err := range faults {
		a.n.log.Debug("what a node spent is not known to the watch for anomalies", "node", node, "error", err)
	}
	out := make([]anomaly.Sample, 0, len(sums))
	for k, s := range sums {
		out = append(out, anomaly.Sample{Key: k, Sum: s})
	}
	return out
}

// fields are what is read of the past: everything, and each dimension that is watched.
func (a *anomalies) fields() (list [][]usage.Field) {
	list = append(list, nil)
	for _, d := range watchedDims {
		list = append(list, []usage.Field{usage.DimField(ledger.DimRef{Dim: d})})
	}
	return list
}

// past reads what was spent by interval, and calls each with what one key spent, by the
// begin of the interval.
func (a *anomalies) past(ctx context.Context, r usage.Range, kind ledger.WindowKind, each func(anomaly.Key, map[ledger.Instant]usage.Row)) {
	ctx, cancel := context.WithTimeout(ctx, learnWait)
	defer cancel()
	for _, by := range a.fields() {
		report, _, err := a.n.totals(ctx, usage.TotalsQuery{Range: r, By: by, Interval: ledger.Window{Kind: kind}, Limit: learnedValues})
		if err != nil {
			if ctx.Err() == nil {
				a.n.log.Warn("what is usually spent could not be read; anomalies are judged by what is seen from now on", "error", err)
			}
			return
		}
		of := map[anomaly.Key]map[ledger.Instant]usage.Row{}
		for _, row := range report.Rows {
			var k anomaly.Key
			if len(by) > 0 {
				k = anomaly.Key{Dim: by[0].String(), Value: row.Values[0]}
			}
			if k.Dim != "" && k.Value == "" {
				continue
			}
			if of[k] == nil {
				of[k] = map[ledger.Instant]usage.Row{}
			}
			of[k][row.Start] = row
		}
		for k, rows := range of {
			each(k, rows)
		}
	}
}

// learn gives a detector the last two hours.
func (a *anomalies) learn(ctx context.Context, d *anomaly.Detector, next int64) {
	to := ledger.Instant(next) * anomaly.Bin / ledger.Minute * ledger.Minute
	from := to - 2*ledger.Hour
	a.past(ctx, usage.Range{From: from, To: to}, ledger.PerMinute, func(k anomaly.Key, rows map[ledger.Instant]usage.Row) {
		var minutes []anomaly.Sum
		for at := from; at < to; at += ledger.Minute {
			row, ok := rows[at]
			if !ok && len(minutes) == 0 {
				continue // it is known from where it first spent
			}
			s := anomaly.Sum{Cost: float64(row.Cost), Requests: row.Requests}
			if row.Requests > 0 { // as though they had cost the same
				s.Squares = s.Cost * s.Cost / float64(row.Requests)
			}
			minutes = append(minutes, s)
		}
		d.Learn(k, minutes, next)
	})
}

// season gives a detector the weeks before.
func (a *anomalies) season(ctx context.Context, d *anomaly.Detector) {
	to := now() / ledger.Hour * ledger.Hour
	from := to - seasonSpan
	all := map[anomaly.Key]*anomaly.Season{}
	first := to
	a.past(ctx, usage.Range{From: from, To: to}, ledger.PerHour, func(k anomaly.Key, rows map[ledger.Instant]usage.Row) {
		hours := map[int64]float64{}
		for at, row := range rows {
			hours[int64(at/ledger.Hour)] = float64(row.Cost)
			if k == (anomaly.Key{}) {
				first = min(first, at)
			}
		}
		// Everything comes first: before it began nothing is known of anybody.
		all[k] = anomaly.SeasonOf(hours, int64(first/ledger.Hour), int64(to/ledger.Hour))
	})
	d.Seasons(all)
}

// tellRequests is how many requests an alert names.
const tellRequests = 3

// tell raises what began or ended, unless a narrower key explains it.
func (a *anomalies) tell(ctx context.Context, e *anomaly.Event) {
	if e.By != (anomaly.Key{}) {
		return
	}
	subject := "everything"
	detail := map[string]string{"began": timeText(e.Began)}
	if e.Dim != "" {
		subject = e.Dim + " " + e.Value
		detail["dimension"], detail["value"] = e.Dim, e.Value
	}
	if e.Ended != 0 {
		detail["ended"] = timeText(e.Ended)
		a.n.alerts.Raise("spend_usual", subject, detail)
		return
	}
	detail["flagged"], detail["spent_usd"], detail["usual_usd"] = timeText(e.Flagged), usd(e.Spent), usd(e.Usual)
	detail["score"] = strconv.FormatFloat(min(e.Score(), 1e6), 'f', 1, 64)
	detail["compared_with"] = "its own past"
	if e.New {
		detail["compared_with"] = "others of its dimension"
	}
	ctx, cancel := context.WithTimeout(ctx, binWait)
	defer cancel()
	dearest, err := a.n.dearest(ctx, e.Key, usage.Range{From: e.Began - ledger.Minute, To: e.Flagged}, tellRequests)
	if err != nil {
		a.n.log.Info("the requests of an anomaly are not in its alert", "error", err)
	}
	for i, r := range dearest {
		detail["request_"+strconv.Itoa(i+1)] = r.ID
	}
	a.n.alerts.Raise("spend_anomaly", subject, detail)
	a.n.log.Warn("more is spent than usual", "of", subject, "spent_usd", detail["spent_usd"], "usual_usd", detail["usual_usd"])
}

func usd(nano float64) string { return strconv.FormatFloat(nano/1e9, 'f', 4, 64) }

// maxDearest bounds the requests that are looked at for the dearest of a key.
const maxDearest = 200_000

// dearest are the requests of a key that cost most.
func (n *Node) dearest(ctx context.Context, k anomaly.Key, r usage.Range, most int) (list []costly, err error) {
	q := usage.Query{Range: r, Order: usage.NewestFirst, Limit: maxDearest}
	if k.Dim != "" {
		f, ok := usage.ParseField(k.Dim)
		if !ok {
			return nil, fmt.Errorf("there is no dimension %q", k.Dim)
		}
		q.Where = []usage.Condition{{Field: f, Values: []string{k.Value}}}
	}
	for r, err := range n.records(ctx, q) {
		if err != nil {
			return list, err
		}
		if r.Kind != record.KindRequest || r.Cost <= 0 || len(list) == most && r.Cost <= list[most-1].Cost {
			continue
		}
		at, _ := slices.BinarySearchFunc(list, r.Cost, func(s costly, cost ledger.Amount) int { return int(min(max(cost-s.Cost, -1), 1)) })
		list = slices.Insert(list, at, costly{r.ID, r.Cost, r.Model, r.Dims.Values[ledger.DimRun]})
		list = list[:min(len(list), most)]
	}
	return list, nil
}

// costly is a request and what it cost.
type costly struct {
	ID         string
	Cost       ledger.Amount
	Model, Run string
}
