package fleet

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"purser/semcache"
)

var trio = []string{"one", "two", "three"}

func answers(body string) provider { return func() (string, bool) { return body, true } }

// never is for requests that must not reach the provider.
func never(t *testing.T) provider {
	return func() (string, bool) {
		t.Error("the provider was asked")
		return "", false
	}
}

func TestOwnersAreSpreadAndFewMove(t *testing.T) {
	const keys = 30_000
	w := newNetwork(t, "one", "two", "three", "four")
	f := w.nodes["one"].fleet
	owner := func() []string {
		list := make([]string, keys)
		for i := range list {
			k := keyOf(fmt.Sprint(i))
			list[i] = f.owner(&k).id
		}
		return list
	}
	before := owner()
	count := map[string]int{}
	for _, id := range before {
		count[id]++
	}
	for id, n := range count {
		if n < keys/4*95/100 || n > keys/4*105/100 {
			t.Errorf("%s owns %d of %d keys", id, n, keys)
		}
	}
	f.SetNodes(trio)
	for i, id := range owner() {
		if id != before[i] && before[i] != "four" {
			t.Fatalf("key %d went from %s to %s, though four has gone", i, before[i], id)
		}
	}
	for id, n := range w.nodes {
		for i := range 100 {
			k := keyOf(fmt.Sprint(i))
			if got := n.fleet.owner(&k).id; id != "one" && got != before[i] {
				t.Fatalf("%s takes %s to own key %d, not %s", id, got, i, before[i])
			}
		}
	}
}

// An entry that was filled through any node is served by every other, whoever owns it.
func TestAnyEntryServesEveryNode(t *testing.T) {
	w := newNetwork(t, trio...)
	for _, owner := range trio {
		for _, through := range trio {
			k := keyOf(owner + through)
			for i := 0; w.nodes[owner].fleet.owner(&k).id != owner; i++ {
				k = keyOf(fmt.Sprint(owner, through, i))
			}
			if body, _ := w.nodes[through].serve(t.Context(), k, time.Minute, answers("made")); body != "made" {
				t.Fatal(body)
			}
			until(t, "the owner has it", func() bool {
				_, ok := w.nodes[owner].cache.Get(k, semcache.Wanted{At: start})
				return ok
			})
			for _, other := range trio {
				if body, how := w.nodes[other].serve(t.Context(), k, time.Minute, never(t)); body != "made" || how != Found {
					t.Errorf("owned by %s, filled through %s, asked of %s: %q, %v", owner, through, other, body, how)
				}
			}
			asked := w.asked.Load()
			for _, other := range trio {
				w.nodes[other].serve(t.Context(), k, time.Minute, never(t))
			}
			if w.asked.Load() != asked {
				t.Error("what a node has in memory is asked of its owner")
			}
		}
	}
}

// However many identical requests are in flight on however many nodes: one call.
func TestIdenticalRequestsOnAllNodesMakeOneCall(t *testing.T) {
	w := newNetwork(t, trio...)
	for _, owner := range trio {
		k := w.ownedBy(owner)
		before := w.provided()
		let := make(chan struct{})
		var wg sync.WaitGroup
		var wrong atomic.Int64
		for i := range 999 {
			n := w.nodes[trio[i%3]]
			wg.Go(func() {
				if body, _ := n.serve(t.Context(), k, time.Minute, func() (string, bool) { <-let; return "made", true }); body != "made" {
					wrong.Add(1)
				}
			})
		}
		until(t, "somebody leads", func() bool { return w.provided() > before })
		close(let)
		wg.Wait()
		if calls := w.provided() - before; calls != 1 || wrong.Load() != 0 {
			t.Errorf("owned by %s: %d calls, %d wrong answers", owner, calls, wrong.Load())
		}
	}
}

func TestWithoutAnAnswerEachGoesOn(t *testing.T) {
	w := newNetwork(t, trio...)
	k := w.ownedBy("one")
	let, led := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		w.nodes["two"].serve(t.Context(), k, time.Minute, func() (string, bool) { close(led); <-let; return "", false })
	})
	<-led
	done := make(chan string)
	for _, id := range []string{"one", "three"} {
		go func() {
			body, _ := w.nodes[id].serve(t.Context(), k, time.Minute, answers("alone"))
			done <- body
		}()
	}
	until(t, "both wait", func() bool { return w.nodes["three"].fleet.Stats().Asked == 1 })
	close(let)
	for range 2 {
		if body := <-done; body != "alone" {
			t.Error(body)
		}
	}
}

// A leader whose node is lost lets go of those who wait, on all nodes: one of them
// leads next.
func TestLeaderLostInTheMiddleOfAFill(t *testing.T) {
	w := newNetwork(t, trio...)
	k := w.ownedBy("one")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	led := make(chan struct{})
	var lost sync.WaitGroup
	lost.Go(func() {
		w.nodes["two"].serve(ctx, k, time.Minute, func() (string, bool) { close(led); <-ctx.Done(); return "", false })
	})
	<-led
	let := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 100 {
		n := w.nodes[[]string{"one", "three"}[i%2]]
		wg.Go(func() {
			if body, _ := n.serve(t.Context(), k, time.Minute, func() (string, bool) { <-let; return "second", true }); body != "second" {
				t.Errorf("%q", body)
			}
		})
	}
	until(t, "they wait", func() bool { return w.nodes["three"].fleet.Stats().Asked == 1 })
	began := time.Now()
	w.kill("two")
	until(t, "another leads", func() bool { return w.nodes["one"].calls.Load()+w.nodes["three"].calls.Load() > 0 })
	if since := time.Since(began); since > 10*time.Second {
		t.Errorf("it took %v", since)
	}
	close(let)
	wg.Wait()
	if n := w.nodes["one"].calls.Load() + w.nodes["three"].calls.Load(); n != 1 {
		t.Errorf("%d calls took its place", n)
	}
	cancel()
	lost.Wait()
}

// When the owner is lost, those who wait on each node wait for one of their own, and
// what is made is kept.
func TestOwnerLost(t *testing.T) {
	w := newNetwork(t, trio...)
	k := w.ownedBy("one")
	let, led := make(chan struct{}), make(chan struct{})
	var once sync.Once
	made := func() (string, bool) { once.Do(func() { close(led) }); <-let; return "made", true }
	var wg sync.WaitGroup
	wg.Go(func() { w.nodes["two"].serve(t.Context(), k, time.Minute, made) })
	<-led
	for range 50 {
		wg.Go(func() {
			if body, _ := w.nodes["three"].serve(t.Context(), k, time.Minute, made); body != "made" {
				t.Error(body)
			}
		})
	}
	until(t, "three waits", func() bool { return w.nodes["three"].fleet.Stats().Asked == 1 })
	w.kill("one")
	until(t, "three leads for itself", func() bool { return w.nodes["three"].calls.Load() == 1 })
	close(let)
	wg.Wait()
	if w.provided() != 2 {
		t.Errorf("%d calls, want one on each node that is left", w.provided())
	}
	until(t, "what its leader made is kept here", func() bool { return w.nodes["two"].fleet.Stats().Kept == 1 })
	// From here on it is not asked, and the next in order owns its keys.
	for i := range 20 {
		k := keyOf(fmt.Sprint("after ", i))
		w.nodes["two"].serve(t.Context(), k, time.Minute, answers("x"))
	}
	if n := w.nodes["two"].fleet; n.owner(&k) == n.nodesOf("one") {
		t.Error("a node that is lost owns keys")
	}
	asked := w.nodes["two"].fleet.Stats().Asked
	w.nodes["two"].serve(t.Context(), k, time.Minute, never(t))
	if w.nodes["two"].fleet.Stats().Asked != asked {
		t.Error("what this node has is asked of others")
	}
}

func (f *Fleet) nodesOf(id string) *peer {
	for _, p := range *f.nodes.Load() {
		if p.id == id {
			return p
		}
	}
	return nil
}

// An owner that says nothing costs the time it has to say something, and after some
// such waits nothing.
func TestSlowOwnerIsAMiss(t *testing.T) {
	w := newNetwork(t, trio...)
	n := w.nodes["two"].fleet
	n.cfg.AskTime = 20 * time.Millisecond
	w.set(w.deaf, "one", true)
	k := w.ownedBy("one")
	for i := range 50 {
		k := keyOf(fmt.Sprint(i))
		if body, _ := w.nodes["two"].serve(t.Context(), k, time.Minute, answers("alone")); body != "alone" {
			t.Fatal(body)
		}
	}
	if st := n.Stats(); st.Failed < failuresMost || st.Failed > failuresMost+1 {
		t.Errorf("%+v", st)
	}
	if n.owner(&k).id == "one" {
		t.Error("it still owns keys")
	}
	// It is back: after the pause it is asked again, and trusted again.
	w.set(w.deaf, "one", false)
	b := &n.nodesOf("one").breaker
	b.mu.Lock()
	b.until = time.Now()
	b.mu.Unlock()
	w.nodes["two"].serve(t.Context(), k, time.Minute, answers("made"))
	if n.owner(&k).id != "one" || b.failures != 0 {
		t.Error("it owns nothing though it answers")
	}
	if body, how := w.nodes["three"].serve(t.Context(), k, time.Minute, never(t)); body != "made" {
		t.Errorf("%q, %v", body, how)
	}
}

func TestNobodyWaitsLongerThanTheLimit(t *testing.T) {
	w := newNetwork(t, trio...)
	k := w.ownedBy("one")
	let, led := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(let)
	wg.Go(func() {
		w.nodes["two"].serve(t.Context(), k, time.Minute, func() (string, bool) { close(led); <-let; return "late", true })
	})
	<-led
	for _, id := range trio {
		began := time.Now()
		if body, how := w.nodes[id].serve(t.Context(), k, 50*time.Millisecond, func() (string, bool) { return "alone", false }); body != "alone" || how != Going {
			t.Errorf("%s: %q", id, body)
		}
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("%s waited %v", id, d)
		}
	}
	if n := w.nodes["three"].fleet.nodesOf("one").breaker.failures; n != 0 {
		t.Errorf("the owner that had nothing to say is taken to have failed %d times", n)
	}
}

// A client that leaves takes nothing from the others who wait on its node.
func TestAClientThatLeavesTakesNothingFromOthers(t *testing.T) {
	w := newNetwork(t, trio...)
	k := w.ownedBy("one")
	let, led := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		w.nodes["one"].serve(t.Context(), k, time.Minute, func() (string, bool) { close(led); <-let; return "made", true })
	})
	<-led
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		if f, e, _ := w.nodes["two"].fleet.Join(ctx, Question{Key: k, Wait: time.Minute}); f != nil || e != nil {
			t.Error("it has gone, and leads or is answered")
		}
	}()
	until(t, "it waits", func() bool { return w.nodes["two"].fleet.Stats().Asked == 1 })
	done := make(chan string)
	go func() {
		body, _ := w.nodes["two"].serve(t.Context(), k, time.Minute, never(t))
		done <- body
	}()
	leave()
	<-left
	until(t, "the other asks", func() bool { return w.nodes["two"].fleet.Stats().Asked == 2 })
	close(let)
	if body := <-done; body != "made" {
		t.Error(body)
	}
}

func TestWhatIsDamagedOnTheWayIsAMiss(t *testing.T) {
	w := newNetwork(t, trio...)
	k := w.ownedBy("one")
	w.nodes["one"].serve(t.Context(), k, time.Minute, answers("sound"))
	w.set(w.spoil, "one", true)
	if body, how := w.nodes["two"].serve(t.Context(), k, time.Minute, answers("anew")); body != "anew" || how != Going {
		t.Errorf("%q, %v", body, how)
	}
	if w.nodes["two"].fleet.Stats().Damaged != 1 {
		t.Errorf("%+v", w.nodes["two"].fleet.Stats())
	}
	// And what a filler sends.
	w.set(w.spoil, "one", false)
	w.set(w.spoil, "three", true)
	other := semcache.Key{}
	for i := 0; other == (semcache.Key{}) || w.nodes["three"].fleet.owner(&other).id != "two"; i++ {
		other = keyOf(fmt.Sprint("spoilt ", i))
	}
	w.nodes["three"].serve(t.Context(), other, time.Minute, answers("sound"))
	until(t, "it is kept where it was made", func() bool { return w.nodes["three"].fleet.Stats().Kept == 1 })
	if _, ok := w.nodes["two"].cache.Get(other, semcache.Wanted{At: start}); ok {
		t.Error("a damaged entry was kept")
	}
}

// A request that takes stale answers gets one while another makes it anew, on
// whichever node either is; one that takes no entry at all leads or goes alone.
func TestStaleAndFresh(t *testing.T) {
	w := newNetwork(t, trio...)
	k := w.ownedBy("one")
	one, two := w.nodes["one"], w.nodes["two"]
	e := &semcache.Entry{Created: start, Expires: start + 1, Stale: time.Hour, Status: 200, Body: []byte("stale")}
	one.cache.Keep(k, e)
	for _, n := range w.nodes {
		n.clock.Add(int64(time.Minute))
	}
	if _, ok := two.fleet.Get(k, semcache.Wanted{At: two.now(), Stale: true}); ok {
		t.Fatal("it has the entry")
	}
	flight, got, _ := two.fleet.Join(t.Context(), Question{Key: k, Stale: true})
	if flight == nil || got != nil {
		t.Fatalf("the first to ask for what is stale does not make it anew: %v", got)
	}
	if f, got, how := w.nodes["three"].fleet.Join(t.Context(), Question{Key: k, Stale: true, Wait: time.Minute}); f != nil || got == nil || string(got.Body) != "stale" {
		t.Errorf("the next one gets %v, %v", got, how)
	}
	// On the owner itself whoever asks has the stale entry, and does not wait.
	if f, got, how := one.fleet.Join(t.Context(), Question{Key: k, Stale: true}); f != nil || got != nil || how != Going {
		t.Errorf("on the owner: %v, %v", got, how)
	}
	if f, got, _ := w.nodes["three"].fleet.Join(t.Context(), Question{Key: k, Fresh: true}); f != nil || got != nil {
		t.Errorf("while one makes it anew, another that wants it fresh gets %v", got)
	}
	flight.Land(&semcache.Entry{Created: two.now(), Expires: two.now() + 1e9, Status: 200, Body: []byte("fresh")})
	until(t, "the owner has the new one", func() bool {
		got, ok := one.cache.Get(k, semcache.Wanted{At: one.now()})
		return ok && string(got.Body) == "fresh"
	})
	if f, got, _ := w.nodes["three"].fleet.Join(t.Context(), Question{Key: k, Fresh: true}); f == nil || got != nil {
		t.Errorf("one that takes no entry gets %v", got)
	} else {
		f.Land(nil)
	}
	if _, got, _ := w.nodes["three"].fleet.Join(t.Context(), Question{Key: k, Created: two.now() + 1}); got != nil {
		t.Errorf("one that takes none so old gets %q", got.Body)
	}
}

// A node that is busy with too many conversations, or closed, is done without.
func TestConversationsAreBounded(t *testing.T) {
	w := newNetwork(t, trio...)
	n := w.nodes["two"].fleet
	k := w.ownedBy("one")
	p := n.nodesOf("one")
	for range maxLines {
		p.slots <- struct{}{}
	}
	if body, _ := w.nodes["two"].serve(t.Context(), k, time.Minute, answers("alone")); body != "alone" || n.Stats().Skipped != 1 {
		t.Errorf("%q, %+v", body, n.Stats())
	}
	for range maxLines {
		<-p.slots
	}
	for range maxPuts {
		n.puts <- struct{}{}
	}
	other := keyOf("x")
	for i := 0; n.owner(&other).id != "one"; i++ {
		other = keyOf(fmt.Sprint("x", i))
	}
	if kvs := n.Fill(other, &semcache.Entry{Created: start, Status: 200, Body: []byte("x")}); len(kvs) != 2 {
		t.Errorf("an entry for which there is no room on the way is not kept here: %d pairs", len(kvs))
	}
}
