package raftfsm

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"

	"purser/internal/directory"
	"purser/ledger"
)

var (
	putBudget = ledger.PutBudget{Budget: ledger.Budget{ID: "b", Unit: ledger.USD, Limit: 1, Window: ledger.Window{Kind: ledger.Total}}}
	putKey    = directory.PutKey{Key: directory.Key{ID: "a", Hash: directory.Hash{1}}}
)

func TestSubscribersHearOfChangesAndOfNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New()
		var heard []Versions
		stop := f.Subscribe(func(v Versions) { heard = append(heard, v) })
		index := uint64(0)
		step := func(entry []byte, want int, what string) {
			t.Helper()
			index++
			f.Apply(&raft.Log{Index: index, Data: entry})
			synctest.Wait()
			if len(heard) != want {
				t.Fatalf("after %s the subscriber heard %v", what, heard)
			}
		}
		synctest.Wait()
		if len(heard) != 1 || heard[0] != (Versions{}) {
			t.Fatalf("at first it heard %v", heard)
		}
		step(ledgerEntry(1, putBudget), 2, "a budget")
		step(ledgerEntry(2, ledger.Tick{}), 2, "a tick")
		step(ledgerEntry(2, ledger.DeleteBudget{ID: "unknown"}), 2, "a refused deletion")
		step(directoryEntry(3, putKey), 3, "a key")
		step(directoryEntry(3, putKey), 3, "the same key again")
		step(directoryEntry(4, directory.RevokeKey{ID: "a"}), 4, "a revocation")
		step(ledgerEntry(5, ledger.DeleteBudget{ID: "b"}), 5, "a deletion")
		if heard[4] != (Versions{Budgets: 2, Keys: 2}) {
			t.Errorf("versions at the end: %+v", heard[4])
		}
		stop()
		stop()
		step(directoryEntry(6, directory.ForgetKey{ID: "a"}), 5, "the end of the subscription")
	})
}

func TestASlowSubscriberDelaysNobodyAndMissesNoLastChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New()
		gate := make(chan struct{})
		var mu sync.Mutex
		var heard []Versions
		stop := f.Subscribe(func(v Versions) {
			mu.Lock()
			heard = append(heard, v)
			mu.Unlock()
			<-gate
		})
		defer stop()
		for i := range uint64(100) {
			put := putBudget
			put.Budget.Limit = ledger.Amount(i + 1)
			f.Apply(&raft.Log{Index: i + 1, Data: ledgerEntry(1, put)}) // returns though the subscriber hangs
		}
		close(gate)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if last := heard[len(heard)-1]; last.Budgets != 100 {
			t.Errorf("the last version heard is %+v", last)
		}
		if len(heard) > 3 {
			t.Errorf("100 changes during one call made %d calls", len(heard))
		}
	})
}

func TestARestoreIsAChange(t *testing.T) {
	f := New()
	before := f.Versions()
	if err := f.Restore(reader(persist(t, New()))); err != nil {
		t.Fatal(err)
	}
	if v := f.Versions(); v.Budgets == before.Budgets || v.Keys == before.Keys {
		t.Errorf("versions %+v before, %+v after", before, v)
	}
}

// TestWhatIsLookedUpWakesNobody: that keys were used, and that children are counted,
// changes nothing that requests go by; that a key is changed does.
func TestWhatIsLookedUpWakesNobody(t *testing.T) {
	f := New()
	apply := func(index uint64, c directory.Command) {
		t.Helper()
		out := f.Apply(&raft.Log{Index: index, Data: newEntry(ledger.Instant(index)*ledger.Minute, directoryMessage(c))})
		if got := out.([]any)[0].(directory.Outcome).Code; got != directory.Applied {
			t.Fatalf("%T: %v", c, got)
		}
	}
	key := directory.Key{ID: "a", Hash: directory.Hash{1}, Public: [32]byte{1}, Scopes: directory.ScopeMint}
	apply(1, directory.WriteKey{Key: key})
	before := f.Versions()
	apply(2, directory.TouchKeys{At: ledger.Minute, IDs: []directory.KeyID{"a"}})
	apply(3, directory.AdmitChildren{Parent: "a", Children: []directory.Child{{ID: directory.ChildID{1}, Generation: 1, Expires: ledger.Hour}}})
	if f.Versions() != before {
		t.Error("they counted as changes")
	}
	if k, _ := f.Directory().Key("a"); k.LastUsed == 0 || !f.Directory().Admitted("a", directory.ChildID{1}) {
		t.Error("they cannot be looked up")
	}
	apply(4, directory.RotateKey{ID: "a", Hash: directory.Hash{2}})
	if f.Versions() == before {
		t.Error("a rotation counted as no change")
	}
}
