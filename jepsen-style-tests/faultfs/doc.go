// Package faultfs is a file system below the data directory of a node, whose
// faults a test chooses: full, slow, stalled, failing; at a power cut it loses
// what was not synced; its bits flip; it goes back to an older image.
//
// It is a FUSE file system, served by the process that mounts it, over a
// directory of real files that mirrors it. Stores run on it unchanged: the kernel
// caches pages, so that mmap works, and writes them through, so that each write(2)
// reaches this package before it returns. Locks are the kernel's own.
//
// # What a power cut takes
//
// The model is ext4 and XFS with their default options, at their worst.
//
//   - Data is lost by pages of 4096 bytes, each for itself, as the kernel writes
//     them back in any order; of a page that survives, sectors of 512 bytes may be
//     missing at its end. Bytes that appear because a later page survived are zero.
//   - A size goes with the pages that survive. A truncation is kept with its inode or
//     lost, and if it is lost, so is all that was written after it.
//   - Creations, links, renames and removals are lost from the end: what survives is
//     a prefix of their order in the whole file system, because both journals are
//     ordered. Data is not ordered with them: a file that was renamed and never synced
//     may be empty under its new name (XFS; ext4 mostly prevents it).
//   - fsync of a file or directory makes durable every such operation before the last
//     change of what is synced, thus the creation of a new file by its own fsync.
//     fdatasync counts only a change of the size, and the creation: a rename is not
//     made durable by the fdatasync of a file that is then overwritten in place.
//     Both file systems commit more than that most of the time, and need not.
//   - What an fsync failed to write is clean to the kernel and never written again:
//     a later fsync that succeeds does not bring it back, a later write does.
//
// Modes, owners and times are taken as durable at once. Nothing becomes durable by
// time alone: the kernel's flushing after some seconds is what the chance that
// [FS.Crash] is given stands for.
//
// LazyFS (Ramos and others, VLDB 2024, https://github.com/dsrhaslab/lazyfs) loses unsynced
// writes by a cache of its own in front of the files; CharybdeFS
// (https://github.com/scylladb/charybdefs) makes system calls fail. This package shares the ideas,
// and keeps the opposite of a cache: the files are always current, and a journal
// in memory says how to undo what is not durable.
//
// # Concurrency
//
// All methods of [FS] may be called by any number of goroutines. Operations hold
// FS.gate shared; [FS.Crash], images and flips hold it alone. Below it, FS.mu guards
// the tree, and inode.data the pages of one file; neither is taken under the other,
// save FS.mu before inode.data. No operation waits for a fault while it holds one of them.
//
// The process that mounts must not map a file of the mount into its own memory:
// a page fault would wait for a goroutine of the same process, which the collector
// may have stopped. Stores with mmap belong in another process.
package faultfs
