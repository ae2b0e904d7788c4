package home

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"purser/internal/idempotency"
	"purser/internal/store"
	"purser/internal/vault"
	"purser/ledger"
)

const hour = 3600 * ledger.Second

// world is a home on a disk that can be taken away.
type world struct {
	t     *testing.T
	fs    *vfs.MemFS
	store *store.Store
	seal  Sealer
	cfg   Config
	own   ledger.Instant
	of    ledger.Instant // the ledger's
	*Home
}

func newWorld(t *testing.T) *world {
	t.Helper()
	key, err := vault.NewDataKey(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, fs: vfs.NewCrashableMem(), seal: key, cfg: Config{TTL: idempotency.LongestTTL, Keys: 100, Bytes: 1 << 20}, own: 1000 * hour, of: 1000 * hour}
	w.open()
	t.Cleanup(func() { _ = w.store.Close() }) // a crashed one has been left before
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	if w.store, err = store.Open(store.Options{Dir: "data", FS: w.fs, Log: slog.New(slog.DiscardHandler), Fatal: func(err error) { w.t.Error(err) }}); err != nil {
		w.t.Fatal(err)
	}
	w.Home, err = Open(w.store, w.seal, w.cfg, func() Times { return Times{min(w.own, w.of), max(w.own, w.of)} })
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) reopen() {
	w.t.Helper()
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

// crash takes away what was not synced, but for what chance leaves.
func (w *world) crash(chance *rand.Rand) {
	w.t.Helper()
	after := w.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: chance.IntN(101), RNG: chance})
	_ = w.store.Close() // of the disk that is gone
	w.fs = after
	w.open()
}

func (w *world) pass(d ledger.Instant) { w.own, w.of = w.own+d, w.of+d }

func ask(n byte, token byte) *idempotency.Ask {
	return &idempotency.Ask{Key: idempotency.MakeKey("scope", fmt.Sprint(n)), Print: idempotency.Print{1}, Token: idempotency.Token{token}, Request: "req_" + fmt.Sprint(token)}
}

func (w *world) claim(a *idempotency.Ask) idempotency.Verdict {
	w.t.Helper()
	v, _, err := w.Claim(a, "n2")
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *world) look(a *idempotency.Ask) idempotency.Verdict {
	w.t.Helper()
	v, _, err := w.Look(a)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func report(a *idempotency.Ask, how idempotency.Ending, body string) *idempotency.Report {
	r := &idempotency.Report{Key: a.Key, Token: a.Token, Ending: how}
	if how == idempotency.Kept {
		r.Answer = &idempotency.Answer{Status: 200, Body: []byte(body)}
	}
	return r
}

func (w *world) end(a *idempotency.Ask, how idempotency.Ending, body string, d store.Durability) {
	w.t.Helper()
	if err := w.End(report(a, how, body), d); err != nil {
		w.t.Fatal(err)
	}
}

// left is how many keys of the store are there for idempotency.
func (w *world) left() (n int) {
	w.t.Helper()
	it, err := w.store.DB().NewIter(&pebble.IterOptions{LowerBound: []byte{store.PrefixIdempotency}, UpperBound: []byte{store.PrefixIdempotency + 1}})
	if err != nil {
		w.t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	if err := it.Close(); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// TestAKeysLife tells it in order.
func TestAKeysLife(t *testing.T) {
	w := newWorld(t)
	first, other := ask(1, 1), ask(1, 2)
	if v := w.claim(first); v != idempotency.Granted {
		t.Fatal(v)
	}
	if v := w.claim(first); v != idempotency.Granted {
		t.Errorf("asked again by the same: %v", v)
	}
	if v := w.claim(other); v != idempotency.Running {
		t.Errorf("another: %v", v)
	}
	w.end(other, idempotency.Released, "", store.Buffered)
	if v := w.claim(other); v != idempotency.Running {
		t.Errorf("after another's end: %v", v)
	}
	w.end(first, idempotency.Kept, "the answer", store.Buffered)
	w.end(first, idempotency.Released, "", store.Buffered) // late, or there twice
	w.reopen()
	if v := w.claim(other); v != idempotency.Replay {
		t.Fatal(v)
	}
	a, err := w.Answer(&first.Key)
	if err != nil || string(a.Body) != "the answer" || a.Status != 200 {
		t.Errorf("%+v, %v", a, err)
	}
	if keys, bytes := w.Kept(); keys != 1 || bytes != int64(len("the answer")) {
		t.Errorf("%d keys of %d bytes", keys, bytes)
	}
	// One clock that jumps ends nothing.
	w.own += 48 * hour
	if more, err := w.Sweep(); more || err != nil || w.look(other) != idempotency.Replay {
		t.Errorf("the node's clock has ended it: %v, %v", more, err)
	}
	w.own, w.of = w.own-48*hour, w.of+48*hour
	if more, err := w.Sweep(); more || err != nil || w.look(other) != idempotency.Replay {
		t.Errorf("the ledger's time has ended it: %v, %v", more, err)
	}
	w.own += 24 * hour
	if v := w.look(other); v != idempotency.Free {
		t.Errorf("after its time: %v", v)
	}
	if more, err := w.Sweep(); more || err != nil || w.left() != 0 {
		t.Errorf("%d things are left (%v, %v)", w.left(), more, err)
	}
	if keys, bytes := w.Kept(); keys != 0 || bytes != 0 {
		t.Errorf("%d keys of %d bytes", keys, bytes)
	}
}

// TestAClockThatLagsMakesClaimsLonger: until is by the later clock.
func TestAClockThatLagsMakesClaimsLonger(t *testing.T) {
	w := newWorld(t)
	w.of -= 100 * hour
	w.claim(ask(1, 1))
	w.of += 100 * hour
	w.pass(24*hour - 1)
	if v := w.look(ask(1, 2)); v != idempotency.Running {
		t.Errorf("before its time: %v", v)
	}
	w.pass(1)
	if v := w.claim(ask(1, 2)); v != idempotency.Granted { // in the place of what was not swept
		t.Errorf("after its time: %v", v)
	}
	if keys, _ := w.Kept(); keys != 1 || w.left() != 2 {
		t.Errorf("%d keys, %d things", keys, w.left())
	}
}

// TestCrashes ends the machine after each step of a key's life: a claim that was granted
// is never forgotten, and what is lost of an end leaves the claim.
func TestCrashes(t *testing.T) {
	for seed := range uint64(30) {
		chance := rand.New(rand.NewPCG(seed, 58))
		for _, how := range []idempotency.Ending{idempotency.Released, idempotency.Kept, idempotency.Unkept, idempotency.Doubtful} {
			for _, d := range []store.Durability{store.Buffered, store.Synced} {
				w := newWorld(t)
				a, other := ask(1, 1), ask(1, 2)
				w.crash(chance)
				w.claim(a)
				w.crash(chance)
				if v := w.look(other); v != idempotency.Running {
					t.Fatalf("seed %d: a claim that was granted is %v", seed, v)
				}
				if err := w.Send(&Parcel{Report: *report(a, how, "text"), Homes: []string{"n3"}, At: w.own}); err != nil {
					t.Fatal(err)
				}
				w.end(a, how, "text", d)
				w.crash(chance)
				after := map[idempotency.Ending]idempotency.Verdict{
					idempotency.Released: idempotency.Free, idempotency.Kept: idempotency.Replay, idempotency.Unkept: idempotency.NotKept, idempotency.Doubtful: idempotency.Unknown,
				}[how]
				v := w.look(other)
				if v != after && (d == store.Synced || v != idempotency.Running) {
					t.Fatalf("seed %d: ended by %v (%v), it is %v", seed, how, d, v)
				}
				if d == store.Synced && !w.Pending(a.Token) {
					t.Fatalf("seed %d: the parcel that was put down before is gone", seed)
				}
				if v == idempotency.Replay {
					if got, err := w.Answer(&a.Key); err != nil || string(got.Body) != "text" {
						t.Fatalf("seed %d: %+v, %v", seed, got, err)
					}
				}
				w.crash(chance) // while it is swept, too
				w.pass(25 * hour)
				if _, err := w.Sweep(); err != nil {
					t.Fatal(err)
				}
				w.crash(chance)
				if v := w.claim(other); v != idempotency.Granted {
					t.Fatalf("seed %d: after its time it is %v", seed, v)
				}
				if keys, size := w.Kept(); keys != 1 || size != 0 {
					t.Fatalf("seed %d: %d keys, %d bytes", seed, keys, size)
				}
			}
		}
	}
}

// TestWhenFullNewKeysAreRefused: and none is forgotten for lack of room.
func TestWhenFullNewKeysAreRefused(t *testing.T) {
	w := newWorld(t)
	w.cfg.Keys, w.cfg.Bytes = 3, 10
	w.reopen()
	for n := range byte(3) {
		if v := w.claim(ask(n, n)); v != idempotency.Granted {
			t.Fatal(v)
		}
	}
	if v := w.claim(ask(9, 9)); v != idempotency.Full {
		t.Errorf("a fourth key: %v", v)
	}
	w.end(ask(0, 0), idempotency.Released, "", store.Buffered)
	w.end(ask(1, 1), idempotency.Kept, "too long for ten", store.Buffered)
	w.end(ask(2, 2), idempotency.Kept, "0123456789", store.Buffered)
	if v := w.look(ask(1, 99)); v != idempotency.NotKept {
		t.Errorf("an answer for which there is no room: %v", v)
	}
	// Calls are made once without room for their answers, too.
	if v := w.claim(ask(9, 9)); v != idempotency.Granted {
		t.Errorf("without room for an answer: %v", v)
	}
	w.end(ask(9, 9), idempotency.Kept, "1", store.Buffered)
	if v := w.claim(ask(9, 99)); v != idempotency.NotKept {
		t.Errorf("one whose answer found no room: %v", v)
	}
	if v := w.claim(ask(2, 99)); v != idempotency.Replay {
		t.Errorf("one that is there: %v", v)
	}
	w.pass(25 * hour)
	if v := w.claim(ask(8, 8)); v != idempotency.Full { // those that are over count until they are swept
		t.Errorf("before they are swept: %v", v)
	}
	if _, err := w.Sweep(); err != nil {
		t.Fatal(err)
	}
	if v := w.claim(ask(8, 8)); v != idempotency.Granted {
		t.Errorf("when there is room again: %v", v)
	}
	w.end(ask(8, 8), idempotency.Kept, "1", store.Buffered)
	if v := w.look(ask(8, 99)); v != idempotency.Replay {
		t.Errorf("an answer when there is room again: %v", v)
	}
}

// TestOneOfManyIsGranted: at once, of one key.
func TestOneOfManyIsGranted(t *testing.T) {
	w := newWorld(t)
	verdicts := make([]idempotency.Verdict, 32)
	var all sync.WaitGroup
	for i := range verdicts {
		all.Go(func() {
			v, _, err := w.Claim(ask(1, byte(i)), "n")
			if err != nil {
				t.Error(err)
			}
			verdicts[i] = v
		})
	}
	all.Wait()
	granted := 0
	for _, v := range verdicts {
		if v == idempotency.Granted {
			granted++
		} else if v != idempotency.Running {
			t.Errorf("%v", v)
		}
	}
	if granted != 1 {
		t.Errorf("%d were granted", granted)
	}
}

// TestAnswersAreSealed: nothing of a text is on the disk in clear, and with another key it
// is an answer that is not kept.
func TestAnswersAreSealed(t *testing.T) {
	w := newWorld(t)
	const text = "what a customer wrote"
	w.claim(ask(1, 1))
	if err := w.Send(&Parcel{Report: *report(ask(1, 1), idempotency.Kept, text), Homes: []string{"n3"}, At: w.own}); err != nil {
		t.Fatal(err)
	}
	w.end(ask(1, 1), idempotency.Kept, text, store.Synced)
	it, err := w.store.DB().NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		if bytes.Contains(it.Value(), []byte(text)) {
			t.Errorf("%q has it in clear", it.Key())
		}
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	if w.seal, err = vault.NewDataKey(bytes.Repeat([]byte{8}, 32)); err != nil {
		t.Fatal(err)
	}
	w.reopen()
	k := ask(1, 1).Key
	if a, err := w.Answer(&k); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("%+v, %v", a, err)
	}
	if p, err := w.Parcel(idempotency.Token{1}); p != nil || !errors.Is(err, errSealed) || w.Waiting() != 0 {
		t.Errorf("%+v, %v; %d wait", p, err, w.Waiting())
	}
}

// TestParcels: each home gets it until it has it.
func TestParcels(t *testing.T) {
	w := newWorld(t)
	sent := &Parcel{Report: *report(ask(1, 1), idempotency.Kept, "text"), Homes: []string{"n2", "n3"}, At: 5}
	if err := w.Send(sent); err != nil {
		t.Fatal(err)
	}
	w.reopen()
	got, err := w.Parcel(sent.Report.Token)
	if err != nil || !reflect.DeepEqual(got, sent) || !w.Pending(sent.Report.Token) || w.Waiting() != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if a := w.Awaited(); len(a) != 2 || len(w.For("n2")) != 1 || len(w.For("n4")) != 0 {
		t.Errorf("%v is awaited", a)
	}
	for i, home := range []string{"n3", "n3", "n2", "n2"} {
		if err := w.Delivered(sent.Report.Token, home); err != nil {
			t.Fatal(err)
		}
		if want := i < 2; w.Pending(sent.Report.Token) != want || len(w.For("n3")) != 0 || (len(w.For("n2")) == 1) != want {
			t.Errorf("after %d: pending %v", i, !want)
		}
		w.reopen()
	}
	if w.Waiting() != 0 || w.outbox.bytes != 0 || w.left() != 0 || len(w.Awaited()) != 0 {
		t.Errorf("%d wait, %d bytes, %d things", w.Waiting(), w.outbox.bytes, w.left())
	}
}

// TestRemovedMembersAreForgottenLate: a season after they were seen to be removed, by both
// clocks, whatever starts anew.
func TestRemovedMembersAreForgottenLate(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		if err := w.SeenRemoved("n3"); err != nil {
			t.Fatal(err)
		}
		w.pass(ledger.Instant(idempotency.Season) / 2)
		w.reopen()
	}
	w.pass(-1)
	if w.Forgotten("n3", 1000*hour) || !w.Forgotten("n3", 1000*hour+1) || w.Forgotten("n4", 1000*hour+1) {
		t.Error("a scope that began after it was seen to be removed has to do with it, or an older one not")
	}
	if w.Forgotten("n3", 0) || w.Forgotten("n4", 0) {
		t.Error("forgotten early")
	}
	w.pass(1)
	if !w.Forgotten("n3", 0) {
		t.Error("not forgotten")
	}
	w.of -= hour
	if w.Forgotten("n3", 0) {
		t.Error("forgotten by one clock")
	}
}

// TestARolledBackStoreGrantsNothing: until all is over that it may have granted.
func TestARolledBackStoreGrantsNothing(t *testing.T) {
	w := newWorld(t)
	w.claim(ask(1, 1))
	if err := w.RolledBack(); err != nil {
		t.Fatal(err)
	}
	w.crash(rand.New(rand.NewPCG(1, 1)))
	if v := w.claim(ask(2, 2)); v != idempotency.Unavailable {
		t.Errorf("a new key: %v", v)
	}
	if v := w.claim(ask(1, 2)); v != idempotency.Running {
		t.Errorf("one that is known: %v", v)
	}
	w.pass(ledger.Instant(idempotency.Season))
	if v := w.claim(ask(2, 2)); v != idempotency.Granted {
		t.Errorf("a season later: %v", v)
	}
}
