// Package redaction finds secrets and personal data in text and says what is to
// become of them. It is pure: text, specs and keys go in, findings and replacements
// come out. It knows neither JSON nor dialects (see body and events below it), and
// asks nobody (see presidio).
//
// Vocabulary: a recognizer finds one kind of value; its entity is the name of that
// kind, such as EMAIL, and for a secret SECRET with the rule that found it. A spec
// says which recognizers count for which requests, and what is done: an action. A
// [Set] is all specs of a node, compiled; a [Plan] is those that cover one request
// in one direction. [Values] are the values that one exchange has replaced by
// placeholders; they live as long as the exchange, and nowhere else.
//
// How text is searched. One pass over the bytes looks for all keywords of all rules
// at once (Aho-Corasick), one for digits. A recognizer with keywords runs only where
// one of its keywords is, and only as far around it as a match of it can reach, which
// is read off its expression; if that has no bound, it runs over the whole text. A
// recognizer of numbers runs on runs of words with digits in them whose shape fits.
// Expressions are Go's, and so linear in the text. Then come checksums, entropy,
// words nearby, and allow-lists.
//
// Streams. A stream may be given on up to the first place from which a match could
// still begin and go on: [Plan.Undecided] finds it by running all expressions at once
// as a lazy automaton over what is at hand.
//
// A Set and a Plan are immutable and safe for concurrent use; a [Scanner] and Values
// belong to one goroutine at a time. No error of this package quotes a text.
//
// Tested on labelled texts that another package generates, with checksums of its
// own; see docs/redaction.md for recall, precision and speed.
package redaction
