// Package sim runs the real ledger and the real purse of several nodes in one
// goroutine, with everything around them simulated: the replicated log and its
// leaders, the network, the disks, the clocks, and a provider that writes its
// own bill. One seed decides a whole history, so any history can be repeated.
//
// # What may happen
//
//   - An Exchange or Register is lost, its answer is lost, or a copy of it
//     reaches the ledger at any later time.
//   - The leader changes. Entries that had not been committed are committed by
//     the next leader or are gone for good; who proposed them is told neither.
//   - A leader's clock is off by up to an hour, in either direction; a node's
//     clock jumps likewise.
//   - A node crashes, with or without the save and the message that were on
//     their way, and with any part of its usage records; its calls may or may
//     not have reached the provider. Its disk may come back as an older image.
//   - A node pauses, with calls between their hold and the provider, for longer
//     than a window and than its authority lasts.
//   - Budgets change, go and come back; an operator fences a dead node.
//
// # What is checked, after each event
//
// Conservation in the ledger; the provider's bill against the cap, per account;
// each lease against the holds of the node, the disk, and the grant; each
// refusal against what was left. At the end of a history everything is healed
// and drained: nothing may be out, the bill must be accounted for, and a second
// replica that decodes the log, from its beginning or from a snapshot, must have
// the same digest.
package sim
