package sim

import (
	"fmt"

	"purser/internal/purse"
)

// counts is what happened in one history, or in many.
type counts struct {
	histories   int
	holds       int
	extensions  int // of holds, by another slice
	exhausted   int // refusals
	contended   int // refusals
	undecided   int
	crashes     int
	fences      int
	restores    int // of a backup
	releases    int
	raises      int // begun
	unraises    int // ended before their time
	rollbacks   int // of disks, to an older image
	pauses      int
	afterWindow int // charges dispatched when their window was over
	dropped     int // messages that did not reach the leader
	ambiguous   int // messages that were or may be committed, without an answer
	late        int // copies of old messages that reached the leader
	elections   int
	keptEntries int // of an old leader, committed by the next one
	goneEntries int // of an old leader, gone
	stampJumps  int // of the leader's clock
	nodeJumps   int // of a node's clock
}

func (c *counts) refuse(code purse.RefusalCode) {
	if code == purse.Exhausted {
		c.exhausted++
	} else {
		c.contended++
	}
}

// each names the counts, in the order in which they are told.
func (c *counts) each(yield func(name string, n *int)) {
	yield("holds", &c.holds)
	yield("extensions of holds", &c.extensions)
	yield("refusals as exhausted", &c.exhausted)
	yield("as contended", &c.contended)
	yield("undecided", &c.undecided)
	yield("crashes", &c.crashes)
	yield("disks rolled back", &c.rollbacks)
	yield("fences", &c.fences)
	yield("clusters restored from a backup", &c.restores)
	yield("budgets released", &c.releases)
	yield("raises of limits", &c.raises)
	yield("raises ended early", &c.unraises)
	yield("pauses", &c.pauses)
	yield("charges dispatched after their window", &c.afterWindow)
	yield("messages lost", &c.dropped)
	yield("answers lost (ambiguous)", &c.ambiguous)
	yield("old messages delivered", &c.late)
	yield("leader changes", &c.elections)
	yield("old leaders' entries committed", &c.keptEntries)
	yield("old leaders' entries gone", &c.goneEntries)
	yield("jumps of a leader's clock", &c.stampJumps)
	yield("jumps of a node's clock", &c.nodeJumps)
}

func (c *counts) add(o *counts) {
	c.histories += o.histories
	var more []int
	o.each(func(_ string, n *int) { more = append(more, *n) })
	i := 0
	c.each(func(_ string, n *int) { *n += more[i]; i++ })
}

func (c *counts) String() string {
	s := ""
	c.each(func(name string, n *int) { s += fmt.Sprintf("\n  %9d %s", *n, name) })
	return s
}
