// Package alerting sends alerts to webhooks: the node that leads does, and no other.
//
// It decides nothing about what is told and when it is tried again: that is package
// alert. It knows neither Raft nor requests: it meets them as [Seams].
//
// # What holds
//
//   - A delivery is sent by a node that a quorum has just confirmed as leader, which
//     holds everything that earlier leaders noted. A node that loses leadership
//     breaks off what it is sending.
//   - An event is forgotten only when each receiver took it, or was given up: a
//     leader that dies between an answer and its note leaves the event open, and the
//     next one sends it again under the same id.
//   - Receivers do not wait for each other: each has a queue with one attempt in
//     flight. Nothing that a request waits for is held up by any of this.
//   - Addresses are looked at when they are dialled, after the name was resolved.
//     Redirects are not followed. Answers are bounded in size and time.
//   - No address, secret or answer of a receiver is logged or noted.
//
// # Concurrency
//
// A [Dispatcher] is one goroutine, [Dispatcher.Run], that owns the queues; an
// attempt is a goroutine, at most one for each webhook, and the notes are proposed
// by another; Run waits for all.
package alerting
