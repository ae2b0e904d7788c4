package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"purser/api/admin"
)

// trio is a cluster of three processes with one key and one cap in dollars, for
// the figures.
type trio struct {
	*rig
	peers []*peer
	key   admin.CreatedKey
}

func newTrio(t *testing.T, purse, limit string, provider ...string) *trio {
	t.Helper()
	r := newRig(t, rigOptions{cluster: true, purse: purse, provider: append([]string{"--output-max", "40"}, provider...)})
	first := &peer{id: "e2e-1", url: r.url, process: r.node, admin: r.admin, args: []string{"serve", "--config", r.configFile()}}
	r.joined, r.node = append(r.joined, r.node), nil
	c := &trio{rig: r, peers: []*peer{first, r.join("e2e-2"), r.join("e2e-3")}}
	r.votes("e2e-1", "e2e-2", "e2e-3")
	r.budget(usd("cap", limit))
	c.key = r.key(admin.NewKey{Name: "figures", CacheOff: true})
	for _, p := range c.peers {
		c.serves(p, c.key.Secret)
	}
	return c
}

// serves waits until the node admits requests of the key.
func (c *trio) serves(p *peer, key string) {
	c.t.Helper()
	c.eventually(p.id+" serves", func() error {
		if s := c.askAt(p.url, key, "warm up "+p.id); s != http.StatusOK {
			return fmt.Errorf("status %d", s)
		}
		return nil
	})
}

// status is what a node says of itself, without asking a leader.
func (p *peer) status() (admin.Status, error) {
	here := admin.Client{URL: p.url, Token: adminToken, Read: admin.Stale}
	return here.Status(context.Background())
}

// leading is the node of these that says that it leads, or nil.
func leading(peers []*peer) *peer {
	for _, p := range peers {
		if s, err := p.status(); err == nil && s.Role == "leader" {
			return p
		}
	}
	return nil
}

// leader waits for a leader; the others come second.
func (c *trio) leader() (leader *peer, others []*peer) {
	c.t.Helper()
	c.eventually("a node leads", func() error {
		if leader = leading(c.peers); leader == nil {
			return errors.New("none does")
		}
		return nil
	})
	others = slices.DeleteFunc(slices.Clone(c.peers), func(p *peer) bool { return p == leader })
	return leader, others
}

// cap is the account of the cap, read through a live node.
func (c *trio) cap(p *peer) admin.Account {
	c.t.Helper()
	b, err := p.admin.ShowBudget(context.Background(), "cap")
	if err != nil || len(b.Accounts) != 1 {
		c.t.Fatalf("the cap: %+v, %v", b, err)
	}
	return b.Accounts[0]
}

// scraped sums a metric over nodes, over all its labels.
func (c *trio) scraped(names ...string) map[string]float64 {
	c.t.Helper()
	out := map[string]float64{}
	for _, p := range c.peers {
		res, err := http.Get(p.url + "/metrics")
		if err != nil {
			c.t.Fatal(err)
		}
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), " ")
			for _, want := range names {
				if name != want && !strings.HasPrefix(name, want+"{") {
					continue
				}
				v, err := strconv.ParseFloat(value, 64)
				if err != nil {
					c.t.Fatalf("%s: %v", lines.Text(), err)
				}
				out[want] += v
			}
		}
		res.Body.Close()
	}
	return out
}

// answer is what became of one request of a traffic.
type answer struct {
	node   string
	begun  time.Time
	took   time.Duration
	status int // 0: the connection broke
}

// traffic asks nodes at a steady rate, whatever they answer.
type traffic struct {
	key    string
	client *http.Client
	stop   context.CancelFunc
	done   sync.WaitGroup
	mu     sync.Mutex
	got    []answer
}

// workersPerNode bounds the requests under way at one node.
const workersPerNode = 24

// drive begins to ask each of the nodes `rate` times a second.
func drive(peers []*peer, key string, rate float64) *traffic {
	ctx, stop := context.WithCancel(context.Background())
	tr := &traffic{key: key, stop: stop, client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: workersPerNode}}}
	gap := time.Duration(float64(workersPerNode) / rate * float64(time.Second))
	for _, p := range peers {
		for w := range workersPerNode {
			tr.done.Go(func() {
				next := time.NewTimer(gap * time.Duration(w) / workersPerNode)
				defer next.Stop()
				for i := 0; ; i++ {
					select {
					case <-ctx.Done():
						return
					case <-next.C:
					}
					begun := time.Now()
					tr.note(p.id, begun, tr.ask(p.url, fmt.Sprintf("%s %d %d", p.id, w, i)))
					next.Reset(max(0, gap-time.Since(begun)))
				}
			})
		}
	}
	return tr
}

func (tr *traffic) ask(url, text string) int { return tr.askOf("gpt-4.1-nano", url, text) }

func (tr *traffic) askOf(model, url, text string) int {
	return send(tr.client, chat(context.Background(), model, url, tr.key, text))
}

// chat is a chat request whose answer is at most 30 tokens.
func chat(ctx context.Context, model, url, key, text string) *http.Request {
	body := fmt.Sprintf(`{"model":%q,"service_tier":"default","max_completion_tokens":30,"messages":[{"role":"user","content":%q}]}`, model, text)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	return req
}

// send returns the status, 0 if there was no whole answer.
func send(client *http.Client, req *http.Request) int {
	res, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return 0
	}
	return res.StatusCode
}

func (tr *traffic) note(node string, begun time.Time, status int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.got = append(tr.got, answer{node, begun, time.Since(begun), status})
}

// answers are those so far.
func (tr *traffic) answers() []answer {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.got)
}

// first is the earliest answer with the status, if there is one.
func (tr *traffic) first(status int) (answer, bool) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	i := slices.IndexFunc(tr.got, func(a answer) bool { return a.status == status })
	if i < 0 {
		return answer{}, false
	}
	return tr.got[i], true
}

// end stops asking and returns every answer.
func (tr *traffic) end() []answer {
	tr.stop()
	tr.done.Wait()
	tr.client.CloseIdleConnections()
	return tr.answers()
}

// statuses counts answers that meet the condition by their status.
func statuses(got []answer, when func(answer) bool) map[int]int {
	out := map[int]int{}
	for _, a := range got {
		if when(a) {
			out[a.status]++
		}
	}
	return out
}

func total(counts map[int]int) (n int) {
	for v := range maps.Values(counts) {
		n += v
	}
	return n
}

// quantile of the sorted sample: the smallest value that at least that share
// does not exceed.
func quantile(sorted []time.Duration, share float64) time.Duration {
	i := int(float64(len(sorted))*share+0.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}
