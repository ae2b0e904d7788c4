// Package directory is the replicated state beside the ledger: who may call, and
// which nodes belong to the cluster, what is to be told to webhooks, and objects:
// orgs, teams, policies and what else rules requests. What an object says is read
// by package governance.
//
// It is not an authenticator and holds no secret: a key is known by the SHA-256
// of its secret, and nothing here can be turned back into one.
//
// # Shape
//
// [State] is a state machine without I/O: [State.Apply] is its only mutator and
// is given time as data. Keys are kept in two persistent tries, one by the
// digest of their ID and one by the hash of their secret; a third finds them by
// what proves their children. A trie is never
// changed in place: a writer copies the path from the root, so that
// [State.Clone] copies a handful of words whatever the size.
//
// # What holds
//
//   - L8 Determinism: the same commands give the same [State.Digest]. Nothing
//     here reads a clock, a map or a random source; iteration follows the tries,
//     whose order depends on their content alone.
//   - L9 Bounded: there are at most [MaxKeys] keys and every field of one has a
//     limit; a command beyond it is refused with an outcome.
//   - L10 Total: Apply never panics on a command that was decoded.
//   - A secret belongs to one key for as long as that key has it. It changes by
//     rotation, after which the one before counts until an instant that is given.
//   - Of a secret's children only what proves them is kept, a public key: whoever
//     reads the state can make none.
//   - A revoked key stays revoked. It may be forgotten, never revived.
//   - K2 A token lets one node in: the first that shows it before it expires.
//   - A node's ID is its own for good: another data directory cannot take it over,
//     and a node that was removed does not come back. Nor does a member become a
//     gateway, or a gateway a member.
//   - A [Key] that was handed out is never written again.
//   - A condition becomes an alert once for each rank it reaches, until it is over
//     or its time is ([AlertMark]); a delivery that is final stays so.
//
// # Concurrency
//
// A State belongs to one goroutine. Its clones, and the keys read from either,
// may be read by any number of goroutines while the original is changed.
//
// # Stored form
//
// Commands and snapshot records begin with a version byte and a kind byte;
// integers are varints, strings carry their length, hashes are raw. The bytes
// of every version are kept in testdata and still decode.
//
// # Tests
//
// A naive twin made of two maps takes the same random commands; scripts of the
// life of a key; golden bytes; fuzzing of the decoders.
package directory
