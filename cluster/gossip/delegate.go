package gossip

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/memberlist"
)

// delegate implements what the library asks: memberlist.Delegate, EventDelegate,
// AliveDelegate, MergeDelegate, ConflictDelegate and PingDelegate. Most of it is
// called with the library's lock held: nothing here waits, nor calls the library.
type delegate struct{ p *Pool }

// NodeMeta implements memberlist.Delegate.
func (d delegate) NodeMeta(int) []byte { return *d.p.meta.Load() }

// NotifyMsg implements memberlist.Delegate: nodes send each other none.
func (delegate) NotifyMsg([]byte) {}

// GetBroadcasts implements memberlist.Delegate: there are none.
func (delegate) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState implements memberlist.Delegate: members are all there is.
func (delegate) LocalState(bool) []byte { return nil }

// MergeRemoteState implements memberlist.Delegate.
func (delegate) MergeRemoteState([]byte, bool) {}

// NotifyAlive implements memberlist.AliveDelegate: it refuses a member of another
// cluster, one that cannot be read, and one too many.
func (d delegate) NotifyAlive(n *memberlist.Node) error {
	r, err := decodeRecord(n.Meta)
	if err != nil {
		return err
	}
	if err := d.ours(n, r); err != nil {
		return err
	}
	return d.p.table.room(n.Name)
}

// NotifyMerge implements memberlist.MergeDelegate. A member of a later build is
// let pass, and ignored by NotifyAlive.
func (d delegate) NotifyMerge(peers []*memberlist.Node) error {
	for _, n := range peers {
		r, err := decodeRecord(n.Meta)
		if errors.Is(err, errVersion) {
			continue
		}
		if err == nil {
			err = d.ours(n, r)
		}
		if err != nil {
			return fmt.Errorf("member %s: %w", n.Name, err)
		}
	}
	return nil
}

// ours fails if a member is of another cluster.
func (d delegate) ours(n *memberlist.Node, r *record) error {
	if r.cluster == d.p.cfg.Label {
		return nil
	}
	d.p.turnAway(n.Address(), r.cluster)
	return fmt.Errorf("it is of cluster %q", r.cluster)
}

// NotifyJoin implements memberlist.EventDelegate.
func (d delegate) NotifyJoin(n *memberlist.Node) { d.NotifyUpdate(n) }

// NotifyUpdate implements memberlist.EventDelegate.
func (d delegate) NotifyUpdate(n *memberlist.Node) {
	r, err := decodeRecord(n.Meta)
	if err != nil {
		return // NotifyAlive has refused it
	}
	d.p.table.put(n.Name, n.Address(), r, time.Now())
}

// NotifyLeave implements memberlist.EventDelegate.
func (d delegate) NotifyLeave(n *memberlist.Node) { d.p.table.gone(n.Name) }

// NotifyConflict implements memberlist.ConflictDelegate.
func (d delegate) NotifyConflict(known, other *memberlist.Node) {
	now := time.Now()
	d.p.table.conflict(known.Name, other.Address(), now)
	if d.p.conflicts.may(now) {
		d.p.cfg.Log.Warn("a node id is there twice in gossip: the node has moved and its old place is not given up yet, or two processes run under one id",
			"node", known.Name, "known", known.Address(), "other", other.Address())
	}
}

// AckPayload implements memberlist.PingDelegate.
func (delegate) AckPayload() []byte { return nil }

// NotifyPingComplete implements memberlist.PingDelegate.
func (d delegate) NotifyPingComplete(n *memberlist.Node, _ time.Duration, _ []byte) {
	d.p.table.answered(n.Name, time.Now())
}
