// Package waste says of every dollar whether it was justified. docs/efficiency.md describes
// the method for those who read its results.
//
// # Words
//
// A dollar is wasted where there is evidence that it need not have been spent, and justified
// otherwise. Of the justified, those are confirmed of which a success, a quality or a value
// was reported; fruitless those whose answers were reported to have failed, which are the
// price of the others; the rest is unjudged: nothing is known against it, and nothing for it.
// A [Class] is a kind of waste with its evidence and the [Lever] that would recover it. A
// part is what one class takes of the cost of one record.
//
// # How it goes
//
// Records are read twice, in the order of their times. A [Survey] learns what can only be
// known of many: how answers of a task turn out by model, how long the prompts of peers
// are, which runs have outcomes, what was asked again later. A [Judge] then decides of each
// record with what the survey says and with what it remembers of the last hour. A [Tally]
// adds up.
//
// # What holds
//
//   - The parts of a record and its justified rest add up to its cost, to the nano-dollar;
//     no part is negative. So the classes and the justified add up to the total.
//   - Each class takes from what the classes before it have left, in the order in which they
//     are declared. Those that take a part take it off the call's usage, one after the other,
//     as levers are booked.
//   - Without evidence a dollar is justified. Forgetting, where memory is full, makes less
//     of it waste, never more.
//   - Memory is bounded by [Limits], whatever the records are.
//   - Results depend on the records, their order, the evidence, the prices and the options
//     alone.
//
// Neither type is safe for concurrent use.
package waste
