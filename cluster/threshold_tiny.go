//go:build tinysnapshots

package cluster

import "time"

// For tests alone: a follower that was away for a moment is sent a snapshot, and
// the log is cut all the time. The snapshot before the newest no longer leads to
// the present: a node whose newest one is damaged stops.
const (
	snapshotThreshold = 10
	snapshotInterval  = 200 * time.Millisecond
	trailingLogs      = 10
)
