// Package peer is the calls between nodes: gRPC over the cluster's port. It
// carries commands as bytes and knows nothing of what they mean; what a node
// answers is behind [Service].
//
// A call from a node says which node it is from, proved by its certificate; only
// Join is open to callers without one. Connections are kept per node, and no
// more of them than there are nodes.
//
// [Server.Close] and [Clients.Close] wait for what they started.
package peer
