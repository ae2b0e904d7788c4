package raftfsm

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"purser/internal/audit"
	"purser/internal/directory"
	"purser/ledger"
)

var revokedByAda = audit.Facts{
	Node: "n2", Actor: "person:ada", Address: "192.0.2.7", Action: "key.revoke", Target: "key/a",
	Before: []byte(`{"state":"active"}`), After: []byte(`{"state":"revoked"}`),
}

func entriesOf(t *testing.T, f *FSM) (list []audit.Entry) {
	t.Helper()
	for _, l := range f.Trail().Recent() {
		e, err := l.Entry()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

// TestAChangeAndItsAuditEntryAreOne: in the same entry of the log, and only where it
// changed something.
func TestAChangeAndItsAuditEntryAreOne(t *testing.T) {
	l, p, h := newLocal()
	if _, err := p.ProposeDirectory(t.Context(), putKey); err != nil {
		t.Fatal(err)
	}
	h.pass(time.Second, 0)
	revoke := directory.RevokeKey{ID: putKey.Key.ID}
	for _, want := range []directory.Code{directory.Applied, directory.Unchanged} {
		out, err := p.ProposeDirectoryAs(t.Context(), revokedByAda, revoke)
		if err != nil || out.Code != want {
			t.Fatalf("ProposeDirectoryAs = %+v, %v, want %v", out, err, want)
		}
	}
	if out, err := p.ProposeAs(t.Context(), revokedByAda, ledger.DeleteBudget{ID: "none"}); err != nil || out.Code != ledger.UnknownBudget {
		t.Fatalf("ProposeAs = %+v, %v", out, err)
	}
	got := entriesOf(t, l.fsm)
	if l.index != 4 || len(got) != 1 {
		t.Fatalf("%d entries of the log made %d of the trail", l.index, len(got))
	}
	want := audit.Entry{Seq: 1, At: base + ledger.Second, Event: audit.Event{Facts: revokedByAda, Result: audit.Applied, Count: 1}}
	if fmt.Sprint(got[0]) != fmt.Sprint(want) {
		t.Errorf("entry %+v\nwant  %+v", got[0], want)
	}
}

// TestAnAdministrativeCommandWithoutFactsIsAudited: of another build's node, or of a
// node's own accord. What nodes do all the time is not.
func TestAnAdministrativeCommandWithoutFactsIsAudited(t *testing.T) {
	l, p, _ := newLocal()
	p.Node = "n1"
	node := directory.Node{ID: "n2", Address: "a:1"}
	for _, c := range []directory.Command{putKey, directory.AdmitNode{Node: node}, directory.SetNode{ID: "n2", State: directory.NodeDraining}} {
		m := directoryMessage(c)
		if _, err := p.Carry(t.Context(), "n2", m.room, m.body); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []ledger.Command{ledger.Register{Node: "n1"}, ledger.Tick{}, putBudget} {
		if _, err := p.Propose(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, e := range entriesOf(t, l.fsm) {
		got = append(got, fmt.Sprint(e.Actor, " ", e.Action, " ", e.Target))
	}
	want := []string{"node:n2 key.put key/a", "node:n2 node.admit node/n2", "node:n2 node.draining node/n2", "node:n1 budget.put budget/b"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("audited %q\nwant    %q", got, want)
	}
}

// TestARevocationInTheMiddleOfAnUpgrade goes into the log alone, is told, and can be
// in the trail later; once the trail has begun there is no such way.
func TestARevocationInTheMiddleOfAnUpgrade(t *testing.T) {
	l, p, _ := newLocal()
	reads, late := false, []audit.Facts{}
	p.Node, p.Readable = "n1", func(uint32) bool { return reads }
	p.Unaudited = func(f audit.Facts) { late = append(late, f) }
	if _, err := p.ProposeDirectory(t.Context(), putKey); err != nil {
		t.Fatal(err)
	}
	revoke := directory.RevokeKey{ID: putKey.Key.ID}
	for range 2 { // the second changes nothing
		if _, err := p.ProposeDirectoryAs(t.Context(), revokedByAda, revoke); err != nil {
			t.Fatal(err)
		}
	}
	batch := &audit.Batch{Node: "n1", Incarnation: 1, Seq: 1, Events: []audit.Event{{Facts: revokedByAda, Result: audit.Late, Count: 1, First: base}}}
	if _, err := p.ProposeAudit(t.Context(), batch); !errors.Is(err, ErrNotReadable) {
		t.Errorf("ProposeAudit = %v", err)
	}
	if k, _ := l.fsm.Directory().Key(putKey.Key.ID); k.Revoked == 0 || l.fsm.Trail().Head().Seq != 0 {
		t.Errorf("key %+v, trail %v", k, l.fsm.Trail().Head())
	}
	if len(late) != 2 || late[0].Action != "key.put" || late[0].Actor != "node:n1" || fmt.Sprint(late[1]) != fmt.Sprint(revokedByAda) {
		t.Fatalf("told %+v", late)
	}
	reads = true
	for _, want := range []audit.Code{audit.Appended, audit.Repeated} {
		if out, err := p.ProposeAudit(t.Context(), batch); err != nil || out.Code != want || out.Head != l.fsm.Trail().Head() {
			t.Fatalf("ProposeAudit = %+v, %v", out, err)
		}
	}
	reads = false // a leader that has not heard the others yet
	if _, err := p.ProposeAs(t.Context(), revokedByAda, putBudget); err != nil {
		t.Fatal(err)
	}
	if n := l.fsm.Trail().Head().Seq; n != 2 || len(late) != 2 {
		t.Errorf("%d entries in the trail, %d told", n, len(late))
	}
}

// TestALeaderOfAnEarlierBuildCarriesTheCommandAlone: it cannot read who wants it.
func TestALeaderOfAnEarlierBuildCarriesTheCommandAlone(t *testing.T) {
	l, leader, h := newLocal()
	route := &earlier{toLeader{leader: leader}}
	follower := NewProposer(nil, New(), h.clock(), route)
	var late []audit.Facts
	follower.Unaudited = func(f audit.Facts) { late = append(late, f) }
	if out, err := follower.ProposeDirectoryAs(t.Context(), revokedByAda, putKey); err != nil || out.Code != directory.Applied {
		t.Fatalf("ProposeDirectoryAs = %+v, %v", out, err)
	}
	if l.fsm.Directory().Len() != 1 || len(late) != 1 || late[0].Actor != "person:ada" {
		t.Errorf("%d keys, told %+v", l.fsm.Directory().Len(), late)
	}
	follower.fsm.trail.Record(1, &audit.Facts{})
	follower.fsm.publishTrail()
	if _, err := follower.ProposeDirectoryAs(t.Context(), revokedByAda, directory.RevokeKey{ID: "a"}); !errors.Is(err, ErrNotProposed) {
		t.Errorf("with a trail: %v", err)
	}
}

// earlier is the way to a leader that knows no audited commands.
type earlier struct{ toLeader }

func (r *earlier) Forward(ctx context.Context, room Room, command []byte) ([]byte, error) {
	if room > roomBatch {
		return nil, fmt.Errorf("%w: the leader cannot read the command", ErrNotProposed)
	}
	return r.toLeader.Forward(ctx, room, command)
}

// goldenAudited are entries of the rooms that [GovernanceLevel] has.
func goldenAudited() [][]byte {
	denied := audit.Event{Facts: audit.Facts{Node: "n1", Action: "policy.denied", Target: "policy/p", After: []byte(`{"rule":"r"}`)}, Result: audit.Denied, Count: 3, First: 9}
	return append(goldenEntries(),
		newEntry(1_700_000_005*ledger.Second, auditedMessage(&revokedByAda, directoryMessage(directory.RevokeKey{ID: putKey.Key.ID}))),
		newEntry(1_700_000_006*ledger.Second, auditMessage(&audit.Batch{Node: "n1", Incarnation: 2, Seq: 7, Events: []audit.Event{denied}})),
		newEntry(1_700_000_007*ledger.Second, auditedMessage(&revokedByAda, ledgerMessage(ledger.DeleteBudget{ID: "b"})), ledgerMessage(ledger.Tick{})),
	)
}

func TestCompatAudited_v1(t *testing.T) {
	f := New()
	applyAll(f, golden(t, "audited_v1.hex", goldenAudited()), 0)
	if got := f.Trail().Head().Seq; got != 3 {
		t.Fatalf("%d entries in the trail", got)
	}
	b := golden(t, "audited_snapshot_v1.hex", [][]byte{persist(t, f)})
	back := New()
	if err := back.Restore(reader(b[0])); err != nil {
		t.Fatal(err)
	}
	sameDigests(t, back.Digests(), f.Digests(), "golden snapshot with a trail")
}
