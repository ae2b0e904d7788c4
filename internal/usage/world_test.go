package usage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"purser/internal/record"
	"purser/internal/store"
	"purser/ledger"
	"purser/proxy/price"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// openStore opens a store on fs; failures counts the calls of its Fatal function.
func openStore(t testing.TB, fs vfs.FS, dir string) (s *store.Store, failures *atomic.Int32) {
	t.Helper()
	failures = new(atomic.Int32)
	s, err := store.Open(store.Options{
		Dir: dir, FS: fs, CacheBytes: 64 << 20, Fatal: func(error) { failures.Add(1) },
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, failures
}

// openJournal opens a journal in memory, and closes it with the test.
func openJournal(t testing.TB, cfg Config) *Journal {
	t.Helper()
	s, _ := openStore(t, vfs.NewMem(), "data")
	j := journalOn(t, s, cfg)
	t.Cleanup(func() {
		if err := errors.Join(j.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	return j
}

func journalOn(t testing.TB, s *store.Store, cfg Config) *Journal {
	t.Helper()
	j, err := Open(s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

const start = ledger.Instant(1_790_000_000_000_000_000)

var customers = []string{"", "acme", "bolt", "crux", "a\x00b", "a"}

// draw makes a record such as requests write; i makes its time.
func draw(r *rand.Rand, i int) *record.Record {
	at := start + ledger.Instant(i)*ledger.Second
	rec := &record.Record{
		ID: record.NewID(at), At: at, Endpoint: "/v1/chat/completions", Dialect: "openai", Upstream: "openai",
		UpstreamID: fmt.Sprintf("chatcmpl-%016x", r.Uint64()), Model: "gpt-5", Served: fmt.Sprintf("gpt-5-%d", r.IntN(3)),
		Outcome: record.Outcome(1 + r.IntN(int(record.MaxOutcome))), Status: 200, Basis: record.Reported, Bound: record.BoundBytes,
		RateID: "openai/gpt-5", Prices: "0123456789abcdef", Attempt: 1, Attempts: 1,
		Cost: ledger.Amount(r.IntN(1_000_000)), Admit: int64(r.IntN(1000)),
		FirstByte: int64(r.IntN(1_000_000_000)), Total: int64(r.IntN(2_000_000_000)),
	}
	rec.Hold, rec.List, rec.Priced = rec.Cost+1000, rec.Cost+ledger.Amount(r.IntN(1000)), rec.Cost-ledger.Amount(r.IntN(1000))
	rec.Dims.Values[ledger.DimOrg] = "org"
	rec.Dims.Values[ledger.DimCustomer] = customers[r.IntN(len(customers))]
	rec.Dims.Values[ledger.DimModel] = "gpt-5"
	rec.Dims.Tags = []ledger.Tag{{Name: "job", Value: fmt.Sprint(r.IntN(4))}}
	rec.Usage[price.InputText], rec.Usage[price.OutputText] = int64(r.IntN(5000)), int64(r.IntN(5000))
	if r.IntN(3) == 0 {
		rec.Savings = []record.Saving{{Lever: record.Lever(1 + r.IntN(int(record.MaxLever))), Amount: ledger.Amount(r.IntN(1000))}}
	}
	for i, budget := range []ledger.BudgetID{"org", "customer", "key", "rpm"} {
		rec.Charges = append(rec.Charges, record.Charge{
			Account:     ledger.AccountKey{Budget: budget, Split: ledger.Split(rec.Dims.Values[ledger.DimCustomer]), Start: ledger.Instant(i)},
			Incarnation: 1 + uint32(r.IntN(2)), Held: rec.Hold, Spent: rec.Cost,
		})
	}
	return rec
}

func commit(t testing.TB, j *Journal, recs ...*record.Record) {
	t.Helper()
	for _, r := range recs {
		j.Commit(Entry{Record: r})
	}
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// fillOf is the cache entry that goes with a record.
func fillOf(id string) []store.KV {
	return []store.KV{{Key: append([]byte{store.PrefixCache}, id...), Value: []byte("answer of " + id)}}
}

// verify checks that what is on disk is whole: a record iff its fill, and the
// proofs are what the records add up to. It returns how often each record is there.
func verify(t testing.TB, s *store.Store, j *Journal) map[string]int {
	t.Helper()
	found := make(map[string]int)
	proofs := make(map[lease]ledger.Amount)
	for r, err := range j.Records(context.Background(), Query{Range: Always}) {
		if err != nil {
			t.Fatal(err)
		}
		found[r.ID]++
		for _, c := range r.Charges {
			proofs[lease{c.Account, c.Incarnation}] += c.Spent
		}
		v, closer, err := s.DB().Get(fillOf(r.ID)[0].Key)
		if err != nil {
			t.Fatalf("%s has no fill: %v", r.ID, err)
		}
		if string(v) != "answer of "+r.ID {
			t.Errorf("%s has the fill %q", r.ID, v)
		}
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := countKeys(t, s, store.PrefixCache); n != len(found) {
		t.Errorf("%d fills for %d records", n, len(found))
	}
	for l, want := range proofs {
		if got, err := j.Proven(l.account, l.incarnation); err != nil || got != want {
			t.Errorf("lease %v: proven %d, its records say %d: %v", l, got, want, err)
		}
	}
	if n := countKeys(t, s, store.PrefixProof); n > len(proofs) {
		t.Errorf("%d proofs for %d leases that were charged", n, len(proofs))
	}
	return found
}

func countKeys(t testing.TB, s *store.Store, prefix byte) (n int) {
	t.Helper()
	it, err := s.DB().NewIter(&pebble.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}})
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}

// eager writes each group at once.
func eager() Config {
	c := DefaultConfig()
	c.Linger = 0
	return c
}

// patient writes a group only when it is full or waited for.
func patient() Config {
	c := DefaultConfig()
	c.Linger = time.Second
	return c
}
