// Package canonical writes JSON documents in a form for hashing: the same for any
// order of keys, white space, and spelling of strings and numbers. Numbers are
// compared by their exact decimal value, not as floating point.
//
// Its limits are those of package jsonscan. It keeps nothing of what it reads,
// and its functions may be called concurrently. The dialects that use it test it
// against encoding/json.
package canonical
