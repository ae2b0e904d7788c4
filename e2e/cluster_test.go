package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"purser/api/admin"
)

// peer is a node that joined a rig's cluster.
type peer struct {
	id, url string
	process *process
	admin   *admin.Client
	args    []string // that start it again
}

func (r *rig) token() string {
	r.t.Helper()
	token, err := r.admin.NewToken(context.Background(), admin.NewToken{})
	if err != nil {
		r.t.Fatal(err)
	}
	return token.Token
}

// join starts another node with one command.
func (r *rig) join(id string) *peer {
	r.t.Helper()
	p := &peer{id: id, args: []string{"join", "--token", r.token(), "--id", id, "--data-dir", filepath.Join(r.dir, id), "--listen", "127.0.0.1:0", "--cluster-listen", "127.0.0.1:0"}}
	r.launch(p)
	return p
}

func (r *rig) launch(p *peer) {
	r.t.Helper()
	p.process, p.url = r.start(p.id, "serves at ", p.args...)
	p.admin = &admin.Client{URL: p.url, Token: adminToken}
	r.joined = append(r.joined, p.process)
}

// kill ends a process without warning.
func (r *rig) kill(p *peer) {
	r.t.Helper()
	_ = p.process.signal(r.t, syscall.SIGKILL) // "signal: killed" is what was asked for
	r.forget(p)
}

func (r *rig) forget(p *peer) {
	for i, q := range r.joined {
		if q == p.process {
			r.joined[i] = nil
		}
	}
}

// refused runs the binary and returns what it said when it ended badly.
func (r *rig) refused(args ...string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, args...).CombinedOutput()
	if err == nil || ctx.Err() != nil {
		r.t.Fatalf("%v ended with %v:\n%s", args, err, out)
	}
	return string(out)
}

func (r *rig) member(id string) admin.Member {
	r.t.Helper()
	m, err := r.admin.Members(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, n := range m.Nodes {
		if n.ID == id {
			return n
		}
	}
	return admin.Member{}
}

func (r *rig) votes(ids ...string) {
	r.t.Helper()
	for _, id := range ids {
		r.eventually(id+" votes", func() error {
			if role := r.member(id).Role; role != "voter" && role != "leader" {
				return fmt.Errorf("it is %q", role)
			}
			return nil
		})
	}
}

// gossips waits until all nodes are alive by the gossip of each.
func (r *rig) gossips(nodes ...*admin.Client) {
	r.t.Helper()
	for _, c := range nodes {
		r.eventually(c.URL+" hears of all", func() error {
			m, err := c.Members(context.Background())
			if err != nil {
				return err
			}
			for _, n := range m.Nodes {
				if n.Gossip == nil || n.Gossip.State != "alive" || n.Gossip.Incarnation != n.Incarnation || n.Gossip.Cluster != n.Address {
					return fmt.Errorf("%s: %+v", n.ID, n.Gossip)
				}
			}
			if len(m.Nodes) != len(nodes) {
				return fmt.Errorf("%d nodes", len(m.Nodes))
			}
			return nil
		})
	}
}

// askAt posts a chat request to a node and returns the status.
func (r *rig) askAt(url, key, text string) int {
	r.t.Helper()
	status, _ := r.answerAt(url, key, text)
	return status
}

func (r *rig) answerAt(url, key, text string) (int, string) {
	r.t.Helper()
	body := fmt.Sprintf(`{"model":"gpt-4o-mini","max_completion_tokens":50,"messages":[{"role":"user","content":%q}]}`, text)
	req, err := http.NewRequest(http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(answer)
}

// TestANodeJoinsWithOneCommand: a token lets one node in, which gets everything
// else from the cluster, serves, votes, and starts again with the same command.
func TestANodeJoinsWithOneCommand(t *testing.T) {
	r := newRig(t, rigOptions{cluster: true})
	two := r.join("e2e-2")
	three := r.join("e2e-3")
	r.votes("e2e-2", "e2e-3")
	r.gossips(r.admin, two.admin, three.admin)
	r.budget(usd("cap", "1"))
	key := r.key(admin.NewKey{Name: "k"})
	for _, p := range []*peer{two, three} {
		// A linearizable read at any node sees what was acknowledged at another.
		if b, err := p.admin.ShowBudget(context.Background(), "cap"); err != nil || b.ID != "cap" {
			t.Errorf("%s: %+v, %v", p.id, b, err)
		}
		r.eventually(p.id+" serves", func() error {
			if s := r.askAt(p.url, key.Secret, "hello "+p.id); s != http.StatusOK {
				return fmt.Errorf("status %d", s)
			}
			return nil
		})
	}
	r.kill(two)
	if said := r.refused("serve", "--data-dir", filepath.Join(r.dir, "e2e-2"), "--id", "e2e-9", "--listen", "127.0.0.1:0", "--cluster-listen", "127.0.0.1:0"); !strings.Contains(said, `not "e2e-9"`) {
		t.Errorf("another name in its directory: it said %q", said)
	}
	r.launch(two)
	r.eventually("e2e-2 is back as its next incarnation", func() error {
		if n := r.member("e2e-2"); n.Incarnation != 2 || !n.Answers {
			return fmt.Errorf("%+v", n)
		}
		return nil
	})

	used := two.args[2]
	for what, c := range map[string]struct {
		args []string
		says string
	}{
		"a token twice":       {[]string{"join", "--token", used, "--id", "e2e-4", "--data-dir", filepath.Join(r.dir, "d4")}, "was used by another node"},
		"a text that is none": {[]string{"join", "--token", "purser-join-xyz", "--id", "e2e-4", "--data-dir", filepath.Join(r.dir, "d4")}, "not a join token"},
		"the same id twice":   {[]string{"join", "--token", r.token(), "--id", "e2e-2", "--data-dir", filepath.Join(r.dir, "d2")}, "purser node fence e2e-2"},
		"no token":            {[]string{"serve", "--id", "e2e-4", "--data-dir", filepath.Join(r.dir, "d4")}, "admin.token"},
	} {
		args := append(c.args, "--listen", "127.0.0.1:0", "--cluster-listen", "127.0.0.1:0")
		if said := r.refused(args...); !strings.Contains(said, c.says) {
			t.Errorf("%s: it said %q", what, said)
		}
	}
}

// TestIdleAllowanceMovesToWhereItIsNeeded: one node holds most of a small cap and
// uses it no more; a request at another node gets it within its admission wait.
func TestIdleAllowanceMovesToWhereItIsNeeded(t *testing.T) {
	r := newRig(t, rigOptions{cluster: true})
	two := r.join("e2e-2")
	key := r.key(admin.NewKey{Name: "k", CacheOff: true})
	r.budget(admin.Budget{ID: "few", Unit: "requests", Limit: "40", Window: "total"})
	admitted := 0
	ask := func(url string) int {
		s := r.askAt(url, key.Secret, fmt.Sprint("question ", admitted))
		if s == http.StatusOK {
			admitted++
		}
		return s
	}
	// After it has shown the budget, node 2 goes by it.
	if _, err := two.admin.ShowBudget(context.Background(), "few"); err != nil {
		t.Fatal(err)
	}
	// Turn about: whoever asks must find what the other has idle.
	for i := 0; admitted < 40; i++ {
		url := []string{r.url, two.url}[i%2]
		if s := ask(url); s != http.StatusOK {
			t.Fatalf("request %d at %s: status %d although %d of 40 were admitted", i, url, s, admitted)
		}
	}
	for _, url := range []string{r.url, two.url} {
		if s := ask(url); s != http.StatusTooManyRequests && s != http.StatusPaymentRequired {
			t.Errorf("request 41: status %d", s)
		}
	}
}

// TestOneCapHoldsOverNodes: at every node at once, exactly as many run as the cap
// holds.
func TestOneCapHoldsOverNodes(t *testing.T) {
	r := newRig(t, rigOptions{cluster: true})
	urls := []string{r.url, r.join("e2e-2").url, r.join("e2e-3").url}
	r.votes("e2e-2", "e2e-3")
	key := r.key(admin.NewKey{Name: "k", CacheOff: true})
	const limit = 150
	r.budget(admin.Budget{ID: "few", Unit: "requests", Limit: json.Number(fmt.Sprint(limit)), Window: "total"})
	for _, url := range urls {
		c := &admin.Client{URL: url, Token: adminToken}
		if _, err := c.ShowBudget(context.Background(), "few"); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	got := map[int]int{}
	var agents sync.WaitGroup
	for i := range 30 {
		agents.Go(func() {
			for j := range 20 {
				s, answer := r.answerAt(urls[(i+j)%len(urls)], key.Secret, fmt.Sprint(i, j))
				mu.Lock()
				if got[s]++; s != http.StatusOK && s != http.StatusTooManyRequests {
					t.Logf("%d at %s: %s", s, urls[(i+j)%len(urls)], answer)
				}
				mu.Unlock()
			}
		})
	}
	agents.Wait()
	// On a busy machine some may have had no decision in time; what they left goes
	// to who asks next.
	for range limit {
		s := r.askAt(r.url, key.Secret, "one more")
		if got[s]++; s == http.StatusTooManyRequests {
			break
		}
	}
	if got[http.StatusOK] != limit || len(r.billRows()) != limit {
		t.Errorf("%d requests were admitted and %d billed, the cap is %d; statuses %v", got[http.StatusOK], len(r.billRows()), limit, got)
	}
}

// TestALeaderIsReplaced: the leader is killed, the others go on; then a minority
// that is left alone stops when its purse is empty.
func TestALeaderIsReplaced(t *testing.T) {
	r := newRig(t, rigOptions{cluster: true})
	two, three := r.join("e2e-2"), r.join("e2e-3")
	r.votes("e2e-2", "e2e-3")
	r.budget(usd("cap", "1"))
	key := r.key(admin.NewKey{Name: "k", CacheOff: true})
	for _, p := range []*peer{two, three} {
		r.eventually(p.id+" serves", func() error {
			if s := r.askAt(p.url, key.Secret, "warm up "+p.id); s != http.StatusOK {
				return fmt.Errorf("status %d", s)
			}
			return nil
		})
	}
	_ = r.node.signal(t, syscall.SIGKILL) // the first node leads
	r.node = nil
	// A warm purse needs no leader.
	if s := r.askAt(two.url, key.Secret, "without a leader"); s != http.StatusOK {
		t.Errorf("right after the kill: status %d", s)
	}
	r.admin = two.admin
	r.eventually("another node leads", func() error {
		s, err := two.admin.Status(context.Background())
		if err == nil && s.Leader != "e2e-2" && s.Leader != "e2e-3" {
			err = fmt.Errorf("leader %q", s.Leader)
		}
		return err
	})
	r.kill(three)
	// One of three decides nothing, and says so; what it knows can still be read.
	if _, err := two.admin.PutBudget(context.Background(), usd("late", "1")); err == nil {
		t.Error("a minority changed a budget")
	}
	if _, err := two.admin.ShowBudget(context.Background(), "cap"); err == nil || !strings.Contains(err.Error(), "stale=ok") {
		t.Errorf("a minority answered a linearizable read: %v", err)
	}
	stale := &admin.Client{URL: two.url, Token: adminToken, Read: admin.Stale}
	if b, err := stale.ShowBudget(context.Background(), "cap"); err != nil || b.ID != "cap" {
		t.Errorf("a stale read: %+v, %v", b, err)
	}
	r.launch(three)
	r.eventually("the cluster decides again", func() error {
		_, err := two.admin.PutBudget(context.Background(), usd("late", "1"))
		return err
	})
}

// TestAFencedNodeThatLivesEnds: a node is fenced that the others did not reach, and that
// is alive. No leader tells it anything any more; it ends none the less.
func TestAFencedNodeThatLivesEnds(t *testing.T) {
	t.Parallel()
	c, wire := newWiredTrio(t, fmt.Sprintf("  authority_ttl: %v\n", authority))
	alive := c.peers[2]
	wire.cut()
	c.eventually("the node that is out of reach is fenced", func() error {
		return c.admin.ChangeNode(context.Background(), alive.id, admin.FenceNode)
	})
	c.eventually("the others do without it", func() error {
		if n := c.member(alive.id); n.Role != "none" {
			return fmt.Errorf("%+v", n)
		}
		return nil
	})
	wire.mend()
	select {
	case err := <-alive.process.done:
		alive.process.done <- err // whoever cleans up asks, too
		if err == nil {
			t.Error("a node that was fenced ended as if all were well")
		}
	case <-time.After(patience):
		s, err := alive.status()
		t.Fatalf("%s was fenced, could hear of it, and goes on: %+v, %v", alive.id, s, err)
	}
}

// TestNodesLeaveInOrder: a node drains and is removed; a dead one is fenced; and
// what would cost the quorum is refused.
func TestNodesLeaveInOrder(t *testing.T) {
	r := newRig(t, rigOptions{cluster: true})
	two, three := r.join("e2e-2"), r.join("e2e-3")
	r.votes("e2e-2", "e2e-3")
	ctx := context.Background()
	r.budget(usd("cap", "1"))
	key := r.key(admin.NewKey{Name: "k", CacheOff: true})
	r.eventually("e2e-3 serves", func() error {
		if s := r.askAt(three.url, key.Secret, "x"); s != http.StatusOK {
			return fmt.Errorf("status %d", s)
		}
		return nil
	})
	r.eventually("the node that leads may be asked to lead", func() error {
		s, err := r.admin.Status(ctx)
		if err != nil {
			return err
		}
		return r.admin.ChangeNode(ctx, s.Leader, admin.LeadNode)
	})
	if err := r.admin.ChangeNode(ctx, "e2e-1", admin.FenceNode); err == nil {
		t.Error("a node fenced itself")
	}
	if err := r.admin.ChangeNode(ctx, "nobody", admin.DrainNode); err == nil {
		t.Error("nobody was drained")
	}
	// Dead with a lease: fenced, and what it held is written off.
	r.kill(three)
	if err := r.admin.ChangeNode(ctx, "e2e-3", admin.RemoveNode); err == nil || !strings.Contains(err.Error(), "fence") {
		t.Errorf("a dead holder was removed: %v", err)
	}
	if err := r.admin.ChangeNode(ctx, "e2e-3", admin.FenceNode); err != nil {
		t.Fatal(err)
	}
	b, err := r.admin.ShowBudget(ctx, "cap")
	if err != nil || len(b.Accounts) != 1 || b.Accounts[0].WrittenOff == 0 {
		t.Errorf("after the fence: %+v, %v", b.Accounts, err)
	}
	if said := r.refused(three.args...); !strings.Contains(said, "removed") && !strings.Contains(said, "refused") && !strings.Contains(said, "quorum") {
		t.Errorf("a fenced node came back: %s", said)
	}
	r.eventually("the fenced node is out of the configuration", func() error {
		if n := r.member("e2e-3"); n.Role != "none" || !n.Fenced || n.State != "removed" {
			return fmt.Errorf("%+v", n)
		}
		return nil
	})
	// Alive: drained, then removed.
	if err := r.admin.ChangeNode(ctx, "e2e-2", admin.DrainNode); err != nil {
		t.Fatal(err)
	}
	r.eventually("e2e-2 takes no requests", func() error {
		if s := r.askAt(two.url, key.Secret, "y"); s != http.StatusServiceUnavailable {
			return fmt.Errorf("status %d", s)
		}
		return nil
	})
	r.eventually("e2e-2 is removed", func() error { return r.admin.ChangeNode(ctx, "e2e-2", admin.RemoveNode) })
	select {
	case <-two.process.done:
		r.forget(two)
	case <-time.After(patience):
		t.Error("a removed node goes on")
	}
	if s := r.askAt(r.url, key.Secret, "z"); s != http.StatusOK {
		t.Errorf("the node that is left: status %d", s)
	}
}
