// Package alert decides what operators are told: which conditions hold in a view
// of the ledger and the directory, which of them are new, which webhooks a new one
// goes to, when a delivery is tried again, and what is sent.
//
// It sends nothing and keeps no time: instants are arguments. Package alerting
// sends, package directory remembers.
//
// # Words
//
//   - A condition is something that can be so: a budget passed a level, a node does
//     not answer. It has a key, and a rank that says how far it went; rank 0 says
//     that it is not so. Conditions are looked at again and again.
//   - An event is told of a condition that reached a rank for the first time, or is
//     over. Which ranks were told is replicated ([directory.AlertMark]), so that
//     all nodes together tell of it once.
//   - A delivery is one event at one webhook.
//
// # What holds
//
//   - A budget's level is told once for each account, window and limit. A level
//     that is passed together with a higher one is not told apart.
//   - An event has the same id at every attempt and from every node. Receivers get
//     it at least once, and drop what they have seen.
//   - What is not known is not said: a condition about which a look tells nothing is
//     left out, and neither begins nor ends.
//   - No event carries a secret or what was asked of a model.
//
// # Tests
//
// Levels against a slow count in big integers; windows that follow each other;
// signatures against published values, forged and replayed ones; schedules under
// random answers; what goes to whom as tables.
package alert
