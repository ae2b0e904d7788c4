// Package gossip tells each node where the others are and who seems alive, by
// hashicorp/memberlist over UDP and TCP.
//
// What it says is a hint. No lease, no vote and no membership is decided by it: the
// directory and Raft's configuration do that. Who reads [Pool.Members] must be right
// also when all of it is wrong, old or missing.
//
// A pool is of one cluster. Its packets and streams are encrypted with a key of the
// cluster (AES-256-GCM, cluster/pki), and carry the cluster's label in the clear.
//
//   - door.go turns away what has another label or none, bounds the streams that
//     others open, and counts both. The library would take any number of them.
//
//   - delegate.go refuses a member that names another cluster, in every alive
//     message and in every merge on joining.
//
//   - table.go is what this node was told, at most [MaxMembers] rows.
//
//   - meta.go is what a node says of itself, at most 512 bytes:
//
//     version   1 byte, 1
//     flags     1 byte, bit 0: the node is leaving
//     incarnation 4 bytes, big endian, 0 while the node has none
//     cluster, region, zone, address, version of the build: 2 bytes length, text
//
// A member's name is its node id. Two processes under one id, or one that came back
// elsewhere before its old place was given up, are a conflict: the first one known
// stays, it is logged, and shown in [Member.Conflict]. A place that nobody answers at
// is given up [reclaimAfter] after it was found dead; at once when the node left.
//
// # States
//
// Failed and left are the library's word. Suspect is this package's, since the library
// does not tell: alive, and not heard from for longer than a round of probes takes.
//
// # Concurrency and failure
//
// All methods may be called from any goroutine. [Start] fails with [ErrListen] when
// the address cannot be had. Nothing here waits for another node but [Pool.Join], which
// [Pool.Close] breaks off, and Close itself, for a second or two. The library's messages
// go to the log at most as warnings, and a bounded number of them in a minute.
package gossip
