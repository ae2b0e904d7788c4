// Package native logs a person in on their own machine, and keeps what they get in a
// file for the commands that follow.
//
// A login is OAuth's for native apps (RFC 8252): the person's browser goes to the
// provider and comes back to a port of the loopback address that is open for this
// alone; state, nonce and PKCE tie the answer to the question. The file has mode
// 0600, and is not read if others may.
package native
