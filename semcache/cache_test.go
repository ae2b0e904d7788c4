package semcache

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"purser/internal/store"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestHitFromMemoryAndFromDisk(t *testing.T) {
	fs := vfs.NewMem()
	w := openWorld(t, fs, DefaultConfig())
	k, e := keyOf("q"), answer("a", start)
	if _, hit := w.get(k); hit {
		t.Fatal("a hit in an empty cache")
	}
	w.fill(t, k, e)
	for _, from := range []string{"memory", "disk", "memory"} {
		got, hit := w.get(k)
		if !hit || !equal(got, e) {
			t.Fatalf("from %s: %+v, %v", from, got, hit)
		}
		if from == "memory" {
			w.forget()
		}
	}
	w.close(t)
	w = openWorld(t, fs, DefaultConfig())
	if got, hit := w.get(k); !hit || !equal(got, e) {
		t.Errorf("after a restart: %+v, %v", got, hit)
	}
	if st := w.cache.Stats(); st.Entries != 1 || st.Bytes != e.size() || st.StoreHits != 1 {
		t.Errorf("%+v", st)
	}
	w.close(t)
}

func TestFillThatNeverReachedTheDiskIsGoneAfterACrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	w := openWorld(t, fs, DefaultConfig())
	w.fill(t, keyOf("on disk"), answer("a", start))
	w.cache.Fill(keyOf("in memory"), answer("b", start))
	after := fs.CrashClone(vfs.CrashCloneCfg{})
	w.close(t)
	w = openWorld(t, after, DefaultConfig())
	defer w.close(t)
	if _, hit := w.get(keyOf("on disk")); !hit {
		t.Error("what was on disk is gone")
	}
	if _, hit := w.get(keyOf("in memory")); hit {
		t.Error("what was not on disk is there")
	}
}

func TestEntriesExpire(t *testing.T) {
	w := inMemory(t, small(1<<20, 1<<30, 1<<20))
	k := keyOf("q")
	w.fill(t, k, answer("old", start))
	w.pass(time.Hour - 1)
	if _, hit := w.get(k); !hit {
		t.Error("expired too early")
	}
	w.pass(1)
	for range 2 { // from memory, then from disk
		if _, hit := w.get(k); hit {
			t.Error("an expired answer was given")
		}
		w.forget()
	}
	w.fill(t, k, answer("new", w.now()))
	if e, hit := w.get(k); !hit || string(e.Body) != "new" {
		t.Errorf("%v, %v", e, hit)
	}
}

func TestOnlyCompleteSuccessesAreKept(t *testing.T) {
	w := inMemory(t, small(10, 1<<30, 1<<20))
	for name, e := range map[string]*Entry{
		"an error":     {Status: 500, Body: []byte("oops")},
		"partial":      {Status: 206, Body: []byte("par")},
		"nothing":      {Status: 200},
		"too much":     {Status: 200, Body: []byte(strings.Repeat("x", 11))},
		"status unset": {Body: []byte("x")},
	} {
		if kvs := w.cache.Fill(keyOf(name), e); kvs != nil {
			t.Errorf("%s is kept", name)
		}
		if _, hit := w.get(keyOf(name)); hit {
			t.Errorf("%s is given", name)
		}
	}
	if st := w.cache.Stats(); st.TooLarge != 1 || st.Fills != 0 || st.Entries != 0 {
		t.Errorf("%+v", st)
	}
}

func TestDamagedEntryIsAMissAndDeleted(t *testing.T) {
	w := inMemory(t, DefaultConfig())
	k := keyOf("q")
	w.fill(t, k, answer("a", start))
	b := w.store.NewBatch()
	bad := appendEntry(nil, &k, answer("A", start), testSealer)
	bad[len(bad)-1] ^= 1
	if err := b.Set(appendEntryKey(nil, &k), bad, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Apply(b, store.Synced); err != nil {
		t.Fatal(err)
	}
	w.forget()
	if e, hit := w.get(k); hit {
		t.Errorf("a damaged answer was given: %+v", e)
	}
	if n := w.keys(t, store.PrefixCache); n != 0 || w.cache.Stats().Damaged != 1 {
		t.Errorf("%d entries are left, %+v", n, w.cache.Stats())
	}
}

// The sweeper runs by itself when there is too much.
func TestStoreIsBounded(t *testing.T) {
	const most = 100 * 1256
	w := inMemory(t, small(1<<10, most, 0))
	for i := range 1000 {
		w.pass(time.Second)
		w.fill(t, keyOf(fmt.Sprint(i)), answer(strings.Repeat("x", 970), w.now()))
	}
	w.cache.makeRoom() // whatever the sweeper has not come to yet
	st := w.cache.Stats()
	if st.Bytes > most || st.Entries != int64(w.keys(t, store.PrefixPlace)) || st.Entries < 50 {
		t.Errorf("%+v, %d places", st, w.keys(t, store.PrefixPlace))
	}
	if n := w.keys(t, store.PrefixCache); n > 100 {
		t.Errorf("%d entries", n)
	}
	if _, hit := w.get(keyOf("999")); !hit {
		t.Error("the newest is gone")
	}
	if _, hit := w.get(keyOf("0")); hit {
		t.Error("the oldest is still there")
	}
}

func TestEntriesInUseAreKeptLonger(t *testing.T) {
	w := inMemory(t, small(1<<10, 1<<30, 1<<20))
	for i := range 100 {
		w.pass(time.Second)
		w.get(keyOf(fmt.Sprint(i))) // a miss, for which it is made
		w.fill(t, keyOf(fmt.Sprint(i)), answer(strings.Repeat("x", 970), w.now()))
	}
	used, unused := keyOf("3"), keyOf("4")
	w.get(used)
	w.pass(time.Second)
	w.cache.cfg.StoreBytes = w.cache.bytes.Load() / 2
	w.cache.makeRoom()
	if _, hit := w.get(used); !hit {
		t.Error("an old entry in use was evicted")
	}
	if _, hit := w.get(unused); hit {
		t.Error("an old entry that nobody asked for was kept")
	}
	if st := w.cache.Stats(); st.Renewed != 1 || st.Evicted < 50 {
		t.Errorf("%+v", st)
	}
	// Even if everything is in use, eviction ends and makes room.
	for i := range 100 {
		w.get(keyOf(fmt.Sprint(i)))
	}
	w.pass(time.Second)
	w.cache.cfg.StoreBytes = 1
	w.cache.makeRoom()
	w.pass(time.Second)
	w.cache.makeRoom()
	if n := w.keys(t, store.PrefixCache); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

func TestExpiredEntriesAreSwept(t *testing.T) {
	w := inMemory(t, small(1<<10, 1<<30, 1<<20))
	for i := range 10 {
		w.fill(t, keyOf(fmt.Sprint(i)), answer("old", w.now()))
	}
	w.pass(30 * time.Minute)
	w.fill(t, keyOf("0"), answer("renewed", w.now())) // replaces an entry; its first place is stale
	w.fill(t, keyOf("new"), answer("new", w.now()))
	w.pass(30 * time.Minute)
	if at := w.cache.dropExpired(place{}); at != (place{}) {
		t.Errorf("there is more to sweep from %v", at)
	}
	if n := w.keys(t, store.PrefixCache); n != 2 {
		t.Errorf("%d entries are left", n)
	}
	if e, hit := w.get(keyOf("0")); !hit || string(e.Body) != "renewed" {
		t.Error("a replaced entry was swept with its old place")
	}
	if st := w.cache.Stats(); st.Entries != 2 || st.Expired != 10 {
		t.Errorf("%+v", st)
	}
}

func TestSweepGoesOnWhereItStopped(t *testing.T) {
	w := inMemory(t, small(1<<10, 1<<30, 0))
	const n = sweepStep + 100
	b := w.store.NewBatch()
	for i := range n {
		k := keyOf(fmt.Sprint(i))
		if err := b.Set(appendPlaceKey(nil, place{start, k}), appendPlaceInfo(nil, placeInfo{created: start, expires: start + 1, size: 1}), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Set([]byte{store.PrefixPlace, 'x'}, nil, nil); err != nil { // not a place
		t.Fatal(err)
	}
	if err := w.store.Apply(b, store.Buffered); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Second)
	at := w.cache.dropExpired(place{})
	if left := w.keys(t, store.PrefixPlace); at == (place{}) || left != 101 {
		t.Errorf("%d left, go on at %v", left, at)
	}
	if at = w.cache.dropExpired(at); at != (place{}) {
		t.Errorf("go on at %v", at)
	}
	if left := w.keys(t, store.PrefixPlace); left > 1 {
		t.Errorf("%d left", left)
	}
}

// The sweeper's own timer, in virtual time.
func TestSweeperWakesByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		w := openWorld(t, fs, small(1<<10, 1<<30, 0))
		w.fill(t, keyOf("old"), answer("old", w.now()))
		w.pass(2 * time.Hour)
		<-time.After(sweepEvery + time.Second)
		synctest.Wait()
		if n := w.keys(t, store.PrefixCache); n != 0 {
			t.Errorf("%d entries are left", n)
		}
		w.close(t)
	})
}

func TestConcurrentUse(t *testing.T) {
	w := inMemory(t, small(1<<10, 64<<10, 16<<10))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 300 {
				text := fmt.Sprint((i * (g + 1)) % 97)
				k := keyOf(text)
				if e, hit := w.get(k); hit {
					if string(e.Body) != "answer to "+text {
						t.Errorf("%s got %s", text, e.Body)
					}
					continue
				}
				w.pass(time.Millisecond)
				w.fill(t, k, answer("answer to "+text, w.now()))
				if i%100 == 0 {
					if _, _, err := w.cache.Purge(Selection{Tenant: "acme"}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestConfigIsValidated(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []Config{{}, {TTL: time.Hour, EntryBytes: 1 << 30, StoreBytes: 1 << 31, TenantShare: 1}, {TTL: time.Hour, EntryBytes: 10, StoreBytes: 5, TenantShare: 1}, {TTL: time.Hour, EntryBytes: 10, StoreBytes: 50, MemoryBytes: -1, TenantShare: 1}, {TTL: time.Hour, EntryBytes: 10, StoreBytes: 50}} {
		if c.Validate() == nil {
			t.Errorf("%+v is valid", c)
		}
		if _, err := Open(nil, nil, c, nil, nil); err == nil {
			t.Errorf("%+v opens", c)
		}
	}
}

func BenchmarkGetFromMemory(b *testing.B) {
	w := inMemory(b, DefaultConfig())
	k := keyOf("q")
	w.fill(b, k, answer(strings.Repeat("x", 4<<10), start))
	b.ReportAllocs()
	for b.Loop() {
		if _, hit := w.get(k); !hit {
			b.Fatal("miss")
		}
	}
}

func BenchmarkGetFromStore(b *testing.B) {
	cfg := DefaultConfig()
	cfg.MemoryBytes = 0
	w := inMemory(b, cfg)
	keys := make([]Key, 10_000)
	for i := range keys {
		keys[i] = keyOf(fmt.Sprint(i))
		w.fill(b, keys[i], answer(strings.Repeat("x", 1<<10), start))
	}
	if err := w.store.DB().Flush(); err != nil {
		b.Fatal(err)
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		if _, hit := w.get(keys[i%len(keys)]); !hit {
			b.Fatal("miss")
		}
	}
}

func BenchmarkMiss(b *testing.B) {
	w := inMemory(b, DefaultConfig())
	for i := range 10_000 {
		w.fill(b, keyOf(fmt.Sprint(i)), answer(strings.Repeat("x", 1<<10), start))
	}
	if err := w.store.DB().Flush(); err != nil {
		b.Fatal(err)
	}
	k := keyOf("never asked")
	b.ReportAllocs()
	for b.Loop() {
		if _, hit := w.get(k); hit {
			b.Fatal("hit")
		}
	}
}

func BenchmarkFill(b *testing.B) {
	w := inMemory(b, DefaultConfig())
	k, body := keyOf("q"), strings.Repeat("x", 4<<10)
	b.ReportAllocs()
	for b.Loop() {
		w.cache.Fill(k, answer(body, start))
	}
}
