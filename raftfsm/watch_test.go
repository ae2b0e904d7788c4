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
