// Package price knows what calls cost: the catalogue of rates, and exact
// arithmetic over them. It is pure: no clock, no network, no file. Instants
// are arguments, and the catalogue is compiled in.
//
// It does not read usage out of answers (package dialect does), it does not
// count tokens, and it does not decide whether a call may run.
//
// # Vocabulary
//
// A [Meter] is one thing a provider counts. A [Usage] is how many of each one
// call consumed; meters are disjoint. A [Rate] is what one model costs in one
// span of time: for every [Tier] a list of bands, each the prices of calls
// whose whole input reaches a threshold. A [Catalogue] finds the rate of a
// (provider, model, instant). Its rates are list prices; a [Discount] is what an
// operator's contract takes off them, and a rate with discounts taken off is
// contracted: its costs and its bounds are what the call is charged,
// and [Rate.List] is what it would cost without.
//
// Prices are whole pico-dollars for one token or one call. They are parsed
// from decimals exactly, multiplied and summed in 128 bits, and rounded up to
// nano-dollars once, at the end. A contracted price need not be whole: it is kept
// over the least denominator that makes every one whole, and summed as exactly.
// No float64 takes part.
//
// # What a missing price means
//
// The rule is that an answer is never costed below what is known:
//
//   - a missing cache read or write costs as input; a longer-lived cache write
//     costs at least what a shorter-lived one does;
//   - missing reasoning, audio or image output costs as output, missing audio
//     or image input as input, missing output as input;
//   - a long-context band, or a tier, that leaves out a token meter takes these
//     steps within itself: it does not reach for the cheaper price beside it;
//     tool calls and requests are taken from the standard tier's first band;
//   - a tier that stops short of a long-context threshold costs beyond it the
//     dearer of its own price and the standard tier's;
//   - a missing tier costs as standard (see [Rate.Lists]);
//   - a missing tool call is free, and [Rate.Prices] says that it is missing.
//
// # Invariants
//
//   - P1 Exact: [Rate.Cost] is the ceiling, in nano-dollars, of the exact sum.
//   - P2 Bound: for every usage within an [Extent], Cost is at most Bound, at
//     every tier, and whichever hour of the day it is billed in.
//   - P3 Monotone: more of any token or call never costs less, but for crossing
//     a threshold into a band that the catalogue itself makes cheaper.
//   - P4 Reproducible: equal rows have equal [Catalogue.Hash], and a rate's ID
//     and that hash name its prices for good.
//
// # Concurrency and failure
//
// Everything is safe for concurrent use. Find and Cost do not block or
// allocate (the first question about a name may). A malformed catalogue is an
// error of [Parse] or [Catalogue.With]; after that nothing fails: amounts stop
// at [ledger.MaxAmount] and negative counts are none.
//
// Tests: costs computed by hand, properties with a big-integer twin as the
// oracle, thresholds and dates at their edges, fuzzing of the loader.
package price
