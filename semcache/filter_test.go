package semcache

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func numbered(n int) Key {
	return MakeKey(Scope{Tenant: "t", Route: "r", Model: "m", Endpoint: "e"}, binary.AppendVarint(nil, int64(n)))
}

func TestFilterNeverDeniesAKeyItHas(t *testing.T) {
	f := newFilter(0)
	const n = filterLeast
	for i := range n {
		k := numbered(i)
		f.add(&k)
	}
	for i := range n {
		if k := numbered(i); !f.has(&k) {
			t.Fatalf("key %d was added and is denied", i)
		}
	}
	may := 0
	for i := range n {
		if k := numbered(n + i); f.has(&k) {
			may++
		}
	}
	if may > n/100 {
		t.Errorf("%d of %d keys that were never added may be there", may, n)
	}
	if k := numbered(-1); f.full() {
		t.Error("full with as many keys as it is made for")
	} else if f.add(&k); !f.full() {
		t.Error("not full with one more")
	}
}

// TestMissesDoNotReadTheStore fills, reopens and asks for what is not there.
func TestMissesDoNotReadTheStore(t *testing.T) {
	fs := vfs.NewMem()
	w := openWorld(t, fs, small(1<<10, 1<<30, 0))
	const n = 2000
	for i := range n {
		w.fill(t, numbered(i), answer(fmt.Sprint("answer ", i), start))
	}
	w.close(t)
	w = openWorld(t, fs, small(1<<10, 1<<30, 0))
	defer w.close(t)
	for i := range n {
		if _, ok := w.get(numbered(i)); !ok {
			t.Fatalf("entry %d is lost", i)
		}
	}
	asked := 0
	for i := range n {
		if k := numbered(n + i); w.cache.keys.has(&k) {
			asked++
		}
		if _, ok := w.get(numbered(n + i)); ok {
			t.Fatalf("entry %d was never made", n+i)
		}
	}
	if asked > n/100 {
		t.Errorf("the store was asked for %d of %d keys that it does not have", asked, n)
	}
}

// TestFilterIsMadeAnewUnderFills has fills all through the making of new filters.
func TestFilterIsMadeAnewUnderFills(t *testing.T) {
	w := inMemory(t, small(1<<10, 1<<30, 0))
	stop, step := make(chan struct{}), make(chan int)
	var filled sync.WaitGroup
	made := 0
	filled.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				made = i
				return
			default:
				w.fill(t, numbered(i), answer("answer", start))
				select {
				case step <- i:
				default:
				}
			}
		}
	})
	old := w.cache.keys.current.Load()
	for range 20 {
		<-step
		w.cache.round(place{})
		<-step // a fill lies between two steps
	}
	close(stop)
	filled.Wait()
	if w.cache.keys.current.Load() == old {
		t.Fatal("no new filter took over")
	}
	for i := range made {
		if _, ok := w.get(numbered(i)); !ok {
			t.Fatalf("entry %d of %d is lost", i, made)
		}
	}
}
