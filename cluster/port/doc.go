// Package port is the one TCP port of a cluster node. Connections are TLS 1.3
// with certificates at both ends (package pki); what a connection is for is
// agreed in its handshake (ALPN): Raft's messages, or gRPC.
//
// # What holds
//
//   - K3: a connection of the Raft lane is between two nodes that have proved who
//     they are, and the one dialled is the one that was meant. In the gRPC lane a
//     caller may come without a certificate, to join; [Peer] then says so, and the
//     service decides. That holds wherever the node was found: at its address, or
//     where [Credentials.Elsewhere] says.
//   - A node that the cluster has removed is refused, whatever its certificate.
//   - Renewed credentials are used from the next handshake on; connections that
//     are open go on.
//
// # Concurrency
//
// [Port.Run] owns the accepting goroutine and one goroutine for each handshake,
// of which there are a bounded number at a time; [Port.Close] waits for them.
package port
