package raftfsm

import (
	"bytes"
	"testing"

	"purser/internal/directory"
)

// TestAlertsWakeNobody: a delivery is no reason to compile keys and rules again, or to
// send gateways an image; and the image they get has no alerts in it.
func TestAlertsWakeNobody(t *testing.T) {
	l, p, _ := newLocal()
	f := l.fsm
	before := f.Versions()
	raise := directory.RaiseAlerts{Raises: []directory.Raise{{Key: "k", Rank: 1, Until: 1 << 62, Type: "t", Body: []byte("{}")}}}
	note := directory.NoteDeliveries{Closed: []uint64{1}}
	for _, c := range []directory.Command{raise, note} {
		if m := directoryMessage(c); m.level() != GovernanceLevel {
			t.Errorf("%T is of level %d", c, m.level())
		}
		if out, err := p.ProposeDirectory(t.Context(), c); err != nil || out.Code != directory.Applied {
			t.Fatalf("%T: %+v, %v", c, out, err)
		}
	}
	if f.Versions() != before || l.index != 2 {
		t.Errorf("versions %+v after %+v", f.Versions(), before)
	}
	if len(f.Directory().Alerts()) != 1 {
		t.Fatal("the alert is not there")
	}
	image, _ := f.Rules()
	var b bytes.Buffer
	if err := image.Write(&b); err != nil {
		t.Fatal(err)
	}
	back, err := readSnapshot(&b)
	if err != nil || len(back.directory.Alerts()) != 0 {
		t.Errorf("a gateway gets alerts, or nothing: %v", err)
	}
	if _, told := back.directory.AlertMark("k"); told {
		t.Error("a gateway gets what was told")
	}
}
