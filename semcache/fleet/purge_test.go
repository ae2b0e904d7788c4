package fleet

import (
	"testing"
	"time"

	"purser/semcache"
)

// A purge reaches every node; one that is away is named, and has it when it is back.
func TestPurgeReachesEveryNode(t *testing.T) {
	w := newNetwork(t, trio...)
	k := w.ownedBy("one")
	w.nodes["two"].serve(t.Context(), k, time.Minute, answers("made"))
	until(t, "the owner has it", func() bool {
		_, ok := w.nodes["one"].cache.Get(k, semcache.Wanted{At: start})
		return ok
	})
	w.nodes["three"].serve(t.Context(), k, time.Minute, never(t)) // has it in memory
	w.set(w.dead, "three", true)
	done, err := w.nodes["two"].fleet.Purge(t.Context(), semcache.Selection{Tenant: "acme"})
	if err != nil || len(done) != 3 || done[0].Node != "two" {
		t.Fatalf("%+v, %v", done, err)
	}
	for _, d := range done[1:] {
		if (d.Err != nil) != (d.Node == "three") || d.Node == "one" && d.Entries != 1 {
			t.Errorf("%+v", d)
		}
	}
	has := func(id string) bool {
		_, ok := w.nodes[id].fleet.Get(k, semcache.Wanted{At: start})
		return ok
	}
	if has("one") || has("two") {
		t.Error("it is given after the purge")
	}
	if !has("three") {
		t.Fatal("the node that was away has lost it by itself")
	}
	w.set(w.dead, "three", false)
	// Any word with another node does; here an answer that says which purges it knows of.
	w.nodes["three"].serve(t.Context(), keyOwned(w, "one", "elsewhere"), time.Minute, answers("x"))
	until(t, "it has heard of the purge", func() bool { return !has("three") })
}

func keyOwned(w *network, id, text string) semcache.Key {
	k := keyOf(text)
	for w.nodes[id].fleet.owner(&k).id != id {
		text += "."
		k = keyOf(text)
	}
	return k
}

// An answer that is made while a purge goes by does not come back, wherever it is made.
func TestAnswersInFlightDoNotOutliveAPurge(t *testing.T) {
	w := newNetwork(t, trio...)
	k := w.ownedBy("one")
	let, led := make(chan struct{}), make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.nodes["two"].serve(t.Context(), k, time.Minute, func() (string, bool) { close(led); <-let; return "of before", true })
	}()
	<-led
	w.set(w.dead, "two", true) // it hears of nothing, and its conversation goes on
	if _, err := w.nodes["three"].fleet.Purge(t.Context(), semcache.Selection{}); err != nil {
		t.Fatal(err)
	}
	close(let)
	<-done
	until(t, "the owner has heard of the answer", func() bool { return w.nodes["one"].cache.Stats().Late == 1 })
	if body, _ := w.nodes["three"].serve(t.Context(), k, time.Minute, answers("of after")); body != "of after" {
		t.Errorf("%q", body)
	}
}

// A node that starts compares with the others before anybody asks it.
func TestANodeThatComesBackHearsOfPurges(t *testing.T) {
	w := newNetwork(t, trio...)
	three := w.nodes["three"]
	w.set(w.dead, "three", true)
	if _, err := w.nodes["one"].fleet.Purge(t.Context(), semcache.Selection{Tag: "x"}); err != nil {
		t.Fatal(err)
	}
	w.set(w.dead, "three", false)
	three.fleet.SetNodes(nil)
	three.fleet.SetNodes(trio)
	until(t, "it has heard of the purge", func() bool { return three.cache.Epoch() == w.nodes["one"].cache.Epoch() })
}
