// Package gist says in 128 bits what a request asks and what stands before it, so that
// requests can be recognised as alike later, without their texts.
//
// # Asked
//
// A SimHash (M. Charikar, Similarity estimation techniques from rounding algorithms, STOC
// 2002) of the words of what is asked, and of each two of them in a row. Words are compared
// without case and punctuation, and those that are only polite have no part. What must agree
// for two questions to be the same one is taken in as a mask over all bits: the tenant, what
// was said before, numbers, names (words that begin with a capital within a sentence), quoted
// and other codes, negations. Texts that differ in one of these differ in about half of the
// bits; others in as many as their words make them. [Near] draws the line. Of a text of
// more than [maxWords] words, all words have to agree: long texts of one form, with a line
// of their own in it, are no repetitions of each other.
//
// # Prefix
//
// A hash of the tools and instructions, byte for byte, and of the tenant; its last 12 bits
// are their size, which [PrefixBytes] gives to within 0.8 %.
//
// # Privacy
//
// The tenant is part of both, so that hashes of two tenants say nothing of each other. They
// are not secret, nor is the tenant's name: whoever can read usage records can try guesses,
// and would find out a short question that way, as they would with any hash that is the same
// on every node. Hashes are as confidential as the records they are in.
//
// Pure: no I/O and no clock. Nothing fails: of a body that cannot be read, both are 0.
package gist
