package node

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"purser/api/admin"
)

// topicCheckpoint asks a member for the last digest that it took of its state.
const topicCheckpoint = "ledger.checkpoint"

// checkpointHere is the last digest that this replica took: each takes one at the same
// entries of the log. false: it has not taken any yet.
func (n *Node) checkpointHere() (admin.Checkpoint, bool) {
	c := n.fsm.Checkpoint()
	return admin.Checkpoint{Entry: c.Index, Digest: hex.EncodeToString(c.Digest[:])}, c.Index > 0
}

// tellCheckpoint answers topicCheckpoint.
func (n *Node) tellCheckpoint(_ context.Context, _ string, _ []byte, say func([]byte) error) error {
	c, ok := n.checkpointHere()
	if !ok {
		return nil
	}
	answer, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return say(answer)
}

// checkpoints are the last digests that members have taken, by node. Who is silent, or a
// gateway, is not among them.
func (n *Node) checkpoints(ctx context.Context) map[string]admin.Checkpoint {
	ctx, cancel := context.WithTimeout(ctx, heldWait)
	defer cancel()
	out := map[string]admin.Checkpoint{}
	// Who does not answer is seen as such elsewhere in what is told of members.
	_ = n.colleagues.ask(ctx, topicCheckpoint, nil, func(node string, piece []byte) error {
		var c admin.Checkpoint
		if err := json.Unmarshal(piece, &c); err != nil {
			return fmt.Errorf("the digest of a member: %w", err)
		}
		out[node] = c
		return nil
	})
	if c, ok := n.checkpointHere(); ok {
		out[n.cfg.Node.ID] = c
	}
	return out
}
