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
	learnedValues   = 50
	topicAnomalyBin = "anomaly.bin"
)

// anomalies watch what is spent. Every node counts; the one that leads judges.
type anomalies struct {
	n   *Node
	cfg anomaly.Config

	mu     sync.Mutex // guards what follows
	recent anomaly.Recent
	offset anomaly.Offset // of the clock of the node that leads
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
	a.recent.Add(at+a.offset.Ahead(), r.Cost, keys)
}

func (a *anomalies) counted(bin int64) []anomaly.Sample {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.recent.Of(bin)
}

// binQuestion asks for a bin, and says what the time is.
func binQuestion(bin int64, at ledger.Instant) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(bin)), uint64(at))
}

// tellBin answers topicAnomalyBin: what this node tells the one that leads: a bin's samples, as JSON.
func (n *Node) tellBin(_ context.Context, _ string, body []byte, say func([]byte) error) error {
	if len(body) != 16 {
		return errors.New("a question about a bin has its number and the time, of 8 bytes each")
	}
	a := n.anomalies
	if a == nil {
		return nil
	}
	a.mu.Lock()
	a.offset.Asked(ledger.Instant(binary.BigEndian.Uint64(body[8:])), now())
	a.mu.Unlock()
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
	// What is usual is read beside the judging: a node that is slow to say delays nothing.
	var reading sync.WaitGroup
	defer reading.Wait()
	seasons := make(chan map[anomaly.Key]*anomaly.Season, 1)
	var d *anomaly.Detector
	var telling *anomaly.Telling
	var next int64
	var seasoned time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case all := <-seasons:
			if d != nil {
				d.Seasons(all)
			}
			continue
		case <-t.C:
		}
		if !a.n.raft.Leader() {
			d = nil // what it knew as an earlier leader is old
			continue
		}
		last := anomaly.BinOf(now()-ledger.Instant(binLag)) - 1
		if d == nil {
			a.leads()
			open := a.open(ctx)
			d, telling, next, seasoned = anomaly.New(a.cfg), anomaly.NewTelling(open), last+1, time.Time{}
			a.learn(ctx, d, next, open)
			continue
		}
		if time.Since(seasoned) >= seasonEvery {
			seasoned = time.Now()
			reading.Go(func() {
				select {
				case seasons <- a.season(ctx):
				case <-ctx.Done():
				}
			})
		}
		for ; next <= last; next++ {
			tell, untold := telling.News(next, d.Bin(next, a.gather(ctx, next)))
			if untold > 0 {
				a.n.log.Warn("more is spent than usual of more than is told at once", "told", anomaly.MaxTold, "untold", untold)
			}
			a.tell(ctx, tell)
		}
	}
}

// leads has this node's clock be the one that counts.
func (a *anomalies) leads() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.offset = anomaly.Offset{}
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
	faults := a.n.colleagues.ask(ctx, topicAnomalyBin, binQuestion(bin, now()), func(_ string, piece []byte) error {
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

// tellRequests is how many requests an alert names.
const tellRequests = 3

// tell raises what began and what ended. The requests that made it are in the alerts as far as
// they are found in time: judging waits for it.
func (a *anomalies) tell(ctx context.Context, list []anomaly.Event) {
	ctx, cancel := context.WithTimeout(ctx, binWait)
	defer cancel()
	for i := range list {
		a.raise(ctx, &list[i])
	}
}

func (a *anomalies) raise(ctx context.Context, e *anomaly.Event) {
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
