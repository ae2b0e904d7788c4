// Package usage keeps the usage records of one node: it makes them durable, and
// answers what was used.
//
// It is not a ledger: it decides nothing and refuses nothing. The money of an
// account is the ledger's word; the records here are the proof of it, one by one.
//
// # What is stored
//
// A [Journal] puts each finished request into one Pebble batch: its record under
// the request's id and attempt, its cache fill, and for each account it was
// charged to, the amount spent, which is added to the proof of that lease. All of
// them are on disk, or none is; so after a crash
//
//   - the proof of a lease is exactly the sum of the charges on disk (L5: what a
//     node that comes back can prove it did not spend is mark minus nothing else),
//   - no answer is in the cache whose cost is not recorded.
//
// # Group commit
//
// Requests add to an open group. One committer takes it, writes it as one batch,
// synced, and opens the next. A group is taken when its first record is Linger
// old, when it is full, or when somebody waits for it; it never holds more than
// MaxGroupBytes or MaxGroupEntries. While a full group waits for the disk,
// [Journal.Commit] blocks: requests slow down, no record is dropped.
//
// # Queries
//
// A record's place in time is that of its request id. Totals come from rollups where
// these tell what is asked, and from records elsewhere: at 4 to 8 µs each, 120,000 to
// 250,000 a second on one busy core (BenchmarkTotals). Rows of a [Report] always add up
// to its total: groups beyond a limit are added to one row of each interval, "other".
//
// # Rollups
//
// A [Roller] makes buckets of a minute, an hour and a day: a row for each combination of
// values, in blocks of columns (block.go has their form). A bucket with too many gives up
// rarer values of some fields; every sum stays, and a value that is named is whole.
// What holds at any moment of the store:
//
//   - of a minute that is rolled up, the bucket has all its records, or there is a mark
//     for it, written with the record that is missing;
//   - of an hour or day that is, the bucket is the sum of the buckets within, or there is
//     a mark for it or for one of these;
//   - of a day whose records were dropped, what records are there are in no bucket.
//
// So a query, which reads one moment, takes a bucket that has no mark in it, and else
// what is finer, down to records ([Reader.Part]); and the roller makes marked buckets
// again, and deletes the marks that it saw, in one batch. [Roller.Retain] drops what is
// old when nothing before it is marked.
//
// A [Shelf] has the records and rollups of one node: this one's, or copies of another's.
//
// # Concurrency
//
// All methods are safe for concurrent use, but those of [Roller] and [Copying], which
// belong to one goroutine. The one goroutine of the package is the committer;
// [Journal.Close] ends it and waits.
//
// # Failure contract
//
// A write that fails, fails the store, which ends the process; receipts of the
// records that were under way carry the error. A record that cannot be decoded
// ends a query with an error that names it: a total without it would be wrong.
//
// # Tests
//
// Real Pebble on a file system that crashes at random moments and loses what was
// not synced, saturation with every record counted, and naive sums as oracle: whatever
// was rolled up when, and came late, a report is that of the records.
package usage
