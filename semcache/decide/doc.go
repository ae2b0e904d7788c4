// Package decide says whether the stored answer to one prompt answers another. It is
// pure: no clock, no files, no network, no goroutines. A decision is a function of
// two texts, the numbers that were fitted, and what exploration learned.
//
// It is not a cache: it knows no tenants, scopes or times, and finds nothing. Who may
// share an answer at all is settled before it is asked.
//
// # The steps
//
// [Normalize] makes a prompt's normal form: two prompts of one normal form ask the
// same. [Prepare] computes what the rest needs of a prompt, once. [Examine] runs the
// guards: each knows one way in which prompts that look alike need different answers,
// and vetoes, doubts or abstains; its reason quotes nothing. [Model.Judge] weighs what
// they leave and gives a probability with a lower bound. [Controller] keeps the
// measured error of a route below what is allowed, [History] is what was learned of
// one entry, and [Agree] is the judge of both.
//
// # Undecided means no
//
// A veto is final. Languages other than English, texts of more words than are compared,
// texts without a word that the table knows, and tables without fitted parameters
// are answered by equal normal forms alone.
//
// # Determinism
//
// Sums are made in a fixed order, and products are rounded before they are added, so
// that every machine comes to the same decision.
//
// # Concurrency
//
// [Text], [View] and [Model] are immutable and may be shared. [Controller] and
// [History] are values.
//
// # Tests
//
// Pairs from templates for every guard, in both directions; properties of the normal
// form and of symmetry; fuzzed texts and stored forms; simulated streams for the
// controller.
package decide
