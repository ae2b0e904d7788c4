package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"purser/api/admin"
	"purser/internal/simprovider"
)

var accuracyFor = flag.Duration("accuracy", 3*time.Second, "length of the load of the accuracy test, before and after the kill")

// groupings are those whose sums must be the total.
var groupings = [][]string{
	{"customer"}, {"feature"}, {"model"}, {"key"}, {"upstream"}, {"agent"}, {"day"}, {"hour"}, {"tag:job"}, {"outcome"}, {"status"}, {"basis"},
	{"stream"}, {"cache"}, {"customer", "feature"}, {"model", "tag:job", "outcome"},
}

// TestEveryGroupingSumsToTheBill: a mixed run on three nodes, of which one is killed and its
// disk wiped. Whatever is asked for, on whichever node, sums to what the provider billed, to
// the nano-dollar, but for what is shown as perhaps spent without a record; and each record
// that is left is of a call that was billed, at its price.
func TestEveryGroupingSumsToTheBill(t *testing.T) {
	c := newTrio(t, "", "50", "--first-byte", "2ms", "--mix", "503:0.02")
	ctx := context.Background()
	began := time.Now().Add(-time.Minute)
	keys := []string{c.key.Secret}
	for i := range 3 {
		k := c.rig.key(admin.NewKey{Name: fmt.Sprint("mixed-", i), Bound: map[string]string{"customer": fmt.Sprint("customer-", i)}})
		keys = append(keys, k.Secret)
		for _, p := range c.peers {
			c.serves(p, k.Secret)
		}
	}
	m := &mixedLoad{t: t, keys: keys, client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
	_, others := c.leader()
	victim, left := others[0], []*peer{}
	for _, p := range c.peers {
		if p != victim {
			left = append(left, p)
		}
	}

	run := func(peers []*peer, during func()) {
		loading, stop := context.WithCancel(ctx)
		var running sync.WaitGroup
		for i, p := range peers {
			running.Go(func() { m.run(loading, p.url, 6, uint64(i)+*firstSeed) })
		}
		during()
		stop()
		running.Wait()
	}
	run(c.peers, func() {
		<-time.After(*accuracyFor)
		m.broken.Store(true) // what the killed node was asked fails
		c.kill(victim)
		disk := filepath.Join(c.dir, victim.id)
		if victim.id == "e2e-1" {
			disk = filepath.Join(c.dir, "data")
		}
		if err := os.RemoveAll(disk); err != nil {
			t.Fatal(err)
		}
	})
	m.broken.Store(false)

	here := left[0].admin
	c.eventually("a report names who answers for the dead node", func() error {
		u, err := here.Usage(ctx, admin.UsageQuery{})
		if err != nil {
			return err
		}
		return answeredBy(u.Nodes, victim.id, left)
	})
	c.eventually("the dead node is fenced", func() error { return here.ChangeNode(ctx, victim.id, admin.FenceNode) })
	run(left, func() { <-time.After(*accuracyFor) })
	c.rig.admin = here
	c.join("e2e-4") // the machine is back, as another node

	m.check()
	q := admin.UsageQuery{From: began.UTC().Format(time.RFC3339), Limit: 1000}
	var whole admin.UsageReport
	c.eventually("what the dead node's copies show is counted", func() error {
		var err error
		if whole, err = here.Usage(ctx, q); err != nil {
			return err
		}
		for _, u := range whole.Unrecorded {
			if u.Lost == nil {
				return fmt.Errorf("%+v", u)
			}
		}
		return answeredBy(whole.Nodes, victim.id, left)
	})
	if whole.Complete {
		t.Error("the report says that no record is known to be missing")
	}
	rows := c.billRows()
	billed, recorded := sum(rows), whole.Total.Cost
	var account admin.Unrecorded
	for _, u := range whole.Unrecorded {
		if u.Budget == "cap" {
			account = u
		}
	}
	if account.Lost == nil {
		t.Fatalf("nothing is said of the cap: %+v", whole.Unrecorded)
	}
	bound := account.Presumed + *account.Lost
	t.Logf("%d requests, %d calls billed: $%.9f billed, $%.9f recorded, $%.9f without a record, at most $%.9f of that is said; written off $%.9f",
		whole.Total.Requests, len(rows), float64(billed)/1e9, float64(recorded)/1e9, float64(billed-recorded)/1e9, float64(bound)/1e9, float64(account.WrittenOff)/1e9)
	if off := billed - recorded; off < 0 || off > bound {
		t.Errorf("billed %d, recorded %d: %d off, at most %d is said to be without a record", billed, recorded, off, bound)
	}
	if whole.Total.Requests == 0 || len(whole.Total.Outcomes) < 3 {
		t.Errorf("the run was not mixed: %+v", whole.Total.Outcomes)
	}
	for _, p := range left {
		for _, by := range groupings {
			sumsTo(t, p, q, by, &whole.Total)
		}
	}
	matches(t, c, here, q, rows, billed-recorded)
}

// answeredBy checks that each node answers for itself, and one of those that are left for the
// dead one.
func answeredBy(nodes []admin.NodeAnswer, dead string, left []*peer) error {
	found := false
	for _, a := range nodes {
		switch {
		case a.Err != "":
			return fmt.Errorf("%+v", a)
		case a.Node != dead && a.By != a.Node:
			return fmt.Errorf("%+v", a)
		case a.Node == dead:
			for _, p := range left {
				found = found || a.By == p.id
			}
		}
	}
	if !found {
		return fmt.Errorf("nobody answers for %s: %+v", dead, nodes)
	}
	return nil
}

// sumsTo checks that the rows of a grouping add up to the total, whoever is asked.
func sumsTo(t *testing.T, p *peer, q admin.UsageQuery, by []string, want *admin.UsageRow) {
	t.Helper()
	q.Group = by
	u, err := p.admin.Usage(t.Context(), q)
	if err != nil {
		t.Fatalf("by %v on %s: %v", by, p.id, err)
	}
	var got admin.UsageRow
	tokens := map[string]int64{}
	for _, r := range u.Rows {
		got.Requests += r.Requests
		got.Cost += r.Cost
		got.List += r.List
		got.Baseline += r.Baseline
		for meter, n := range r.Tokens {
			tokens[meter] += n
		}
	}
	if got.Cost != want.Cost || got.Requests != want.Requests || got.List != want.List || got.Baseline != want.Baseline || fmt.Sprint(tokens) != fmt.Sprint(want.Tokens) {
		t.Errorf("by %v on %s: %d rows of %+v %v, the total is %+v", by, p.id, len(u.Rows), got, tokens, want)
	}
}

// matches compares each record with its row of the bill. missing is what no record shows.
func matches(t *testing.T, c *trio, from *admin.Client, q admin.UsageQuery, rows []simprovider.Row, missing int64) {
	t.Helper()
	bill := map[string]int64{}
	for _, r := range rows {
		bill[r.ClientRequestID] += int64(r.Cost)
	}
	n := 0
	q.Limit = 0
	last := ""
	err := from.Records(t.Context(), q, func(body io.Reader) error {
		for d := json.NewDecoder(body); ; {
			var r struct {
				ID      string `json:"id"`
				Attempt int    `json:"attempt"`
				Cost    int64  `json:"cost_nanousd"`
			}
			if err := d.Decode(&r); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			if n++; r.ID < last {
				t.Errorf("%s comes after %s", r.ID, last)
			}
			last = r.ID
			if r.Cost == 0 {
				continue
			}
			call := fmt.Sprintf("%s-%d", r.ID, r.Attempt)
			billed, ok := bill[call]
			if !ok || billed != r.Cost {
				t.Errorf("the record of call %s costs %d, billed is %d (%v)", call, r.Cost, billed, ok)
			}
			delete(bill, call)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var rest int64
	for _, cost := range bill {
		rest += cost
	}
	if rest != missing {
		t.Errorf("the calls without a record cost %d, the sums differ by %d", rest, missing)
	}
	t.Logf("%d records match their calls, %d calls have none", n, len(bill))
}

// mixedLoad asks for everything at once: JSON and streams, several customers, features,
// models and tags, questions that come again, and clients that leave.
type mixedLoad struct {
	t      *testing.T
	keys   []string
	client *http.Client
	broken atomic.Bool // errors of the connection are expected
	odd    atomic.Pointer[string]
}

func (m *mixedLoad) run(ctx context.Context, url string, workers int, seed uint64) {
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for ctx.Err() == nil {
				if err := m.one(url, r); err != nil && !m.broken.Load() {
					text := err.Error()
					m.odd.CompareAndSwap(nil, &text)
				}
			}
		})
	}
	wg.Wait()
}

func (m *mixedLoad) one(url string, r *rand.Rand) error {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	question := fmt.Sprintf("question %d", r.Uint64())
	if r.IntN(4) == 0 {
		question = fmt.Sprintf("asked before %d", r.IntN(20))
	}
	model := pick("gpt-4o-mini", "gpt-4.1-mini", "gpt-4.1-nano")
	stream := r.IntN(2) == 0
	body := fmt.Sprintf(`{"model":%q,"service_tier":"default","stream":%t,"max_completion_tokens":%d,"messages":[{"role":"user","content":%q}]}`, model, stream, 20+r.IntN(20), question)
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+m.keys[r.IntN(len(m.keys))])
	req.Header.Set("x-purser-feature", pick("search", "chat", "summary"))
	req.Header.Set("x-purser-agent", pick("planner", "writer"))
	req.Header.Set("x-purser-tag-job", pick("nightly", "adhoc", "backfill"))
	goes := r.IntN(10) == 0
	if goes && !stream {
		timer := time.AfterFunc(time.Duration(r.IntN(3000))*time.Microsecond, leave)
		defer timer.Stop()
	}
	res, err := m.client.Do(req)
	if err != nil {
		if goes {
			return nil
		}
		return err
	}
	defer res.Body.Close()
	if goes && stream {
		_, _ = io.ReadFull(res.Body, make([]byte, 1+r.IntN(400)))
		return nil // closing the body of an unread stream closes the connection
	}
	answer, err := io.ReadAll(res.Body)
	switch {
	case goes && err != nil:
		return nil
	case err != nil:
		return err
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d: %s", res.StatusCode, answer)
	}
	return nil
}

func (m *mixedLoad) check() {
	if text := m.odd.Load(); text != nil {
		m.t.Errorf("a request ended unexpectedly: %s", *text)
	}
}
