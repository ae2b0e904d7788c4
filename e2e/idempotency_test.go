package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"purser/api/admin"
)

// onceTrio is a trio whose nodes answer requests with keys.
func onceTrio(t *testing.T) *trio {
	t.Helper()
	c := newTrio(t, "", "1000")
	c.key = c.rig.key(admin.NewKey{Name: "once", CacheOff: true})
	for _, p := range c.peers {
		c.serves(p, c.key.Secret)
	}
	return c
}

// once is an answer to a request with an Idempotency-Key.
type once struct {
	status int
	body   string
	header http.Header
	err    error
}

func (o once) replayed() bool { return o.header.Get("x-purser-idempotent-replayed") == "true" }

func (o once) is(code string) bool { return strings.Contains(o.body, `"code":"`+code+`"`) }

func (o once) String() string {
	return fmt.Sprintf("%d replayed=%v err=%v %.300s", o.status, o.replayed(), o.err, o.body)
}

// once posts a chat request under a key.
func (c *trio) once(p *peer, key, text string, stream bool, headers ...string) once {
	body := fmt.Sprintf(`{"model":"gpt-4o-mini","max_completion_tokens":400,"stream":%v,"messages":[{"role":"user","content":%q}]}`, stream, text)
	return c.onceWith(p, c.key.Secret, key, body, headers...)
}

func (c *trio) onceWith(p *peer, secret, key, body string, headers ...string) (out once) {
	req, err := http.NewRequest(http.MethodPost, p.url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return once{err: err}
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set("Idempotency-Key", key)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := cacheClient.Do(req)
	if err != nil {
		return once{err: err}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return once{res.StatusCode, string(b), res.Header, err}
}

// calls is how many calls the provider has billed.
func (c *trio) calls() int { return len(c.rig.billRows()) }

// claims is what so many claims of a node came to.
func (c *trio) claims(p *peer, outcome string) (n int) {
	c.rig.t.Helper()
	res, err := http.Get(p.url + "/metrics")
	if err != nil {
		c.rig.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.rig.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), "purser_idempotency_claims_total{outcome=\""+outcome+"\"} ")
	if _, err := fmt.Sscan(after, &n); err != nil {
		c.rig.t.Fatal(err)
	}
	return n
}

// replays waits until a node replays the answer of a key, and gives it.
func (c *trio) replays(p *peer, key, text string, stream bool) (got once) {
	c.rig.t.Helper()
	c.rig.eventually(p.id+" replays "+key, func() error {
		if got = c.once(p, key, text, stream); !got.replayed() {
			return fmt.Errorf("%v", got)
		}
		return nil
	})
	return got
}

// TestIdempotentRequestsCallOnce: whatever node is asked, the provider bills one call of
// a key, and all get its answer.
func TestIdempotentRequestsCallOnce(t *testing.T) {
	c := onceTrio(t)
	billed := c.calls()

	for i, stream := range []bool{false, true, false, true} {
		key, text := fmt.Sprintf("key-%d", i), fmt.Sprintf("say %d", i)
		first := c.once(c.peers[i%3], key, text, stream)
		if first.status != 200 || first.err != nil || first.replayed() {
			t.Fatalf("%v", first)
		}
		for _, p := range c.peers {
			again := c.replays(p, key, text, stream)
			if again.body != first.body || again.status != 200 || again.header.Get("Content-Type") != first.header.Get("Content-Type") {
				t.Errorf("%s replays %q, not %q", p.id, again.body, first.body)
			}
			if id := again.header.Get("x-purser-idempotent-request"); id != first.header.Get("x-purser-request-id") || id == again.header.Get("x-purser-request-id") {
				t.Errorf("the replay is of %s", id)
			}
			if cost := again.header.Get("x-purser-cost-nanousd"); cost != "0" {
				t.Errorf("the replay costs %s", cost)
			}
		}
	}
	if n := c.calls() - billed; n != 4 {
		t.Fatalf("%d calls were billed, not 4", n)
	}

	// A gateway is no home, and asks as members do.
	g := c.rig.gateway("gw-1")
	c.serves(g, c.key.Secret)
	billed = c.calls()
	c.replays(g, "key-1", "say 1", true)
	if first := c.once(g, "key-gateway", "say it here", false); first.status != 200 || c.replays(c.peers[0], "key-gateway", "say it here", false).body != first.body {
		t.Errorf("%v", first)
	}
	if n := c.calls() - billed; n != 1 {
		t.Errorf("%d calls were billed, not 1", n)
	}

	// Another request under a key; the same key of another tenant.
	for _, p := range c.peers {
		if got := c.once(p, "key-0", "say something else", false); got.status != 422 || !got.is("idempotency_key_reused") {
			t.Errorf("%s: %v", p.id, got)
		}
	}
	other := c.rig.key(admin.NewKey{Name: "other", CacheOff: true})
	c.serves(c.peers[0], other.Secret)
	billed = c.calls()
	body := `{"model":"gpt-4o-mini","max_completion_tokens":400,"messages":[{"role":"user","content":"say 0"}]}`
	if got := c.onceWith(c.peers[0], other.Secret, "key-0", body); got.status != 200 || got.replayed() {
		t.Errorf("another tenant's: %v", got)
	}
	if n := c.calls() - billed; n != 1 {
		t.Errorf("another tenant's call was billed %d times", n)
	}

	// An answer that is too long to keep is not made again.
	long := c.once(c.peers[1], "key-long", "say much", false, "x-sim-mode", "huge=1200000")
	if long.status != 200 || len(long.body) < 1_200_000 {
		t.Fatalf("%v", long)
	}
	billed = c.calls()
	for _, p := range c.peers {
		c.rig.eventually(p.id+" does not make it again", func() error {
			if got := c.once(p, "key-long", "say much", false); got.status != 409 || !got.is("idempotency_answer_not_kept") || got.header.Get("x-should-retry") != "false" {
				return fmt.Errorf("%v", got)
			}
			return nil
		})
	}
	// What the provider refused was not made, and may be tried again.
	if got := c.once(c.peers[2], "key-refused", "say", false, "x-sim-mode", "quota"); got.status != 429 {
		t.Errorf("%v", got)
	}
	c.rig.eventually("the key is free again", func() error {
		if got := c.once(c.peers[0], "key-refused", "say", false); got.status != 200 || got.replayed() {
			return fmt.Errorf("%v", got)
		}
		return nil
	})
	if n := c.calls() - billed; n != 1 {
		t.Errorf("%d calls were billed, not 1", n)
	}
}

// TestIdempotentRequestsRace: of many at once under one key, at all nodes, one is sent.
func TestIdempotentRequestsRace(t *testing.T) {
	c := onceTrio(t)
	for round := range 8 {
		billed := c.calls()
		key, text := fmt.Sprintf("race-%d", round), fmt.Sprintf("race %d", round)
		got := make([]once, 12)
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() { got[i] = c.once(c.peers[i%3], key, text, round%2 == 1, "x-sim-mode", "slow-first=300ms") })
		}
		all.Wait()
		made := 0
		for _, o := range got {
			switch {
			case o.status == 200 && !o.replayed():
				made++
			case o.status == 200, o.status == 409 && o.is("idempotency_conflict") && o.header.Get("retry-after") != "":
			default:
				t.Errorf("%v", o)
			}
		}
		if n := c.calls() - billed; n != made || made > 1 {
			t.Errorf("round %d: %d were made, and %d billed", round, made, n)
		}
		if made == 0 { // each had one home, and none all of them
			continue
		}
		one := got[slices.IndexFunc(got, func(o once) bool { return o.status == 200 && !o.replayed() })]
		for _, p := range c.peers {
			if again := c.replays(p, key, text, round%2 == 1); again.body != one.body {
				t.Errorf("%s replays %q, not %q", p.id, again.body, one.body)
			}
		}
		if n := c.calls() - billed; n != 1 {
			t.Errorf("round %d: %d were billed", round, n)
		}
	}
}

// TestIdempotentRequestOfADeadNode: a node is killed while its call is under way. What came
// of that is not known, and it is never made again.
func TestIdempotentRequestOfADeadNode(t *testing.T) {
	c := onceTrio(t)
	victim := c.peers[2]
	billed := c.calls()
	asked := make(chan once, 4)
	for i := range 4 {
		go func() {
			asked <- c.once(victim, fmt.Sprintf("dead-%d", i), "say", false, "x-sim-mode", "bill-timeout")
		}()
	}
	c.rig.eventually("the calls are billed", func() error {
		if n := c.calls() - billed; n != 4 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	if got := c.once(c.peers[0], "dead-0", "say", false); got.status != 409 || !got.is("idempotency_conflict") {
		t.Errorf("while it runs: %v", got)
	}
	away := func(what, key string) {
		got := c.once(c.peers[0], key, "say", false)
		if got.status != 503 || !got.is("idempotency_unavailable") || got.header.Get("retry-after") == "" || got.header.Get("x-should-retry") != "" {
			t.Errorf("%s, %s: %v", what, key, got)
		}
	}
	signal := func(s syscall.Signal) {
		if err := victim.process.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	for i := range 4 {
		away("while it is paused", fmt.Sprintf("dead-%d", i))
	}
	signal(syscall.SIGCONT)
	c.rig.eventually("it runs again", func() error {
		if got := c.once(c.peers[0], "dead-0", "say", false); !got.is("idempotency_conflict") && !got.is("idempotency_outcome_unknown") {
			return fmt.Errorf("%v", got)
		}
		return nil
	})
	c.rig.kill(victim)
	for range 4 {
		<-asked
	}
	for i := range 4 {
		away("while it is dead", fmt.Sprintf("dead-%d", i))
	}
	c.rig.launch(victim)
	c.serves(victim, c.key.Secret)
	for i := range 4 {
		for _, p := range c.peers {
			c.rig.eventually("it is known not to be known", func() error {
				got := c.once(p, fmt.Sprintf("dead-%d", i), "say", false)
				if got.status != 409 || !got.is("idempotency_outcome_unknown") || got.header.Get("x-should-retry") != "false" {
					return fmt.Errorf("%v", got)
				}
				return nil
			})
		}
	}
	if n := c.calls() - billed - 1; n != 4 { // and the one by which the victim was seen to serve
		t.Errorf("%d calls were billed, not 4", n)
	}
}

// TestIdempotencyKeysOfADeadHome: while a home is down nothing is sent under its keys,
// and when it is back what it knew is there.
func TestIdempotencyKeysOfADeadHome(t *testing.T) {
	c := onceTrio(t)
	victim, asker := c.peers[2], c.peers[0]
	key := func(i int) string { return fmt.Sprintf("home-%d", i) }
	const many = 12
	answers := map[string]once{}
	for i := range many {
		answers[key(i)] = c.once(asker, key(i), "say", false)
		if got := answers[key(i)]; got.status != 200 {
			t.Fatalf("%v", got)
		}
	}
	for i := range many {
		c.replays(c.peers[1], key(i), "say", false)
	}
	// A call that ends while its home is down is told to it later.
	late := make(chan once, many)
	billed, granted := c.calls(), c.claims(asker, "granted")
	for i := range many {
		go func() { late <- c.once(asker, "late-"+key(i), "say", false, "x-sim-mode", "slow-first=2s") }()
	}
	c.rig.eventually("their calls are under way", func() error {
		if n := c.claims(asker, "granted") - granted; n != many {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	c.rig.kill(victim)
	for range many {
		if got := <-late; got.status != 200 {
			t.Errorf("a call that was under way: %v", got)
		}
	}
	closed := 0
	for i := range many {
		got := c.once(asker, key(i), "say", false)
		switch {
		case got.replayed() && got.body == answers[key(i)].body:
		case got.status == 503 && got.is("idempotency_unavailable") && got.header.Get("retry-after") != "":
			closed++
		default:
			t.Errorf("while a home is down: %v", got)
		}
	}
	if closed == 0 {
		t.Error("the node that was killed is no home of any key")
	}
	c.rig.launch(victim)
	c.serves(victim, c.key.Secret)
	for i := range many {
		for _, p := range c.peers {
			if got := c.replays(p, key(i), "say", false); got.body != answers[key(i)].body {
				t.Errorf("%s replays %q, not %q", p.id, got.body, answers[key(i)].body)
			}
			c.replays(p, "late-"+key(i), "say", false)
		}
	}
	if n := c.calls() - billed - 1; n != many { // and the one by which the victim was seen to serve
		t.Errorf("%d calls were billed, not %d", n, many)
	}
}

// TestIdempotencyKeysWhileMembersComeAndGo: what was claimed before a member came or went
// is not claimed again after it.
func TestIdempotencyKeysWhileMembersComeAndGo(t *testing.T) {
	c := onceTrio(t)
	const many = 18
	answers := map[string]once{}
	answer := func(when string) {
		for i := range many {
			key := fmt.Sprintf("%s-%d", when, i)
			if answers[key] = c.once(c.peers[i%len(c.peers)], key, "say", false); answers[key].status != 200 || answers[key].replayed() {
				t.Fatalf("%s: %v", key, answers[key])
			}
		}
	}
	answer("before")
	c.peers = append(c.peers, c.rig.join("e2e-4"))
	c.serves(c.peers[3], c.key.Secret)
	billed := c.calls()
	answer("with")
	for key, first := range answers {
		for _, p := range c.peers {
			if got := c.replays(p, key, "say", false); got.body != first.body {
				t.Errorf("%s at %s: %v", key, p.id, got)
			}
		}
	}
	if n := c.calls() - billed; n != many {
		t.Errorf("%d calls were billed, not %d", n, many)
	}

	// One drains and leaves.
	gone := c.peers[1]
	change := func(how admin.NodeChange) {
		c.rig.eventually(fmt.Sprint(gone.id, " is to ", how), func() error { return c.rig.admin.ChangeNode(t.Context(), gone.id, how) })
	}
	change(admin.DrainNode)
	change(admin.RemoveNode)
	c.peers = slices.Delete(c.peers, 1, 2)
	c.rig.forget(gone)
	billed = c.calls()
	closed := 0
	for key, first := range answers {
		for _, p := range c.peers {
			c.rig.eventually(key+" is decided at "+p.id, func() error {
				got := c.once(p, key, "say", false)
				switch {
				case got.replayed() && got.body == first.body:
				case got.status == 503 && got.is("idempotency_unavailable"):
					closed++
				default:
					return fmt.Errorf("%v", got)
				}
				return nil
			})
		}
	}
	if closed == 0 {
		t.Error("the member that left was home of no key")
	}
	if n := c.calls() - billed; n != 0 {
		t.Errorf("%d calls were billed again", n)
	}
	// A virtual key that is made now has nothing to do with it.
	c.rig.eventually("virtual keys that are made later are free of it", func() error {
		made := c.rig.key(admin.NewKey{Name: "later", CacheOff: true})
		body := `{"model":"gpt-4o-mini","max_completion_tokens":400,"messages":[{"role":"user","content":"say"}]}`
		for i := range many {
			for _, p := range c.peers {
				if got := c.onceWith(p, made.Secret, fmt.Sprintf("later-%d-%s", i, p.id), body); got.status != 200 {
					return fmt.Errorf("%v", got)
				}
			}
		}
		return nil
	})
}

// TestIdempotencyKeysOfARolledBackStore: a home whose store is an older image has forgotten
// what it granted. It grants nothing then.
func TestIdempotencyKeysOfARolledBackStore(t *testing.T) {
	c := onceTrio(t)
	victim, asker := c.peers[2], c.peers[0]
	disk, image := filepath.Join(c.rig.dir, victim.id, "store"), filepath.Join(c.rig.dir, "image")
	if err := victim.process.signal(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	c.rig.forget(victim)
	if err := os.CopyFS(image, os.DirFS(disk)); err != nil {
		t.Fatal(err)
	}
	c.rig.launch(victim)
	c.serves(victim, c.key.Secret)
	const many = 12
	for i := range many {
		if got := c.once(asker, fmt.Sprint("image-", i), "say", false); got.status != 200 || got.replayed() {
			t.Fatalf("%v", got)
		}
	}
	c.rig.kill(victim)
	if err := os.RemoveAll(disk); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(image, disk); err != nil {
		t.Fatal(err)
	}
	c.rig.launch(victim)
	c.serves(victim, c.key.Secret)
	billed, closed := c.calls(), 0
	for i := range many {
		for _, p := range c.peers {
			switch got := c.once(p, fmt.Sprint("image-", i), "say", false); {
			case got.replayed():
			case got.status == 503 && got.is("idempotency_unavailable"):
				closed++
			default:
				t.Errorf("%v", got)
			}
		}
	}
	if n := c.calls() - billed; n != 0 || closed == 0 {
		t.Errorf("%d calls were billed again; %d were refused", n, closed)
	}
}
