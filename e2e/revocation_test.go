package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"purser/api/admin"
)

var (
	changes = flag.Int("changes", 3, "keys that TestRevocationReachesEveryNode revokes, and budgets that it cuts")
	cuts    = flag.Int("cuts", 1, "partitions of it")
)

// TestRevocationReachesEveryNode measures how long nodes go on admitting after a key
// was revoked, or a budget cut: from when the change is asked for until the last
// request that a node admitted was sent. Requests are sent to all three nodes without
// a pause. First with all nodes connected, then with one that the others cannot reach.
func TestRevocationReachesEveryNode(t *testing.T) {
	c, wire := newWiredTrio(t, fmt.Sprintf("  authority_ttl: %v\n", authority))
	kinds := []struct {
		name   string
		status int
		change func(key admin.CreatedKey) error
	}{
		{"a revoked key", http.StatusUnauthorized, func(k admin.CreatedKey) error {
			_, err := c.admin.RevokeKey(context.Background(), k.ID)
			return err
		}},
		{"a budget that is cut", http.StatusPaymentRequired, func(k admin.CreatedKey) error {
			_, err := c.admin.UpdateKey(context.Background(), k.ID, nil, admin.KeyChange{Budgets: &[]admin.KeyBudget{{Limit: "0.000001"}}})
			return err
		}},
		{"a policy that denies", http.StatusForbidden, func(k admin.CreatedKey) error {
			spec := fmt.Sprintf(`{"match":{"key":[%q]},"rules":[{"id":"r","outcome":"deny"}]}`, k.ID)
			_, err := c.admin.PutObject(context.Background(), "policies", k.ID, nil, json.RawMessage(spec))
			return err
		}},
	}
	for _, kind := range kinds {
		var took []time.Duration
		for i := range *changes {
			took = append(took, c.effect(fmt.Sprint(kind.name, " ", i), []int{kind.status}, kind.change)...)
		}
		slices.Sort(took)
		target(t, quantile(took, .99) < time.Second, "connected, %s: %d times on each of three nodes, the last request that a node admitted was sent p50 %v, p99 %v, at most %v after",
			kind.name, *changes, quantile(took, .5).Round(time.Millisecond), quantile(took, .99).Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
		if last := took[len(took)-1]; last > authority {
			t.Errorf("connected, %s: a node admitted a request %v after, authority_ttl is %v", kind.name, last, authority)
		}
	}
	for _, kind := range kinds {
		var took []time.Duration
		for i := range *cuts {
			// A node that cannot be reached may say either: that it does not know, or,
			// where its own questions still get through, the new state.
			took = append(took, c.effect(fmt.Sprint(kind.name, " behind a cut ", i), []int{kind.status, http.StatusServiceUnavailable}, func(k admin.CreatedKey) error {
				wire.cut()
				return kind.change(k)
			})...)
			wire.mend()
			c.eventually("the node is back", func() error {
				if s := c.askAt(c.peers[2].url, c.key.Secret, "back"); s != http.StatusOK {
					return fmt.Errorf("status %d", s)
				}
				return nil
			})
		}
		slices.Sort(took)
		last := took[len(took)-1]
		target(t, last < authority, "partitioned, %s: the last request that a node admitted was sent at most %v after, authority_ttl is %v", kind.name, last.Round(time.Millisecond), authority)
		if last > authority+time.Second {
			t.Errorf("partitioned, %s: a node admitted a request %v after, authority_ttl is %v", kind.name, last, authority)
		}
	}
}

// TestAnAdminTokenIsRevokedEverywhere measures the same of a token of the admin API.
func TestAnAdminTokenIsRevokedEverywhere(t *testing.T) {
	c, _ := newWiredTrio(t, fmt.Sprintf("  authority_ttl: %v\n", authority))
	var took []time.Duration
	for i := range *changes {
		token := c.mint(admin.NewAdminToken{Name: fmt.Sprint("token ", i), Role: "finance"})
		for _, p := range c.peers {
			c.eventually(p.id+" knows the token", func() error {
				_, err := (&admin.Client{URL: p.url, Token: token.Secret}).ListKeys(context.Background())
				return err
			})
		}
		ask := func(p *peer, _ int) int {
			_, err := (&admin.Client{URL: p.url, Token: token.Secret}).ListKeys(context.Background())
			if err == nil {
				return http.StatusOK
			}
			var f *admin.Fault
			if errors.As(err, &f) {
				return f.Status
			}
			return 0
		}
		took = append(took, c.lastAdmitted(fmt.Sprint("token ", i), []int{http.StatusUnauthorized}, ask, func() error {
			_, err := c.admin.RevokeAdminToken(context.Background(), token.ID)
			return err
		})...)
	}
	slices.Sort(took)
	target(t, quantile(took, .99) < time.Second, "connected, a revoked admin token: %d times on each of three nodes, the last call that a node admitted was sent p50 %v, p99 %v, at most %v after",
		*changes, quantile(took, .5).Round(time.Millisecond), quantile(took, .99).Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	if last := took[len(took)-1]; last > authority {
		t.Errorf("a node admitted a call %v after, authority_ttl is %v", last, authority)
	}
}

// effect makes a change while every node is asked without a pause, and returns for
// each how long after the last request was sent that it admitted.
func (c *trio) effect(name string, end []int, change func(admin.CreatedKey) error) []time.Duration {
	c.t.Helper()
	key := c.rig.key(admin.NewKey{Name: name, CacheOff: true, Budgets: []admin.KeyBudget{{Limit: "5"}}})
	for _, p := range c.peers {
		c.serves(p, key.Secret)
	}
	ask := func(p *peer, n int) int { return c.askAt(p.url, key.Secret, fmt.Sprint(name, p.id, n)) }
	return c.lastAdmitted(name, end, ask, func() error { return change(key) })
}

// lastAdmitted is effect for any question: ask asks a node for the nth time.
func (c *trio) lastAdmitted(name string, end []int, ask func(p *peer, n int) int, change func() error) []time.Duration {
	c.t.Helper()
	var asking sync.WaitGroup
	last := make([]time.Time, len(c.peers))
	begun := make(chan struct{}, len(c.peers))
	for i, p := range c.peers {
		asking.Go(func() {
			deadline := time.Now().Add(patience)
			for n := 0; time.Now().Before(deadline); n++ {
				sent := time.Now()
				s := ask(p, n)
				if n == 0 {
					begun <- struct{}{}
				}
				switch {
				case s == http.StatusOK:
					last[i] = sent
				case slices.Contains(end, s):
					return
				}
			}
			c.t.Errorf("%s: %s went on for %v", name, p.id, patience)
		})
	}
	for range c.peers {
		<-begun
	}
	asked := time.Now()
	if err := change(); err != nil {
		c.t.Errorf("%s: %v", name, err)
	}
	asking.Wait()
	took := make([]time.Duration, len(last))
	for i, at := range last {
		took[i] = max(0, at.Sub(asked))
	}
	return took
}

// newWiredTrio is a trio whose third node is reached by the others through a wire
// that can be cut; its own connections to them go on, so that it knows that there is
// something it does not have.
func newWiredTrio(t *testing.T, purse string) (*trio, *wire) {
	t.Helper()
	r := newRig(t, rigOptions{cluster: true, purse: purse, provider: []string{"--output-max", "40"}})
	first := &peer{id: "e2e-1", url: r.url, process: r.node, admin: r.admin, args: []string{"serve", "--config", r.configFile()}}
	r.joined, r.node = append(r.joined, r.node), nil
	w := newWire(t)
	third := &peer{id: "e2e-3", args: []string{"join", "--token", r.token(), "--id", "e2e-3", "--data-dir", r.dir + "/e2e-3",
		"--listen", "127.0.0.1:0", "--cluster-listen", w.to, "--advertise", w.listener.Addr().String()}}
	r.launch(third)
	c := &trio{rig: r, peers: []*peer{first, r.join("e2e-2"), third}}
	r.votes("e2e-1", "e2e-2", "e2e-3")
	c.eventually("the first node leads", func() error { // it does, unless the machine is very slow
		if leading(c.peers[:1]) == nil {
			return first.admin.ChangeNode(context.Background(), "e2e-1", admin.LeadNode)
		}
		return nil
	})
	r.budget(usd("cap", "50"))
	c.key = r.key(admin.NewKey{Name: "wired", CacheOff: true})
	for _, p := range c.peers {
		c.serves(p, c.key.Secret)
	}
	return c, w
}

// wire forwards connections until it is cut.
type wire struct {
	to       string
	listener net.Listener
	mu       sync.Mutex
	broken   bool
	open     map[net.Conn]bool
	running  sync.WaitGroup
}

func newWire(t *testing.T) *wire {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{to: free.Addr().String(), open: map[net.Conn]bool{}}
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	if w.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	w.running.Go(func() {
		for {
			in, err := w.listener.Accept()
			if err != nil {
				return
			}
			w.running.Go(func() { w.forward(in) })
		}
	})
	t.Cleanup(func() {
		w.listener.Close()
		w.cut()
		w.running.Wait()
	})
	return w
}

func (w *wire) forward(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer out.Close()
	if !w.keep(in, out) {
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // until either end closes
			way[0].Close()
			way[1].Close()
		})
	}
	both.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, in)
	delete(w.open, out)
}

// keep notes a connection, unless the wire is cut.
func (w *wire) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken {
		return false
	}
	for _, c := range conns {
		w.open[c] = true
	}
	return true
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = true
	for c := range w.open {
		c.Close()
	}
	clear(w.open)
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = false
}
