// Package recorder gathers what the audit trail is to have and no command of the log
// makes: denials of policies, and what happens outside of the replicated state.
//
// It does not append: a seam carries its batches to the trail, one at a time and each
// under a number of its own, so that a batch whose outcome is not known is repeated and
// counted once.
//
// # What holds
//
//   - [Recorder.Deny] never waits. Equal denials are one event with a count: the same
//     policy, rule, code and key, from the same network (an IPv4 /24, an IPv6 /64). What
//     comes in more than [MaxGroups] kinds until the next batch is counted in an event
//     of its own, so that no denial is lost from the counts as long as the process lives.
//   - There is at most one batch a second, unless someone waits for a note.
//   - What a batch could not take over stays until one can: also over minutes without
//     a leader. Everything that waits is bounded.
//
// # Concurrency
//
// Everything may be called from any goroutine; [Recorder.Run] by one.
//
// # Tests
//
// In a bubble of package synctest: floods, lost answers, repeated batches, ends.
package recorder
