// Package jsontree reads a JSON document as a tree, field by field, and writes
// one. It is for the bodies that are translated from one dialect into another,
// where every field has to be understood or refused: a [Node] remembers which of
// its members were asked for, and [Node.Rest] refuses the others by name.
//
// The first problem stays in the [Reader]; after it every node reads as absent,
// so that a reader of a body is straight-line code that looks at Err once, at its
// end. It is not for the path of calls that pass unchanged: it allocates.
//
// Parse is total: it takes any bytes, is bounded in depth by package jsonscan and
// in values by [MaxValues], and refuses an object that has a key twice.
package jsontree
