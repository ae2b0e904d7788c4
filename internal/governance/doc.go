// Package governance reads what the directory's objects say: orgs, teams,
// projects, members, agents, routes and the rest of [Kinds]. The directory keeps
// their specs as bytes and does not read them, so that every build applies the log
// alike; here a spec is decoded strictly, checked before it is proposed, and
// compiled into what requests go by.
//
// # Shape
//
// A [Kind] is one kind of object with its names and the Go type of its spec. A
// spec's JSON is canonical: [Encode] writes the same spec in the same bytes. The
// [Snapshot] is everything compiled: immutable, made anew when an object changed,
// and swapped whole.
//
// # What holds
//
//   - What [Decode] accepts, Encode writes and Decode reads again, alike.
//   - A spec that this build cannot read is an error of [Compile], and no snapshot:
//     a rule that is not understood is not a rule that is not there.
//   - The hierarchy only fills dimensions that nobody set, and contradictions are
//     errors: a request cannot be of a project and of another team than the project's.
package governance
