package raftfsm

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"purser/internal/audit"
	"purser/internal/directory"
	"purser/ledger"
)

func TestABackupIsTheBeginningOfAnotherLog(t *testing.T) {
	f := New()
	entries := newWorkload(5).entries(500)
	applyAll(f, entries, 0)
	f.Apply(&raft.Log{Index: 501, Data: directoryEntry(0, directory.AdmitNode{Node: directory.Node{ID: "n1", Address: "a:1"}})})
	var b bytes.Buffer
	index, err := f.Backup(&b)
	if err != nil || index != 501 {
		t.Fatalf("Backup = %d, %v", index, err)
	}
	m, err := ReadBackup(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if got := (Digests{m.Index(), m.Ledger().Digest(), m.Directory().Digest(), m.Trail().Digest()}); got != f.Digests() {
		t.Fatal("what was read is not what was written")
	}
	keys := m.Directory().Len()
	later := m.Ledger().Now() + ledger.Hour
	restored := func(generation uint32) audit.Facts {
		return audit.Facts{Node: "n1", Action: "cluster.restore", Target: fmt.Sprint("generation/", generation)}
	}
	before := m.Trail().Head()
	if err := m.Begin(later, restored); err != nil {
		t.Fatal(err)
	}
	links := m.Trail().Recent()
	said, err := links[len(links)-1].Entry()
	if err != nil || said.Action != "cluster.restore" || said.Target != "generation/1" || said.Seq != before.Seq+1 || before.Seq == 0 || links[len(links)-1].Prev != before.Hash {
		t.Errorf("the trail goes on from %v with %+v, %v", before, said, err)
	}
	if m.Ledger().Generation() != 1 || m.Ledger().Now() != later || m.Index() != 502 {
		t.Errorf("generation %d at %d, entry %d", m.Ledger().Generation(), m.Ledger().Now(), m.Index())
	}
	if len(m.Directory().Nodes()) != 0 || m.Directory().Len() != keys || keys == 0 {
		t.Errorf("%d nodes and %d keys, want none and %d", len(m.Directory().Nodes()), m.Directory().Len(), keys)
	}
	for b := range m.Ledger().Budgets() {
		for a := range m.Ledger().Accounts(b.ID) {
			if a.Available > 0 && a.State == ledger.Open && a.Unit != ledger.Slots && !b.Soft {
				t.Errorf("%s has %d available", a.Key, a.Available)
			}
		}
	}
	var again bytes.Buffer
	if err := m.Write(&again); err != nil {
		t.Fatal(err)
	}
	g := New()
	if err := g.Restore(reader(again.Bytes())); err != nil {
		t.Fatal(err)
	}
	g.Apply(&raft.Log{Index: 503, Data: ledgerEntry(later, ledger.Tick{})})
}

func TestADamagedBackupIsRefused(t *testing.T) {
	f := New()
	applyAll(f, newWorkload(6).entries(50), 0)
	var b bytes.Buffer
	if _, err := f.Backup(&b); err != nil {
		t.Fatal(err)
	}
	cut := b.Bytes()[:b.Len()-1]
	bad := bytes.Clone(b.Bytes())
	bad[len(bad)/2] ^= 1
	for what, data := range map[string][]byte{"nothing": nil, "a cut one": cut, "a bit that turned": bad, "something else": []byte("PK\x03\x04 and so on")} {
		if _, err := ReadBackup(bytes.NewReader(data)); err == nil || !strings.HasPrefix(err.Error(), "backup: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestRulesAreEverythingButAccounts: what a gateway is given loads over there, holds
// the rules and the directory, and nothing that grows with use.
func TestRulesAreEverythingButAccounts(t *testing.T) {
	f := New()
	applyAll(f, newWorkload(5).entries(500), 0)
	f.Apply(&raft.Log{Index: 501, Data: directoryEntry(0, directory.AdmitNode{Node: directory.Node{ID: "n1", Address: "a:1"}})})
	before := f.Digests()
	image, versions := f.Rules()
	var b bytes.Buffer
	if err := image.Write(&b); err != nil {
		t.Fatal(err)
	}
	if f.Digests() != before || versions != f.Versions() {
		t.Error("looking at the rules changed the state")
	}
	g := New()
	if err := g.Restore(reader(b.Bytes())); err != nil {
		t.Fatal(err)
	}
	l := g.Ledger()
	if got, want := g.Digests(), before; got.Directory != want.Directory || got.Index != want.Index || l.Now() != f.Ledger().Now() {
		t.Errorf("directory or time differ: %+v, %+v", got, want)
	}
	var accounts, rules int
	for want := range f.Ledger().Budgets() {
		rules++
		if got, ok := l.Budget(want.ID); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("budget %s is %+v, want %+v", want.ID, got, want)
		}
		for range f.Ledger().Accounts(want.ID) {
			accounts++
		}
		for range l.Accounts(want.ID) {
			t.Errorf("budget %s has an account", want.ID)
		}
	}
	for range l.Budgets() {
		rules--
	}
	if rules != 0 || accounts == 0 {
		t.Errorf("%d rules are missing; %d accounts to leave out", rules, accounts)
	}
	for n := range l.Nodes() {
		t.Errorf("node %s", n.ID)
	}
}
