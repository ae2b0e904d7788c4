package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"slices"
	"syscall"
	"testing"
	"time"

	"purser/api/admin"
)

// authority is authority_ttl in these tests.
const authority = 3 * time.Second

func newMinority(t *testing.T) (c *trio, alone *peer, others []*peer) {
	c = newTrio(t, fmt.Sprintf("  authority_ttl: %v\n", authority), "20")
	_, followers := c.leader()
	alone = followers[0]
	others = slices.DeleteFunc(slices.Clone(c.peers), func(p *peer) bool { return p == alone })
	return c, alone, others
}

// freeze stops processes as a partition would; thaw lets them go on.
func (c *trio) freeze(peers ...*peer) { c.signalAll(syscall.SIGSTOP, peers) }
func (c *trio) thaw(peers ...*peer)   { c.signalAll(syscall.SIGCONT, peers) }

func (c *trio) signalAll(s syscall.Signal, peers []*peer) {
	c.t.Helper()
	for _, p := range peers {
		if err := p.process.cmd.Process.Signal(s); err != nil {
			c.t.Fatal(err)
		}
	}
}

// TestFigureMinority: a node that is left alone spends what it holds, then answers
// 503; after authority_ttl it admits nothing at all, whatever it holds. When the
// others are back, exactly the cap has been admitted.
func TestFigureMinority(t *testing.T) {
	c, alone, others := newMinority(t)
	const limit = 400
	few := c.rig.key(admin.NewKey{Name: "few", Bound: map[string]string{"team": "few"}, CacheOff: true})
	c.budget(admin.Budget{ID: "few", Unit: "requests", Limit: "400", Window: "total", Match: map[string][]string{"team": {"few"}}})
	for _, p := range c.peers {
		if _, err := p.admin.ShowBudget(context.Background(), "few"); err != nil { // from now on it goes by it
			t.Fatal(err)
		}
	}
	load, wealth := drive(c.peers, few.Secret, 20), drive(c.peers, c.key.Secret, 50)
	c.warm(load)
	c.warm(wealth)
	before := load.end()
	wealth.end()

	c.freeze(others...)
	cut := time.Now()
	poor, rich := drive([]*peer{alone}, few.Secret, 150), drive([]*peer{alone}, c.key.Secret, 50)
	c.eventually("the node has lost its authority", func() error {
		if a, ok := rich.first(http.StatusServiceUnavailable); !ok || time.Since(a.begun) < time.Second {
			return fmt.Errorf("not for a second yet")
		}
		return nil
	})
	gotPoor, gotRich := poor.end(), rich.end()
	c.thaw(others...)

	spent, _ := poor.first(http.StatusServiceUnavailable)
	last := lastOf(gotRich, http.StatusOK)
	poorly, richly := statuses(gotPoor, everything), statuses(gotRich, everything)
	for what, counts := range map[string]map[int]int{"poor": poorly, "rich": richly} {
		if counts[http.StatusOK] == 0 || counts[http.StatusOK]+counts[http.StatusServiceUnavailable] < total(counts) {
			t.Errorf("%s: answers %v", what, counts)
		}
	}
	t.Logf("alone, with a small cap: %d requests admitted, 503 after %v", poorly[http.StatusOK], spent.begun.Sub(cut).Round(time.Millisecond))
	target(t, last.Sub(cut) <= authority, "alone, with money: the last request was admitted %v after the cut, authority_ttl is %v", last.Sub(cut).Round(time.Millisecond), authority)

	for _, p := range c.peers {
		c.serves(p, c.key.Secret)
	}
	admitted := statuses(before, everything)[http.StatusOK] + poorly[http.StatusOK]
	c.eventually("the small cap is spent", func() error {
		for _, p := range c.peers {
			switch s := c.askAt(p.url, few.Secret, fmt.Sprint("again ", admitted)); s {
			case http.StatusOK:
				admitted++
			case http.StatusTooManyRequests:
				return nil
			}
		}
		return fmt.Errorf("%d admitted", admitted)
	})
	if admitted != limit {
		t.Errorf("%d requests admitted in all, the cap is %d", admitted, limit)
	}
}

func everything(answer) bool { return true }

// lastOf is when the last request that was answered so was sent.
func lastOf(got []answer, status int) (at time.Time) {
	for _, a := range got {
		if a.status == status && a.begun.After(at) {
			at = a.begun
		}
	}
	return at
}

// TestFigureRevocation: a revoked key and a lowered cap take effect on every node
// within authority_ttl, also on one that was paused for longer.
func TestFigureRevocation(t *testing.T) {
	c, alone, _ := newMinority(t)
	ctx := context.Background()
	asked := 0
	effective := func(key string, status int) time.Duration {
		begun := time.Now()
		for _, p := range c.peers {
			c.eventually(fmt.Sprintf("%s answers %d", p.id, status), func() error {
				asked++
				if s := c.askAt(p.url, key, fmt.Sprint("effective ", asked)); s != status {
					return fmt.Errorf("status %d", s)
				}
				return nil
			})
		}
		return time.Since(begun)
	}
	revoked := c.rig.key(admin.NewKey{Name: "revoked", CacheOff: true})
	paused := c.rig.key(admin.NewKey{Name: "paused", CacheOff: true})
	for _, p := range c.peers {
		c.serves(p, revoked.Secret)
		c.serves(p, paused.Secret)
	}
	if _, err := c.admin.RevokeKey(ctx, revoked.ID); err != nil {
		t.Fatal(err)
	}
	took := effective(revoked.Secret, http.StatusUnauthorized)
	target(t, took <= authority, "a revoked key is refused everywhere after %v", took.Round(time.Millisecond))

	c.freeze(alone)
	frozen := time.Now()
	var asker *peer
	if asker = c.peers[0]; asker == alone {
		asker = c.peers[1]
	}
	c.eventually("the key is revoked without the paused node", func() error {
		_, err := asker.admin.RevokeKey(ctx, paused.ID)
		return err
	})
	c.eventually("the paused node's authority is over", func() error {
		if gone := time.Since(frozen); gone < authority+time.Second {
			return fmt.Errorf("paused for %v", gone)
		}
		return nil
	})
	answers, written := make(chan int, 20), make(chan struct{}, 20)
	sent := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { written <- struct{}{} }})
	for i := range cap(answers) {
		go func() {
			answers <- send(http.DefaultClient, chat(sent, "gpt-4.1-nano", alone.url, paused.Secret, fmt.Sprint("paused ", i)))
		}()
	}
	for range cap(answers) {
		<-written // they wait in its sockets
	}
	c.thaw(alone)
	admitted := 0
	for range cap(answers) {
		switch s := <-answers; s {
		case http.StatusOK:
			admitted++
		case http.StatusUnauthorized, http.StatusServiceUnavailable:
		default:
			t.Errorf("a request to the paused node: status %d", s)
		}
	}
	target(t, admitted == 0, "a node that was paused for longer than authority_ttl admitted %d of %d requests of a key revoked meanwhile", admitted, cap(answers))

	c.serves(alone, c.key.Secret)
	if _, err := c.admin.PutBudget(ctx, usd("cap", "0.000001")); err != nil {
		t.Fatal(err)
	}
	took = effective(c.key.Secret, http.StatusPaymentRequired)
	target(t, took <= authority, "a lowered cap is in force everywhere after %v", took.Round(time.Millisecond))
}
