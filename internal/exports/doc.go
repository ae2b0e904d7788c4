// Package exports writes usage as files for other programs: one file as somebody asks for
// it, and files of whole days, month by month, at a place that is kept up to date.
//
// # Vocabulary
//
// A [focus.Form] says what a file is. A [Place] is where files go: a directory, or a bucket of an
// S3-compatible store. A partition is the files of one calendar month, UTC, one for each
// day, below billing_period=2026-11/; its [Manifest] says what each has in it. A [Job] is
// an export that is kept up: [Job.Run] compares what a day came to with what its file has,
// and writes the file again if that differs.
//
// # What holds
//
//   - The place itself is the state: whoever runs a job next goes on from its manifests.
//     A run that was broken off leaves files and a manifest that do not agree about one
//     day, and the next run writes that day again.
//   - A file is whole or not there: directories get it by a rename after it was synced,
//     buckets by one PUT.
//   - A day is written again only if more is known of it than before, or if its file is
//     not there as it was written. Records that are gone, by retention or with a node that
//     does not answer, change nothing: a file that would lack some is not put there.
//   - A file that is replaced after its month was over is listed in the manifest, with
//     what it was before.
//
// It knows no cluster and no records' store: what happened on a day is asked through
// [Records]. A Place is used by one goroutine at a time.
package exports
