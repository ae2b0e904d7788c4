// Package reconcile compares a provider's cost report with what the usage records say,
// day by day (UTC), and where the report tells them apart, by model and by key.
//
// It is pure: a report is read from its bytes ([ReadOpenAI], [ReadAnthropic], [ReadCSV]),
// what was recorded is given to it, and a [Comparison] follows from both alone. Amounts
// are nano-dollars and exact; a report's fractions below one are rounded, half up. What
// cannot be read is an error that names its place; what can be read and not compared, such
// as another currency, is left out and listed.
//
// Causes of a difference are likely ones: each says what in the records or the report
// speaks for it, and how much of the difference it can be at the most. None is proved.
package reconcile
