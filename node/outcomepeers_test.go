package node

import (
	"context"
	"testing"
	"time"

	"purser/internal/directory"
)

// TestTheQuestionWhatWasHeardHasItsOwnTime: nodes read all outcomes for it, for which the
// wait for one request's is too short.
func TestTheQuestionWhatWasHeardHasItsOwnTime(t *testing.T) {
	n, say := loneNode(t)
	say(t.Context(), nil, directory.AdmitNode{Node: directory.Node{ID: "n2", Address: "10.0.0.2:7171"}})
	p := &colleagues{peers: &peers{n: n}, slots: make(chan struct{}, 1)}
	ctx, cancel := context.WithTimeout(t.Context(), heardWait)
	defer cancel()
	asked := 0
	err := p.each(ctx, func(ctx context.Context, node, _ string) error {
		asked++
		if end, ok := ctx.Deadline(); !ok || time.Until(end) < heardWait/2 {
			t.Errorf("node %s has until %v", node, end)
		}
		return nil
	})
	if err != nil || asked != 1 {
		t.Errorf("%d nodes were asked: %v", asked, err)
	}
}
