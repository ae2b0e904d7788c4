// Package childkey makes and reads child keys: keys that the holder of a virtual
// key makes for somebody else, without asking anybody, with at most the holder's
// own rights. A node verifies them from its copy of the directory alone.
//
// It is not an authority: a token that verifies was made by whoever holds the
// parent's secret, and says by what it limits it. What the parent itself may do,
// and whether it may have children, is the directory's word.
//
// # Form
//
//	pk_c_<root>.<block>.<signature>[.<block>.<signature>]... .<proof>
//
// All parts are base64url without padding. The root is the Ed25519 public key of
// the parent's secret: the key pair whose seed is
//
//	HKDF-SHA256(secret, no salt, "purser child key v1", 32 bytes)
//
// A block is a JSON object, see [Caveats], with "next": the public key of the child.
// Its signature is by the pair before, of the text of the token from its first
// character to the end of the block. The proof shows that the token is whole: it is
// the seed of the last public key, with which the holder can make children in turn,
// or, of a token that is sealed, the signature by that key of the text before the
// proof and "sealed".
//
// There are at most [MaxGenerations] blocks and [MaxToken] bytes.
//
// # What holds
//
//   - A block can be added by who has the seed, and by nobody taken away or changed.
//   - Blocks only limit: what is allowed is what the parent and each block allow.
//   - What is not understood is refused: an unknown field, a version, an empty list.
//   - A child's ID depends on what was signed and not on the signatures.
//
// # Tests
//
// Tokens of random chains are changed at every place, cut and spliced; the readers
// are fuzzed; a token made by hand in the text is read and written in another language
// by the tests of the binary (e2e).
package childkey
