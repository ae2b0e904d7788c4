package node

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"purser/api/admin"
	"purser/internal/alert"
	"purser/internal/audit"
	"purser/internal/directory"
	"purser/internal/governance"
	"purser/ledger"
	"purser/raftfsm"
)

// oneLog applies entries to a state machine at once.
type oneLog struct {
	fsm   *raftfsm.FSM
	index uint64
}

// Apply implements raftfsm.Log.
func (l *oneLog) Apply(entry []byte, _ time.Duration) (any, error) {
	l.index++
	return l.fsm.Apply(&raft.Log{Index: l.index, Data: entry}), nil
}

// TestEveryChangeIsTold: what is told of each command of the admin API, and that the
// state before it comes from what is there.
func TestEveryChangeIsTold(t *testing.T) {
	n, say := loneNode(t)
	budget := ledger.Budget{ID: "cap", Unit: ledger.USD, Limit: 5 * ledger.NanoPerUSD, Window: ledger.Window{Kind: ledger.Total}}
	raised := budget
	raised.Limit *= 2
	key := directory.Key{ID: "key_1", Hash: directory.Hash{1, 2, 3}, Name: "a key"}
	suspended := key
	suspended.Suspended = true
	member := directory.Node{ID: "n2", Address: "10.0.0.2:7171", Region: "eu"}
	team, _ := governance.KindOf("team")
	test, err := alert.NewTest("ear", "key_2", ledger.Second)
	if err != nil {
		t.Fatal(err)
	}
	told := map[any]bool{ // kinds; those that only nodes give are named by their types
		ledger.KindRegister: true, ledger.KindExchange: true, ledger.KindRestore: true, ledger.KindCheckpoint: true, ledger.KindProbed: true,
		directory.KindTouchKeys: true, directory.KindAdmitChild: true, directory.KindNoteDeliveries: true,
	}
	put := directory.PutObject{Ref: directory.Ref{Kind: team.Number, ID: "blue"}, Spec: []byte(`{"name":"Blue"}`)}
	for _, c := range []struct {
		l    ledger.Command
		d    directory.Command
		want string
	}{
		{l: ledger.PutBudget{Budget: budget}, want: `budget.put budget/cap, then {"id":"cap","limit":5,"unit":"usd","window":"total"}`},
		{l: ledger.PutBudget{Budget: raised}, want: `budget.put budget/cap, was {"id":"cap","limit":5,"unit":"usd","window":"total"}, then {"id":"cap","limit":10,"unit":"usd","window":"total"}`},
		{l: ledger.PutRaise{Raise: ledger.Raise{Budget: "cap", ID: "r", All: true, Amount: 7, Until: 1_900_000_000 * ledger.Second, Reason: "launch"}}, want: `budget.raise budget/cap, then {"account":"cap","by":7,"raise":"r","reason":"launch","until":"2030-03-17T17:46:40Z"}`},
		{l: ledger.EndRaise{Budget: "cap", ID: "r"}, want: `budget.raise.end budget/cap, was {"raise":"r"}`},
		{l: ledger.TripBudget{Scope: ledger.Scope{Budget: "cap", All: true}, Cause: ledger.ByOperator, Reason: "why", For: 60 * ledger.Second}, want: `budget.trip budget/cap, then {"account":"cap","cause":"operator","for":"1m0s","reason":"why"}`},
		{l: ledger.ResetBreaker{Scope: ledger.Scope{Budget: "cap", All: true}}, want: `budget.reset budget/cap, then {"account":"cap","close":false}`},
		{l: ledger.Release{ID: "cap"}, want: `budget.release budget/cap`},
		{l: ledger.DeleteBudget{ID: "cap"}, want: `budget.delete budget/cap, was {"id":"cap","limit":10,"unit":"usd","window":"total"}`},
		{l: ledger.Fence{Node: "n2"}, want: `node.fence node/n2`},
		{d: directory.PutKey{Key: key}, want: `key.put key/key_1, then {"created":"","id":"key_1","name":"a key","state":"active"}`},
		{d: directory.WriteKey{Expect: directory.AnyVersion, Key: key}, want: `key.put key/key_1, was {"created":"1970-01-01T00:00:01Z","id":"key_1","name":"a key","state":"active"}, then {"created":"","id":"key_1","name":"a key","state":"active"}`},
		{d: directory.WriteKey{Expect: directory.AnyVersion, Key: suspended}, want: `key.put key/key_1, was {"created":"1970-01-01T00:00:01Z","id":"key_1","name":"a key","state":"active"}, then {"created":"","id":"key_1","name":"a key","state":"suspended","suspended":true}`},
		{d: directory.WriteKey{Expect: directory.AnyVersion, Key: key}, want: `key.put key/key_1, was {"created":"1970-01-01T00:00:01Z","id":"key_1","name":"a key","state":"suspended","suspended":true}, then {"created":"","id":"key_1","name":"a key","state":"active"}`},
		{d: directory.RotateKey{ID: "key_1", Hash: key.Hash}, want: `key.rotate key/key_1, was {"created":"1970-01-01T00:00:01Z","id":"key_1","name":"a key","state":"active"}, then {"old_secret_until":""}`},
		{d: directory.RevokeKey{ID: "key_1"}, want: `key.revoke key/key_1, was {"created":"1970-01-01T00:00:01Z","id":"key_1","name":"a key","state":"active"}`},
		{d: directory.ForgetKey{ID: "key_1"}, want: `key.forget key/key_1, was {"created":"1970-01-01T00:00:01Z","id":"key_1","name":"a key","revoked":"1970-01-01T00:00:01Z","state":"revoked"}`},
		{d: directory.PutToken{Hash: directory.Hash{0xab, 0xcd}, Expires: 1_900_000_000 * ledger.Second}, want: `token.create token/abcd0000, then {"expires":"2030-03-17T17:46:40Z"}`},
		{d: directory.AdmitNode{Node: member}, want: `node.admit node/n2, then {"address":"10.0.0.2:7171","region":"eu","zone":""}`},
		{d: directory.AdmitGateway{Node: directory.Node{ID: "g1", Address: "10.0.0.3:7171"}}, want: `node.admit node/g1, then {"address":"10.0.0.3:7171","region":"","zone":""}`},
		{d: directory.RaiseAlerts{Raises: []directory.Raise{test}}, want: `webhook.test webhook/ear`},
		{d: directory.ForgetNodes{}, want: `cluster.forget cluster`},
		{d: directory.AdmitNode{Node: member}, want: `node.admit node/n2, then {"address":"10.0.0.2:7171","region":"eu","zone":""}`},
		{d: directory.SetNode{ID: "n2", State: directory.NodeDraining}, want: `node.draining node/n2, was {"address":"10.0.0.2:7171","region":"eu","state":"active","zone":""}, then {"state":"draining"}`},
		{d: put, want: `team.put team/blue, then {"name":"Blue"}`},
		{d: directory.DeleteObject{Ref: put.Ref, Expect: directory.AnyVersion}, want: `team.delete team/blue, was {"name":"Blue"}`},
		{d: directory.PutObject{Ref: directory.Ref{Kind: 31, ID: "x"}, Spec: []byte(`{}`)}, want: `object.put object-31/x, then {}`},
		{l: ledger.Tick{}, want: `ledger.tick`}, // none of the API's, and yet not nameless
	} {
		ctx := admin.WithActor(t.Context(), admin.Actor{Name: "person:ada", Address: "192.0.2.1"})
		f, err := n.facts(ctx, n.told(c.l, c.d))
		if err != nil {
			t.Fatal(err)
		}
		got := f.Action
		if f.Target != "" {
			got += " " + f.Target
		}
		if f.Before != nil {
			got += ", was " + string(f.Before)
		}
		if f.After != nil {
			got += ", then " + string(f.After)
		}
		got = versions.ReplaceAllString(got, "")
		if got != c.want || f.Actor != "person:ada" || f.Address != "192.0.2.1" || f.Node != "n1" {
			t.Errorf("told %+v\n%s\nwant\n%s", f, got, c.want)
		}
		say(ctx, c.l, c.d)
		if c.l != nil {
			told[c.l.Kind()] = true
		} else {
			told[c.d.Kind()] = true
		}
	}
	for kind := range 256 {
		if _, err := ledger.DecodeCommand([]byte{byte(kind), 1}); (err == nil || !strings.Contains(err.Error(), "unknown kind")) != told[ledger.Kind(kind)] {
			t.Errorf("ledger kind %d is not told, or is none", kind)
		}
		if _, err := directory.DecodeCommand([]byte{1, byte(kind)}); errors.Is(err, directory.ErrUnknown) == told[directory.Kind(kind)] {
			t.Errorf("directory kind %d is not told, or is none", kind)
		}
	}
}

// versions follow from the rest of a view.
var versions = regexp.MustCompile(`,"version":[0-9]+`)

// loneNode is a node without stores, whose state the returned function changes.
func loneNode(t *testing.T) (*Node, func(context.Context, ledger.Command, directory.Command)) {
	t.Helper()
	n := &Node{cfg: Default(), fsm: raftfsm.New()}
	n.cfg.Node.ID = "n1"
	clock := raftfsm.Clock{Wall: func() ledger.Instant { return ledger.Second }, Elapsed: func() time.Duration { return 0 }}
	p := raftfsm.NewProposer(&oneLog{fsm: n.fsm}, n.fsm, clock, nil)
	t.Cleanup(p.Close)
	return n, func(ctx context.Context, l ledger.Command, d directory.Command) {
		t.Helper()
		var err error
		if l != nil {
			_, err = p.Propose(ctx, l)
		} else {
			_, err = p.ProposeDirectory(ctx, d)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestEntriesAreFiltered(t *testing.T) {
	link := audit.NewLink(audit.Hash{}, &audit.Entry{Seq: 1, At: 1_790_000_000 * ledger.Second, Event: audit.Event{
		Facts: audit.Facts{Actor: "person:ada", Action: "key.revoke", Target: "key/a"}, Result: audit.Applied, Count: 1,
	}})
	for _, c := range []struct {
		q    admin.AuditQuery
		want bool
	}{
		{admin.AuditQuery{}, true},
		{admin.AuditQuery{Action: "key.revoke"}, true}, {admin.AuditQuery{Action: "key.*"}, true}, {admin.AuditQuery{Action: "*"}, true},
		{admin.AuditQuery{Action: "key"}, false}, {admin.AuditQuery{Action: "budget.*"}, false},
		{admin.AuditQuery{Actor: "person:ada", Target: "key/*"}, true}, {admin.AuditQuery{Actor: "root"}, false}, {admin.AuditQuery{Target: "key/b"}, false},
		{admin.AuditQuery{From: "2026-09-21T14:13:20Z"}, true}, {admin.AuditQuery{From: "2026-09-21T14:13:21Z"}, false},
		{admin.AuditQuery{To: "2026-09-21T14:13:21Z"}, true}, {admin.AuditQuery{To: "2026-09-21T14:13:20Z"}, false},
	} {
		f, err := filterOf(c.q)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.has(link); got != c.want || err != nil {
			t.Errorf("%+v: %v, %v", c.q, got, err)
		}
	}
	if _, err := filterOf(admin.AuditQuery{From: "yesterday"}); err == nil {
		t.Error("yesterday is a time")
	}
}
