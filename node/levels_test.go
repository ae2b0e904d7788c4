package node

import (
	"testing"

	"purser/api/pb"
)

// TestWhatNodesSaidIsOfThePresentTerm: a leader goes by what it was told while it
// leads, and by the latest; of a node that said nothing it knows nothing.
func TestWhatNodesSaidIsOfThePresentTerm(t *testing.T) {
	var l levels
	l.note(map[string]*pb.ProgressReply{"n2": {Level: 2}, "n3": {Level: 3}})
	l.note(map[string]*pb.ProgressReply{"n2": {Level: 3}}) // n3 is silent now
	if l.of("n2") != 3 || l.of("n3") != 3 || l.of("n4") != 0 {
		t.Errorf("n2 reads %d, n3 %d, n4 %d", l.of("n2"), l.of("n3"), l.of("n4"))
	}
	l.forget()
	if l.of("n3") != 0 {
		t.Error("what was said to an earlier leader counts")
	}
}
