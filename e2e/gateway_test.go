package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"purser/api/admin"
)

// gateway starts a node that is no member, with one command.
func (r *rig) gateway(id string) *peer {
	r.t.Helper()
	p := &peer{id: id, args: []string{"join", "--gateway", "--token", r.token(), "--id", id, "--data-dir", filepath.Join(r.dir, id), "--listen", "127.0.0.1:0", "--cluster-listen", "127.0.0.1:0"}}
	r.launch(p)
	return p
}

// warm has a node serve, so that it holds allowance.
func (r *rig) warm(url, key string) {
	r.t.Helper()
	r.eventually(url+" serves", func() error {
		if s, answer := r.answerAt(url, key, "warm up "+url); s != http.StatusOK {
			return fmt.Errorf("status %d: %s", s, answer)
		}
		return nil
	})
}

// TestGatewaysShareACapWithMembers: two gateways beside three members, each with one
// command; at every node at once, exactly as many requests run as the cap holds.
func TestGatewaysShareACapWithMembers(t *testing.T) {
	r := newRig(t, rigOptions{cluster: true})
	urls := []string{r.url, r.join("e2e-2").url, r.join("e2e-3").url}
	r.votes("e2e-2", "e2e-3")
	for _, id := range []string{"gw-1", "gw-2"} {
		g := r.gateway(id)
		urls = append(urls, g.url)
		if n := r.member(id); n.Role != "gateway" || !n.Answers || n.Incarnation != 1 {
			t.Errorf("the members show %+v", n)
		}
		s, err := g.admin.Status(context.Background())
		if err != nil || s.Role != "gateway" || s.Follows == "" || s.State != "ready" || s.Digest != "" {
			t.Errorf("its status: %+v, %v", s, err)
		}
		noAuthority(t, filepath.Join(r.dir, id))
	}
	key := r.key(admin.NewKey{Name: "k", CacheOff: true})
	const limit = 150
	r.budget(admin.Budget{ID: "few", Unit: "requests", Limit: json.Number(fmt.Sprint(limit)), Window: "total"})
	for _, url := range urls {
		c := &admin.Client{URL: url, Token: adminToken}
		if _, err := c.ListBudgets(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	got := map[int]int{}
	var agents sync.WaitGroup
	for i := range 30 {
		agents.Go(func() {
			for j := range 20 {
				s := r.askAt(urls[(i+j)%len(urls)], key.Secret, fmt.Sprint(i, j))
				mu.Lock()
				got[s]++
				mu.Unlock()
			}
		})
	}
	agents.Wait()
	// On a busy machine some may have had no decision in time; what they left goes
	// to who asks next, here a gateway.
	for range limit {
		s := r.askAt(urls[4], key.Secret, "one more")
		if got[s]++; s == http.StatusTooManyRequests {
			break
		}
	}
	if got[http.StatusOK] != limit || len(r.billRows()) != limit {
		t.Errorf("%d requests were admitted and %d billed, the cap is %d; statuses %v", got[http.StatusOK], len(r.billRows()), limit, got)
	}
}

// noAuthority: nothing in a gateway's directory could make it a member, or a token.
func noAuthority(t *testing.T, dir string) {
	t.Helper()
	keys := 0
	err := filepath.WalkDir(filepath.Join(dir, "cluster"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), "PRIVATE KEY") {
			keys++
			if filepath.Base(path) != "node.pem" {
				t.Errorf("%s holds a key", path)
			}
		}
		return err
	})
	if err != nil || keys != 1 {
		t.Errorf("%d keys, %v", keys, err)
	}
	for _, part := range []string{"raft", filepath.Join("cluster", "authority.pem")} {
		if _, err := os.Stat(filepath.Join(dir, part)); err == nil {
			t.Errorf("a gateway has %s", part)
		}
	}
}

// TestAKilledGatewayComesBackWithItsEvidence: the same command starts it again; what
// it may have spent and cannot prove is presumed, and the cap holds.
func TestAKilledGatewayComesBackWithItsEvidence(t *testing.T) {
	r := newRig(t, rigOptions{cluster: true})
	g := r.gateway("gw-1")
	const limit = "0.01"
	r.budget(usd("cap", limit))
	key := r.key(admin.NewKey{Name: "k", CacheOff: true})
	r.warm(g.url, key.Secret)
	var agents sync.WaitGroup
	for i := range 8 {
		agents.Go(func() {
			for j := range 40 {
				if r.askAt(g.url, key.Secret, fmt.Sprint(i, j)) == 0 {
					return // it was killed
				}
			}
		})
	}
	r.eventually("it spends", func() error {
		if n := len(r.billRows()); n < 20 {
			return fmt.Errorf("%d calls are billed", n)
		}
		return nil
	})
	r.kill(g)
	agents.Wait()
	r.launch(g)
	r.eventually("it is back as its next incarnation", func() error {
		if n := r.member("gw-1"); n.Incarnation != 2 || !n.Answers {
			return fmt.Errorf("%+v", n)
		}
		return nil
	})
	r.warm(g.url, key.Secret)
	account := r.settled("cap")
	billed := sum(r.billRows())
	if billed > account.Limit || billed > account.Spent || account.Spent+account.Available != account.Limit {
		t.Errorf("billed %d; account %+v", billed, account)
	}
}

// TestAGatewayGoesByTheLatestRules: a key that is revoked and a limit that is lowered
// at a member count at the gateway as soon as it is asked to be up to date, and soon
// without; changes made at the gateway reach the members.
func TestAGatewayGoesByTheLatestRules(t *testing.T) {
	r := newRig(t, rigOptions{cluster: true})
	g := r.gateway("gw-1")
	ctx := context.Background()
	r.budget(usd("cap", "1"))
	revoked, kept := r.key(admin.NewKey{Name: "a", CacheOff: true}), r.key(admin.NewKey{Name: "b", CacheOff: true})
	r.warm(g.url, revoked.Secret)
	if _, err := r.admin.RevokeKey(ctx, revoked.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := g.admin.ListBudgets(ctx); err != nil { // waits until it is up to date
		t.Fatal(err)
	}
	if s := r.askAt(g.url, revoked.Secret, "x"); s != http.StatusUnauthorized {
		t.Errorf("a revoked key: status %d", s)
	}
	r.budget(usd("cap", "0"))
	r.eventually("the gateway hears of it unasked", func() error {
		if s := r.askAt(g.url, kept.Secret, "y"); s != http.StatusPaymentRequired {
			return fmt.Errorf("status %d", s)
		}
		return nil
	})
	// The other way round: the gateway forwards what changes the ledger.
	if _, err := g.admin.PutBudget(ctx, usd("cap", "1")); err != nil {
		t.Fatal(err)
	}
	made, err := g.admin.CreateKey(ctx, admin.NewKey{Name: "c"})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{g.url, r.url} {
		r.eventually("the key and the limit count at "+url, func() error {
			if s := r.askAt(url, made.Secret, "z"); s != http.StatusOK {
				return fmt.Errorf("status %d", s)
			}
			return nil
		})
	}
	// What it cannot answer it says, and who can.
	for what, err := range map[string]error{
		"an account": second(g.admin.ShowBudget(ctx, "cap")),
		"members":    second(g.admin.Members(ctx)),
		"a backup":   g.admin.Backup(ctx, &strings.Builder{}),
		"a fence":    g.admin.ChangeNode(ctx, "e2e-1", admin.FenceNode),
	} {
		if err == nil || !strings.Contains(err.Error(), "ask a member: e2e-1") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if list, err := g.admin.ListBudgets(ctx); err != nil || len(list) != 1 || list[0].Limit != "1" {
		t.Errorf("the rules: %+v, %v", list, err)
	}
	if keys, err := g.admin.ListKeys(ctx); err != nil || len(keys) != 3 {
		t.Errorf("the keys: %+v, %v", keys, err)
	}
	// A token that the gateway makes leads to a member.
	token, err := g.admin.NewToken(ctx, admin.NewToken{})
	if err != nil {
		t.Fatal(err)
	}
	r.launch(&peer{id: "e2e-2", args: []string{"join", "--token", token.Token, "--id", "e2e-2", "--data-dir", filepath.Join(r.dir, "e2e-2"), "--listen", "127.0.0.1:0", "--cluster-listen", "127.0.0.1:0"}})
	r.votes("e2e-1")
}

func second[T any](_ T, err error) error { return err }

// TestAGatewayFollowsAnother: the member it follows is killed; requests go on from
// its purse, and it follows another one. With no member left to hear, it stops after
// authority_ttl, and goes on when they are back.
func TestAGatewayFollowsAnother(t *testing.T) {
	r := newRig(t, rigOptions{cluster: true, purse: "  authority_ttl: 3s\n"})
	two, three := r.join("e2e-2"), r.join("e2e-3")
	r.votes("e2e-2", "e2e-3")
	g := r.gateway("gw-1")
	r.budget(usd("cap", "1"))
	key := r.key(admin.NewKey{Name: "k", CacheOff: true})
	r.warm(g.url, key.Secret)
	nodes := map[string]*peer{"e2e-2": two, "e2e-3": three}
	first := r.follows(g, "")
	if nodes[first] == nil {
		t.Fatalf("it follows %s, which leads", first)
	}
	r.kill(nodes[first])
	if s := r.askAt(g.url, key.Secret, "on its own"); s != http.StatusOK {
		t.Errorf("right after the kill: status %d", s)
	}
	r.follows(g, first)
	made := r.key(admin.NewKey{Name: "later", CacheOff: true})
	r.warm(g.url, made.Secret) // what it hears is new
	r.launch(nodes[first])

	pause := func(s syscall.Signal) {
		for _, p := range []*process{r.node, two.process, three.process} {
			if err := p.cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	pause(syscall.SIGSTOP)
	defer pause(syscall.SIGCONT)
	cut := time.Now()
	if s := r.askAt(g.url, key.Secret, "right after"); s != http.StatusOK {
		t.Errorf("right after it was cut off: status %d", s)
	}
	r.eventually("it admits nothing any more", func() error {
		if s := r.askAt(g.url, key.Secret, "cut off"); s != http.StatusServiceUnavailable {
			return fmt.Errorf("status %d after %v", s, time.Since(cut))
		}
		return nil
	})
	if took := time.Since(cut); took > 3*time.Second+time.Second {
		t.Errorf("it stopped after %v, authority_ttl is 3s", took)
	}
	pause(syscall.SIGCONT)
	r.warm(g.url, key.Secret)
}

// follows waits until a gateway follows a member, another one than not.
func (r *rig) follows(g *peer, not string) string {
	r.t.Helper()
	var s admin.Status
	r.eventually(g.id+" follows a member", func() (err error) {
		stale := &admin.Client{URL: g.url, Token: adminToken, Read: admin.Stale}
		if s, err = stale.Status(context.Background()); err == nil && (s.Follows == "" || s.Follows == not) {
			err = fmt.Errorf("it follows %q", s.Follows)
		}
		return err
	})
	return s.Follows
}

// TestGatewaysLeaveInOrder: a gateway drains and is removed; a dead one is fenced.
func TestGatewaysLeaveInOrder(t *testing.T) {
	r := newRig(t, rigOptions{cluster: true})
	one, two := r.gateway("gw-1"), r.gateway("gw-2")
	ctx := context.Background()
	r.budget(usd("cap", "1"))
	key := r.key(admin.NewKey{Name: "k", CacheOff: true})
	r.warm(one.url, key.Secret)
	r.warm(two.url, key.Secret)
	if err := r.admin.ChangeNode(ctx, "gw-1", admin.LeadNode); err == nil {
		t.Error("a gateway leads")
	}
	r.kill(two)
	if err := r.admin.ChangeNode(ctx, "gw-2", admin.RemoveNode); err == nil || !strings.Contains(err.Error(), "fence") {
		t.Errorf("a dead holder was removed: %v", err)
	}
	if err := r.admin.ChangeNode(ctx, "gw-2", admin.FenceNode); err != nil {
		t.Fatal(err)
	}
	b, err := r.admin.ShowBudget(ctx, "cap")
	if err != nil || len(b.Accounts) != 1 || b.Accounts[0].WrittenOff == 0 {
		t.Errorf("after the fence: %+v, %v", b.Accounts, err)
	}
	if said := r.refused(two.args...); !strings.Contains(said, "the cluster has removed this node") {
		t.Errorf("a fenced gateway came back: %s", said)
	}
	if err := r.admin.ChangeNode(ctx, "gw-1", admin.DrainNode); err != nil {
		t.Fatal(err)
	}
	r.eventually("gw-1 takes no requests", func() error {
		if s := r.askAt(one.url, key.Secret, "y"); s != http.StatusServiceUnavailable {
			return fmt.Errorf("status %d", s)
		}
		return nil
	})
	r.eventually("gw-1 is removed", func() error { return r.admin.ChangeNode(ctx, "gw-1", admin.RemoveNode) })
	select {
	case <-one.process.done:
		r.forget(one)
	case <-time.After(patience):
		t.Error("a removed gateway goes on")
	}
	if n := r.member("gw-1"); n.State != "removed" || n.Role != "gateway" {
		t.Errorf("the members show %+v", n)
	}
}

// TestAGatewayComesWhileAMemberIsAway: once the audit trail has begun, which shows that
// every member reads such entries, none has to be asked. That without it a leader waits
// for all of them is shown in package raftfsm.
func TestAGatewayComesWhileAMemberIsAway(t *testing.T) {
	r := newRig(t, rigOptions{cluster: true})
	two := r.join("e2e-2")
	r.join("e2e-3")
	r.votes("e2e-2", "e2e-3")
	r.eventually("the audit trail has begun", func() error {
		head, err := two.admin.AuditHead(context.Background())
		if err == nil && strings.HasPrefix(head.Head, "0:") {
			err = errors.New("it has no entry")
		}
		return err
	})
	signal := func(s syscall.Signal) {
		if err := r.node.cmd.Process.Signal(s); err != nil {
			t.Error(err)
		}
	}
	awayUntil := func(said string) (done chan bool) {
		signal(syscall.SIGSTOP)
		r.admin = two.admin
		r.eventually("another node leads", func() error { return second(two.admin.Members(context.Background())) })
		done = make(chan bool, 1)
		go func() {
			defer signal(syscall.SIGCONT)
			for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(10 * time.Millisecond) {
				if b, err := os.ReadFile(filepath.Join(r.dir, "gw-1.log")); err == nil && strings.Contains(string(b), said) {
					done <- true
					return
				}
			}
			done <- false
		}()
		return done
	}
	in := awayUntil("node ready")
	g := r.gateway("gw-1")
	if !<-in {
		t.Error("it was not let in while a member was away")
	}
	// It starts at another port, which the directory has to take down, under a leader
	// that has not heard of all members.
	r.kill(g)
	if err := os.Remove(filepath.Join(r.dir, "gw-1.log")); err != nil {
		t.Fatal(err)
	}
	first := &admin.Client{URL: r.url, Token: adminToken, Read: admin.Stale}
	r.eventually("e2e-1 leads again", func() error {
		err := r.admin.ChangeNode(context.Background(), "e2e-1", admin.LeadNode)
		if s, e := first.Status(context.Background()); err == nil && s.Role != "leader" {
			err = fmt.Errorf("it is %q, %v", s.Role, e)
		}
		return err
	})
	back := awayUntil("node ready")
	r.launch(g)
	if !<-back {
		t.Error("it did not come back while a member was away")
	}
}

// TestRolesDoNotMix: a directory serves one node in one role.
func TestRolesDoNotMix(t *testing.T) {
	r := newRig(t, rigOptions{cluster: true})
	g, m := r.gateway("gw-1"), r.join("e2e-2")
	used := g.args[3]
	if err := g.process.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("the gateway ended badly: %v", err)
	}
	r.forget(g)
	r.kill(m)
	dir := func(id string) []string { return []string{"--id", id, "--data-dir", filepath.Join(r.dir, id)} }
	for what, c := range map[string]struct {
		args []string
		says string
	}{
		"a member with a gateway's directory": {append([]string{"join", "--token", r.token()}, dir("gw-1")...), "a gateway does not become a member"},
		"the same, to serve":                  {append([]string{"serve"}, dir("gw-1")...), "a gateway does not become a member"},
		"a gateway with a member's directory": {append([]string{"join", "--gateway", "--token", r.token()}, dir("e2e-2")...), "a member does not become a gateway"},
		"the id of a member":                  {[]string{"join", "--gateway", "--token", r.token(), "--id", "e2e-2", "--data-dir", filepath.Join(r.dir, "x1")}, "purser node fence e2e-2"},
		"the id of a gateway":                 {[]string{"join", "--token", r.token(), "--id", "gw-1", "--data-dir", filepath.Join(r.dir, "x2")}, "another data directory"},
		"a token twice":                       {[]string{"join", "--gateway", "--token", used, "--id", "gw-9", "--data-dir", filepath.Join(r.dir, "x3")}, "was used by another node"},
		"no token":                            {[]string{"join", "--gateway", "--id", "gw-9", "--data-dir", filepath.Join(r.dir, "x4")}, "admin.token"},
		"gossip of its own":                   {[]string{"join", "--gateway", "--gossip", "127.0.0.1:9", "--token", r.token(), "--id", "gw-9", "--data-dir", filepath.Join(r.dir, "x5")}, "does not gossip"},
		"a cluster's first node":              {[]string{"cluster", "init", "--gateway", "--id", "gw-9", "--data-dir", filepath.Join(r.dir, "x6")}, "begins with a member"},
	} {
		args := append(c.args, "--listen", "127.0.0.1:0", "--cluster-listen", "127.0.0.1:0")
		if said := r.refused(args...); !strings.Contains(said, c.says) {
			t.Errorf("%s: it said %q", what, said)
		}
	}
	r.launch(g) // the same command, with the token that was used
}
