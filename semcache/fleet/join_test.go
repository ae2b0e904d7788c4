package fleet

import (
	"testing"
	"time"

	"purser/semcache"
)

// Whoever asks after a purge does not get the answer of a request from before it, though
// it was in flight, on whatever node either is; those from before it do.
func TestWhoComesAfterAPurgeDoesNotFollowAFlightFromBefore(t *testing.T) {
	for _, leader := range trio {
		for _, follower := range trio {
			t.Run(leader+" then "+follower, func(t *testing.T) {
				w := newNetwork(t, trio...)
				k := w.ownedBy("one")
				let, led, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
				go func() {
					defer close(done)
					w.nodes[leader].serve(t.Context(), k, time.Minute, func() (string, bool) { close(led); <-let; return "of before", true })
				}()
				<-led
				if _, err := w.nodes["one"].fleet.Purge(t.Context(), semcache.Selection{Key: k}); err != nil {
					t.Fatal(err)
				}
				after := make(chan string, 1)
				go func() {
					body, _ := w.nodes[follower].serve(t.Context(), k, time.Minute, answers("of after"))
					after <- body
				}()
				select {
				case body := <-after:
					if body != "of after" {
						t.Errorf("%q", body)
					}
				case <-time.After(5 * time.Second):
					t.Error("it waits for the answer of before the purge")
				}
				close(let)
				<-done
				if body, _ := w.nodes[follower].serve(t.Context(), k, time.Minute, answers("of later")); body != "of after" {
					t.Errorf("then %q", body)
				}
			})
		}
	}
}

// An entry that the owner gives to one request is given to others of its node that wait
// for that only if it is one that they take, too.
func TestFollowersGetWhatTheyTake(t *testing.T) {
	w := newNetwork(t, trio...)
	k := w.ownedBy("one")
	two := w.nodes["two"]
	w.kill("one")
	old := &semcache.Entry{Created: start, Expires: start + 1, Stale: time.Hour, Status: 200, Body: []byte("old")}
	two.clock.Add(int64(time.Minute))
	for name, q := range map[string]Question{
		"none that is stale": {Key: k, Wait: time.Minute},
		"none so old":        {Key: k, Wait: time.Minute, Stale: true, Created: start + 1},
		"all":                {Key: k, Wait: time.Minute, Stale: true},
	} {
		t.Run(name, func(t *testing.T) {
			var got *semcache.Entry
			until(t, "it follows", func() bool {
				two.fleet.nodesOf("one").breaker.succeeded() // so that it stays the owner
				leader, _ := two.fleet.here.Join(t.Context(), k, 0, 0)
				var f *Flight
				done := make(chan struct{})
				go func() {
					defer close(done)
					f, got, _ = two.fleet.Join(t.Context(), q)
				}()
				time.Sleep(time.Millisecond)
				leader.Land(old)
				<-done
				if f != nil {
					f.Land(nil) // it came too late
				}
				return f == nil
			})
			if (got != nil) != (name == "all") {
				t.Errorf("it gets %v", got)
			}
		})
	}
}

// Whoever only looks whether there is an answer, and makes none, takes nothing from those
// who wait meanwhile: one of them makes it, on whatever node they are.
func TestAFlightThatIsAbandonedHasAnotherLeader(t *testing.T) {
	for _, looker := range trio {
		t.Run(looker, func(t *testing.T) {
			w := newNetwork(t, trio...)
			k := w.ownedBy("one")
			flight, _, _ := w.nodes[looker].fleet.Join(t.Context(), Question{Key: k})
			if flight == nil {
				t.Fatal("it leads nothing")
			}
			bodies := make(chan string, len(trio))
			for _, id := range trio {
				go func() {
					body, _ := w.nodes[id].serve(t.Context(), k, time.Minute, answers("made by one of them"))
					bodies <- body
				}()
			}
			flight.Abandon()
			for range trio {
				if body := <-bodies; body != "made by one of them" {
					t.Errorf("%q", body)
				}
			}
			if n := w.provided(); n != 1 {
				t.Errorf("%d calls", n)
			}
			until(t, "nobody leads", func() bool { return w.nodes["one"].fleet.owned.Flying() == 0 })
		})
	}
}
