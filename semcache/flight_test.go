package semcache

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// follow starts n followers of k and returns, once all of them wait, a function
// that counts what they got: the entry, and nothing.
func follow(t *testing.T, fs *Flights, ctx context.Context, k Key, n int, want *Entry) func() (shared, alone int64) {
	var wg sync.WaitGroup
	var shared, alone atomic.Int64
	for range n {
		wg.Go(func() {
			switch f, e := fs.Join(ctx, k, time.Hour); {
			case f != nil:
				t.Error("a follower leads")
				f.Land(nil)
			case e == nil:
				alone.Add(1)
			case e == want:
				shared.Add(1)
			default:
				t.Errorf("got %q", e.Body)
			}
		})
	}
	synctest.Wait()
	return func() (int64, int64) {
		wg.Wait()
		return shared.Load(), alone.Load()
	}
}

func lead(t *testing.T, fs *Flights, k Key) *Flight {
	t.Helper()
	f, e := fs.Join(t.Context(), k, time.Hour)
	if f == nil || e != nil {
		t.Fatal("the first does not lead")
	}
	return f
}

func TestFollowersShareTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, e := new(Flights), answer("a", start)
		f := lead(t, fs, keyOf("q"))
		got := follow(t, fs, t.Context(), keyOf("q"), 100, e)
		// Another request does not wait for this one.
		lead(t, fs, keyOf("other")).Land(nil)
		f.Land(e)
		if shared, alone := got(); shared != 100 || alone != 0 {
			t.Errorf("%d shared, %d alone", shared, alone)
		}
		if st := fs.Stats(); st != (FlightStats{Led: 2, Shared: 100}) || fs.Flying() != 0 {
			t.Errorf("%+v, %d flying", st, fs.Flying())
		}
	})
}

func TestFollowersGoOnAloneWhenThereIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := new(Flights)
		f := lead(t, fs, keyOf("q"))
		got := follow(t, fs, t.Context(), keyOf("q"), 10, nil)
		f.Land(nil)
		if shared, alone := got(); shared != 0 || alone != 10 {
			t.Errorf("%d shared, %d alone", shared, alone)
		}
		// The next one leads again.
		lead(t, fs, keyOf("q")).Land(nil)
	})
}

func TestAFollowerLeadsWhenTheFlightIsAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, e := new(Flights), answer("a", start)
		f := lead(t, fs, keyOf("q"))
		var led, shared atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				switch f, got := fs.Join(t.Context(), keyOf("q"), time.Hour); {
				case f != nil && led.Add(1) < 3:
					time.Sleep(time.Minute) // in virtual time
					f.Abandon()
				case f != nil:
					time.Sleep(time.Minute)
					f.Land(e)
				case got == e:
					shared.Add(1)
				}
			})
		}
		synctest.Wait()
		f.Abandon()
		wg.Wait()
		if led.Load() != 3 || shared.Load() != 47 || fs.Flying() != 0 {
			t.Errorf("%d led, %d shared, %d flying", led.Load(), shared.Load(), fs.Flying())
		}
	})
}

// The limit is for the whole wait, however often the leader changes.
func TestTheLimitOutlastsLeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := new(Flights)
		f := lead(t, fs, keyOf("q"))
		var wg sync.WaitGroup
		began := time.Now()
		wg.Go(func() {
			if g, e := fs.Join(t.Context(), keyOf("q"), time.Minute); g != nil || e != nil || time.Since(began) != time.Minute {
				t.Errorf("%v, %v after %v", g, e, time.Since(began))
			}
		})
		synctest.Wait()
		time.Sleep(40 * time.Second)
		// Another leads before the one that waits can.
		fs.mu.Lock()
		delete(fs.flying, f.key)
		next := fs.leadLocked(f.key)
		f.abandoned = true
		close(f.landed)
		fs.mu.Unlock()
		wg.Wait()
		next.Land(nil)
	})
}

func TestFollowersWaitNoLongerThanTheirContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, e := new(Flights), answer("a", start)
		f := lead(t, fs, keyOf("q"))
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		impatient := follow(t, fs, short, keyOf("q"), 5, e)
		patient := follow(t, fs, t.Context(), keyOf("q"), 5, e)
		began := time.Now()
		if shared, alone := impatient(); shared != 0 || alone != 5 || time.Since(began) != time.Second {
			t.Errorf("%d shared, %d alone after %v", shared, alone, time.Since(began))
		}
		// That they gave up takes nothing from the leader and the others.
		f.Land(e)
		if shared, alone := patient(); shared != 5 || alone != 0 {
			t.Errorf("%d shared, %d alone", shared, alone)
		}
	})
}

func TestFollowersWaitNoLongerThanTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, e := new(Flights), answer("a", start)
		f := lead(t, fs, keyOf("q"))
		began := time.Now()
		if f, e := fs.Join(t.Context(), keyOf("q"), time.Second); f != nil || e != nil || time.Since(began) != time.Second {
			t.Errorf("flight %v, entry %v after %v", f, e, time.Since(began))
		}
		f.Land(e)
	})
}

func TestFollowersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, e := new(Flights), answer("a", start)
		f := lead(t, fs, keyOf("q"))
		got := follow(t, fs, t.Context(), keyOf("q"), maxFollowers, e)
		if f, e := fs.Join(t.Context(), keyOf("q"), time.Hour); f != nil || e != nil {
			t.Error("one more than may wait did not go on alone")
		}
		f.Land(e)
		if shared, _ := got(); shared != maxFollowers {
			t.Errorf("%d shared", shared)
		}
	})
}

func TestFlightsAreBounded(t *testing.T) {
	fs := &Flights{flying: make(map[Key]*Flight)}
	var k Key
	for i := range maxFlights {
		k[0], k[1], k[2] = byte(i), byte(i>>8), byte(i>>16)
		lead(t, fs, k)
	}
	if f, e := fs.Join(t.Context(), keyOf("one more"), time.Hour); f != nil || e != nil {
		t.Error("one more than may fly did not go on alone")
	}
	if st := fs.Stats(); st.Alone != 1 || fs.Flying() != maxFlights {
		t.Errorf("%+v", st)
	}
}

func TestLandingTwicePanics(t *testing.T) {
	fs := new(Flights)
	f := lead(t, fs, keyOf("q"))
	f.Land(nil)
	again := lead(t, fs, keyOf("q")) // another flight of the same key
	defer again.Land(nil)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	f.Land(nil)
}

// Whatever happens, each request leads, shares or goes on alone, and what is
// shared is what a leader of that key landed with.
func TestFlightsUnderLoad(t *testing.T) {
	fs := new(Flights)
	var wg sync.WaitGroup
	var led, shared, alone atomic.Int64
	for g := range 32 {
		wg.Go(func() {
			for i := range 500 {
				k := keyOf(string(rune('a' + (i*7+g)%5)))
				switch f, e := fs.Join(t.Context(), k, time.Hour); {
				case f != nil:
					led.Add(1)
					if i%3 == 0 {
						f.Land(nil)
					} else {
						f.Land(&Entry{Body: k[:]})
					}
				case e != nil:
					shared.Add(1)
					if Key(e.Body) != k {
						t.Error("the answer of another key")
					}
				default:
					alone.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if sum := led.Load() + shared.Load() + alone.Load(); sum != 32*500 || fs.Flying() != 0 {
		t.Errorf("%d requests, %d flying", sum, fs.Flying())
	}
	if st := fs.Stats(); st != (FlightStats{uint64(led.Load()), uint64(shared.Load()), uint64(alone.Load())}) {
		t.Errorf("%+v", st)
	}
}

func BenchmarkJoinAndLand(b *testing.B) {
	fs, k := new(Flights), keyOf("q")
	b.ReportAllocs()
	for b.Loop() {
		f, _ := fs.Join(b.Context(), k, time.Hour)
		f.Land(nil)
	}
}
