// Package semantic is the second tier of the response cache: it finds an answer to a
// question that was asked in other words.
//
// It is no store of answers, which the exact cache has, and it does not read requests:
// it is given a question, and the bytes of what it is asked in. Whether two questions
// ask the same is the affair of package decide.
//
// # Words
//
// A question is the last text of a conversation. Its scope ([Parts]) is everything else
// that the answer depends on; questions of different scopes never meet. An entry is a
// question that was answered. A label says whether an answer made anew agrees with that
// of the entry that would have been given.
//
// # The way of a question
//
// [Tier.Ask] finds, and [Tier.Learn] is told the answer: ask.go and learn.go are both on
// a page. Between them a [Visit] remembers what is to be compared.
//
// # Invariants
//
// No answer crosses a scope: entries are in a map and an index of their scope, within
// those of their tenant, and what is stored or shared is bound to scope and id. What the
// shared tier says is judged here. A verdict to serve has an entry that is valid, was
// not put away, was not rejected for this question, and has the question's normal form or
// a lower bound of being right that reaches the bar.
//
// # Where entries are
//
// In memory without their texts (tenancy.go), bounded in all, for a tenant and for a
// scope. In Pebble, whole and sealed (disk.go, entry.go). The texts of those compared
// last are held ready (texts.go). Open reads everything that is stored.
//
// # Failure contract
//
// No method fails a request. Trouble with the embedder, the shared tier or the store is
// a miss, and is counted. What waits to be learned is bounded, and lost at the end of
// the process.
//
// # Concurrency
//
// All methods are safe for concurrent use. Each tenancy has one lock; no two locks of
// this package are held at once but a tenancy's beside the index's own, and the controls' two. [Tier.Close]
// ends the goroutines, which are the learners and the sweeper.
//
// # Tests
//
// 100,000 pairs of tenants that look alike; paraphrases under full scoping with the
// fitted model; crashes, damage, embedders and shared tiers that fail, lie or are slow;
// stored bytes of each version.
package semantic
