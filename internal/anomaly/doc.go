// Package anomaly finds spending that is not as usual: of everything together, and of each
// value of the dimensions that are watched.
//
// It is an estimate for people: no request waits for it and nothing is charged by it, so
// it counts in floating point. It is pure: what it has seen and when is given to it.
//
// # What is usual
//
// Spending is counted in bins of ten seconds. What the last six come to is compared with
// whole minutes before them:
//
//   - recently: the median and the median absolute deviation (MAD) of up to two hours of
//     minutes (Rousseeuw, Croux: Alternatives to the Median Absolute Deviation, 1993;
//     1.4826 MAD estimates a standard deviation),
//   - at this hour of the week: the same, of the hours of the weeks before,
//   - and by chance: costs that arrive one by one, independently, at the usual rate vary
//     by the square root of the sum of their squares in a minute (a compound Poisson
//     process).
//
// The usual is the larger of the medians, the scale the largest of the three. A value that
// is not known long enough is compared with the minutes of all others of its dimension.
//
// # When something is flagged
//
// When the excess is beyond [Config.Score] scales and [Config.Material] an hour, in two
// bins in a row, and spread over three requests at least: a single dear one is no spike. So
// 20 seconds after it has come that far. Minutes that come half as far teach nothing for half
// an hour; what lasts longer is what is usual from then on. An anomaly that is mostly that of a
// narrower key names it: the alert is of the agent, not also of its team and of everything.
// [Telling] says what of it is told.
//
// # Clocks
//
// Bins are those of the clock of the node that judges. The others learn from its questions how
// far it is from theirs ([Offset]): what they count is not in bins that are over for it.
//
// # Limits
//
// At most [MaxSeries] keys are followed, a quarter of them of one dimension; those idle for two hours are forgotten, and others
// have no estimate. Spending that rises slowly is the forecast's matter.
package anomaly
