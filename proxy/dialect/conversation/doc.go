// Package conversation is what a call and its answer mean, apart from how any
// dialect writes them: turns made of parts, tools, a form for the answer, and why
// it ended. A call whose upstream speaks another dialect than its client is read
// into a [Request] and written for the upstream; the answer comes back as an
// [Answer], or as [Event]s where it is streamed.
//
// It is not the canonical call of package dialect, which says what a call may
// cost: a translated body is decoded again, in the upstream's dialect, and that
// decoding is what is held and metered. So a mistake made here can change an
// answer, and never what is charged for it.
//
// The rules of translation:
//
//   - Refused, not dropped. A field that bears on the answer and has no counterpart
//     is refused by its name in the client's body. Who reads refuses what no
//     dialect but its own has, who writes refuses what its dialect lacks. Places
//     ("messages[2].content[0]") travel with the parts for that.
//   - Hints may be left out, and are listed. What bears on speed, cost or
//     bookkeeping alone (cache hints, metadata) is left out where there is no
//     counterpart, and named in [Request.Left], which the client is told.
//   - There and back. A request written in a dialect and read again is the same
//     request, as far as that dialect has the words.
//
// Nothing here does I/O or keeps time. Values belong to one request.
package conversation
