// Package live hands finished records to who watches them, as they end.
//
// It is not the journal: nothing is kept, and nobody who watches slows a request down. A
// [Hub] sees each finished record of its node and puts those that a watch selects into the
// watch's [Inbox]. An inbox is bounded in records and bytes; what finds no room is dropped
// and counted, and who reads the inbox is told how many there were.
//
// Records are carried as the bytes that [purser/internal/record] Append writes, from one
// node to another, too: [AppendBatch] and [DecodeBatch] are that form.
//
// # Concurrency
//
// All methods are safe for concurrent use, but an inbox has one reader. The package starts
// no goroutine. Hub.See returns at once where nobody watches, and else takes as long as the
// watches' selectors, of which there are at most MaxWatches.
package live
