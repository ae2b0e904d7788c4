// Package pki makes and checks the certificates by which the nodes of a cluster
// know each other, and the tokens by which a new node is let in.
//
// A cluster has one authority. Its certificate names the cluster; a node's
// certificate names the cluster and the node, in a URI as SPIFFE has it
// (purser://cluster/node/id), and serves both ends of a connection. Host names
// and addresses are in none of them: nodes move.
//
// Every member keeps the authority's key, as it keeps the whole ledger: there
// is no machine whose loss would end the cluster, and a node renews its own
// certificate without asking. Who takes over one member can therefore make
// itself another one; see docs/adr/0016-one-port-and-its-certificates.md.
//
// # What holds
//
//   - K1: a certificate is of the node it names, in the cluster it names, or it is
//     refused: another authority's, another cluster's, one that is over.
//   - K2: a token lets one node in, once, until it expires. It carries the
//     authority's fingerprint, so that the new node knows whom it talks to before
//     it says anything.
//
// A gateway (a node that is no member) makes its own key, and a member signs its
// certificate; it keeps the authority's certificate and never its key. Its name
// (purser://cluster/gateway/id) says what it is: nobody speaks Raft with it, and no
// new node shows it a token's secret.
//
// The key of gossip (cluster/gossip) is derived from the authority's.
//
// Keys are ECDSA P-256. Nothing here keeps state or starts a goroutine; all
// values may be shared.
package pki
