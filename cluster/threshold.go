//go:build !tinysnapshots

package cluster

import "time"

const (
	// A snapshot is taken when this many entries have gathered since the last;
	// replaying so many takes well under a second.
	snapshotThreshold = 8192
	snapshotInterval  = 30 * time.Second
	// trailingLogs are kept behind a snapshot, so that the one before it still
	// leads to the present.
	trailingLogs = 2*snapshotThreshold + 2048
)
