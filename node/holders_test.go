package node

import (
	"testing"

	"purser/ledger"
)

// TestWhatIsHeldIsKnownOfWhoAnswers: a node that holds nothing says 0; of one that did
// not answer nothing is known.
func TestWhatIsHeldIsKnownOfWhoAnswers(t *testing.T) {
	h := holdings{}
	h.take("a", "cap", []heldRow{{Split: "acme", Start: 5, Held: 30}})
	h.take("b", "cap", []heldRow{})
	key := ledger.AccountKey{Budget: "cap", Split: "acme", Start: 5}
	lease := func(node ledger.NodeID) ledger.LeaseView {
		return ledger.LeaseView{Node: node, Granted: 100, Spent: 20, Returned: 10}
	}
	a := h.leaseText(key, lease("a"))
	if a.Held == nil || *a.Held != 30 || a.Out != 70 {
		t.Errorf("of a node that holds something: %+v", a)
	}
	if b := h.leaseText(key, lease("b")); b.Held == nil || *b.Held != 0 {
		t.Errorf("of a node that holds nothing: %+v", b)
	}
	if c := h.leaseText(key, lease("c")); c.Held != nil {
		t.Errorf("of a node that did not answer: %+v", c)
	}
	key.Start = 6
	if next := h.leaseText(key, lease("a")); next.Held == nil || *next.Held != 0 {
		t.Errorf("of another window: %+v", next)
	}
}
