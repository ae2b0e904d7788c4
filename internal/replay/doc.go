// Package replay says what traffic would have cost, been refused and saved under other
// settings. The traffic is usage records, or a trace of sizes and times.
//
// It is pure: a report follows from the requests, the scenario and the catalogue. It
// sends nothing and changes nothing.
//
// # What is exact, and what is estimated
//
// Costs of calls that were made are computed again from their usage, exactly. What
// other settings would have changed beside the price is not known, and counted in
// Estimated: a model in another's place is charged for as many tokens; a request that
// was answered from a cache, or refused, has the usage of an earlier one with its
// fingerprint, else the mean of the calls of its model.
//
// Caps are replayed with what requests cost, one after the other. A node holds the
// largest cost a request may have, and requests overlap, so that it refuses somewhat
// earlier.
package replay
