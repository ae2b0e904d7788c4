// Package focus says what usage cost in the words of other tools: rows of the FinOps
// Open Cost and Usage Specification (FOCUS 1.2, 1.3 and 1.4), of CloudZero's Common
// Bill Format and of Vantage's custom providers, and one flat row for each usage
// record. Records go in, rows come out: it has no clock, no files and no network.
//
// # Vocabulary
//
// A [Charge] is a row: one meter of one set of dimensions in one hour or day, or what
// a correction says. A [Mapper] turns records into charges and adds equal ones up. A
// [Table] is the columns of one format and how a row fills them; a [Cell] is one value.
// [CSV] writes tables as text, package columnar as Parquet. A [Checker] holds rows
// against the rules of the specification that our columns touch.
//
// # Money
//
// Amounts stay whole numbers: nano-dollars where something was charged, atto-dollars
// (10^-18) where a price is multiplied by a quantity. What a record was charged is
// split over its meters by their exact prices and the largest remainders, so that
//
//   - BilledCost and EffectiveCost of all rows of a record are its cost, and those
//     of a file the cost of its records, to the nano-dollar;
//   - ListCost and ContractedCost are the exact products of unit price and quantity;
//   - a row says a unit price only if the catalogue's prices make the record's own
//     amounts again. What has none is one charge, at the price of its amount.
//
// Rows come in the order of time, then of their keys. A table that has grown to its
// limit is handed out early; then two rows of a file may have one key, and sums hold.
//
// Sources: FOCUS 1.2 to 1.4 (https://focus.finops.org, CC-BY-4.0) and its requirements
// model 1.2.0.1; CBF (docs.cloudzero.com, "AnyCost Common Bill Format"); Vantage
// (docs.vantage.sh, "Custom Providers").
//
// Everything is safe for concurrent use but [Mapper], [CSV] and [Checker], which have
// one owner. Nothing here fails but reading what others wrote.
//
// Tests: sums against the records they are made of (rapid), every rule of the checker
// against a mutation that breaks it, golden rows.
package focus
