package raftfsm

import (
	"bytes"
	"io"
	"testing"

	"purser/internal/audit"
	"purser/internal/directory"
	"purser/ledger"
)

// governed is a state with something of each table that governance has.
func governed(t *testing.T) *FSM {
	t.Helper()
	l, p, _ := newLocal()
	key := directory.Key{ID: "k", Hash: directory.Hash{1}, Public: [32]byte{2}, Scopes: directory.ScopeMint}
	for _, c := range []directory.Command{
		directory.PutObject{Ref: directory.Ref{Kind: directory.ObjectCredential, ID: "c"}, Spec: []byte(`{"sealed":"x"}`)},
		directory.WriteKey{Key: key},
		directory.AdmitChildren{Parent: "k", Children: []directory.Child{{ID: directory.ChildID{3}, Generation: 1, Slice: 5, Expires: base + ledger.Hour}}},
		directory.RaiseAlerts{Raises: []directory.Raise{{Key: "a", Rank: 1, Until: base + ledger.Day, Type: "t", Body: []byte(`{}`)}}},
	} {
		if out, err := p.ProposeDirectoryAs(t.Context(), revokedByAda, c); err != nil || out.Code != directory.Applied {
			t.Fatalf("%T: %+v, %v", c, out, err)
		}
	}
	raise := ledger.Raise{Budget: "b", All: true, Amount: 50, Until: base + ledger.Hour, ID: "short"}
	long := raise
	long.ID, long.Until = "long", base+ledger.Day
	for _, c := range []ledger.Command{
		putBudget, ledger.PutRaise{Raise: raise}, ledger.PutRaise{Raise: long},
		ledger.TripBudget{Scope: ledger.Scope{Budget: "b", All: true}, Cause: ledger.ByOperator, Reason: "r"},
	} {
		if out, err := p.ProposeAs(t.Context(), revokedByAda, c); err != nil || out.Code != ledger.Applied {
			t.Fatalf("%T: %+v, %v", c, out, err)
		}
	}
	return l.fsm
}

// TestARestoredBackupKeepsWhatGoverns: objects, keys and their children, alerts that are
// to be delivered, trips, and raises until their end, which may be in the lost time.
func TestARestoredBackupKeepsWhatGoverns(t *testing.T) {
	f := governed(t)
	var b bytes.Buffer
	if _, err := f.Backup(&b); err != nil {
		t.Fatal(err)
	}
	m, err := ReadBackup(&b)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Begin(base+2*ledger.Hour, func(uint32) audit.Facts { return audit.Facts{Action: "cluster.restore"} }); err != nil {
		t.Fatal(err)
	}
	d := m.Directory()
	if o, ok := d.Object(directory.Ref{Kind: directory.ObjectCredential, ID: "c"}); !ok || string(o.Spec) != `{"sealed":"x"}` {
		t.Errorf("the credential is %+v", o)
	}
	if len(d.Children("k")) != 1 || d.OpenAlerts() != 1 || m.Trail().Head().Seq != 9 {
		t.Errorf("%d children, %d alerts to be delivered, trail %v", len(d.Children("k")), d.OpenAlerts(), m.Trail().Head())
	}
	if raises := m.Ledger().Raises("b"); len(raises) != 1 || raises[0].ID != "long" || len(m.Ledger().Trips("b")) != 1 {
		t.Errorf("raises %+v, trips %+v", raises, m.Ledger().Trips("b"))
	}
	if err := m.Ledger().Check(); err != nil {
		t.Error(err)
	}
}

// TestAGatewayIsToldWhatRequestsGoBy, and neither alerts nor the audit trail.
func TestAGatewayIsToldWhatRequestsGoBy(t *testing.T) {
	f := governed(t)
	image, _ := f.Rules()
	var b bytes.Buffer
	if err := image.Write(&b); err != nil {
		t.Fatal(err)
	}
	g := New()
	if err := g.Restore(io.NopCloser(&b)); err != nil {
		t.Fatal(err)
	}
	d, l := g.Directory(), g.Ledger()
	k, ok := d.FindPublic([32]byte{2})
	if !ok || !k.Can(directory.ScopeMint) || !d.Admitted("k", directory.ChildID{3}) {
		t.Errorf("the key is %+v", k)
	}
	if _, ok := d.Object(directory.Ref{Kind: directory.ObjectCredential, ID: "c"}); !ok || len(l.Raises("b")) != 2 || len(l.Trips("b")) != 1 {
		t.Errorf("an object %v, raises %+v, trips %+v", ok, l.Raises("b"), l.Trips("b"))
	}
	if _, marked := d.AlertMark("a"); marked || len(d.Alerts()) != 0 || g.Trail().Head().Seq != 0 {
		t.Errorf("alerts %+v, trail %v", d.Alerts(), g.Trail().Head())
	}
}
