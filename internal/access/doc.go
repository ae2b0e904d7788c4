// Package access decides who may administer what: roles, their permissions, and
// whose part of the cluster they reach. It is pure: it is given who asks and the
// time, and answers with a [Decision] that says why.
//
// It is not an authenticator of people (package login is) and not the policies of
// requests: a virtual key has no role here.
//
// # Vocabulary
//
//   - [Permission]: one kind of thing that can be done, such as keys:write.
//   - [Role]: a fixed set of permissions; the matrix is in role.go and, for
//     people, in docs/access.md, and a test compares both.
//   - [Reach]: whose keys, budgets and usage: everyone's, or those of some teams,
//     organisations or members.
//   - [Subject]: who asks, by a token or as a person: grants, each a role with a
//     reach, narrowed by scopes.
//   - [Resource]: whose a thing is. A thing that belongs to nobody in particular
//     is only for those who reach everything.
//
// # What holds
//
//   - R1 Undecided means no: a role, a permission or a resource that is not known
//     is refused, and so is a subject without grants.
//   - R2 Nobody makes a token that may do what its maker may not: [Delegates].
//   - R3 Nothing leaves or enters a reach: a change is made only if the thing is
//     covered as it was and as it will be.
//
// # Concurrency
//
// Values are not written after they are made; everything may be used at once.
package access
