// Package forecast says how spending will go on: of accounts by how fast they are spent,
// and of longer windows by what the hours of the week usually come to ([Project]).
//
// A tracker follows how fast accounts are spent, from what the ledger says of
// them now and then: what is left will last until when, and is one of them spent
// much faster than it was.
//
// It is an estimate for people, and for the breaker of a budget that asks for it.
// No request waits for it, and nothing is charged by it, so it may count in floating
// point. It reads no clock: the time of each look is given.
//
// A series is the accounts of one budget and split, window after window. Its rates
// are exponentially weighted averages, corrected for how short a time they know:
// [Recent] of about ten minutes for the forecast, a burst of about half a minute,
// and the usual rate of about an hour, of which a burst is compared with what it was
// ten to twenty minutes before.
//
// What holds: at most MaxSeries are followed; beyond that others have no estimate.
// Spending that a late report lowers, or a new window, is never negative. Where
// there is too little to go by there is no estimate, rather than zero.
package forecast
