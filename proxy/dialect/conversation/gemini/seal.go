package gemini

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"strings"
)

// ours begins the seals that Google made.
const ours = "gemini:"

// noSignature is what Google documents for a call that no model of its own made:
// it is not looked for a signature.
const noSignature = "skip_thought_signature_validator"

// ownSignature gives the signature in a seal of Google's, and "" for any other.
func ownSignature(seal string) string {
	signature, own := strings.CutPrefix(seal, ours)
	if !own {
		return ""
	}
	return signature
}

// signatureOf is what a client of Gemini gets for a seal. Signatures are base64, so
// that of another dialect goes out whole within it.
func signatureOf(seal string) string {
	if own := ownSignature(seal); own != "" {
		return own
	}
	return base64.StdEncoding.EncodeToString([]byte(seal))
}

// sealOf is the inverse of signatureOf.
func sealOf(signature string) string {
	if signature == "" {
		return ""
	}
	if raw, ok := fromBase64(signature); ok && namesDialect(raw) {
		return string(raw)
	}
	return ours + signature
}

// namesDialect says whether bytes begin as a seal of another dialect does: with a
// name, a colon, and nothing but ASCII after it. Google's own are messages in
// binary.
func namesDialect(raw []byte) bool {
	name, _, ok := strings.Cut(string(raw), ":")
	if !ok || len(name) < 4 || len(name) > 32 {
		return false
	}
	for _, b := range []byte(name) {
		if (b < 'a' || b > 'z') && b != '_' && b != '-' {
			return false
		}
	}
	for _, b := range raw {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return true
}

// fromBase64 decodes either alphabet, padded or not, as Google does.
func fromBase64(s string) ([]byte, bool) {
	s = strings.TrimRight(s, "=")
	s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	raw, err := base64.RawStdEncoding.DecodeString(s)
	return raw, err == nil
}

// sealMark stands in an id of a call between what names it and its signature.
const sealMark = "-gemini-"

// Limits of the ids given out. A signature over maxSealed bytes does not travel:
// ids are repeated in every request that follows.
const (
	maxStem   = 64
	maxSealed = 32 << 10
)

// sealedID gives the id of a call with its signature in it:
//
//	call_r1_0-gemini-CpcBAdHtim...
//
// An id goes back with the history in every dialect, and of what other APIs allow
// in one ([a-zA-Z0-9_-], at Anthropic) base64 in its form for URLs uses no more.
// One of them limits how long it may be: OpenAI, which such an id reaches only
// when a conversation moves there from Gemini.
func sealedID(stem, signature string) string {
	raw, ok := fromBase64(signature)
	if signature == "" || !ok || len(raw) > maxSealed {
		return stem
	}
	return stem + sealMark + base64.RawURLEncoding.EncodeToString(raw)
}

// unsealedID is the inverse of sealedID.
func unsealedID(id string) (stem, signature string) {
	stem, sealed, ok := strings.Cut(id, sealMark)
	if !ok {
		return id, ""
	}
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return id, ""
	}
	return stem, base64.StdEncoding.EncodeToString(raw)
}

// stemOf gives an id for the call n of an answer: Google's own, else one from the
// answer's id, else one from what the call says.
func stemOf(given, answer, name string, n int, arguments []byte) string {
	if stem := clean(given); stem != "" && strings.Index(stem+sealMark, sealMark) == len(stem) {
		return stem
	}
	of := strings.ReplaceAll(clean(answer), "-", "_")
	if of == "" {
		h := fnv.New64a()
		_, _ = h.Write([]byte(name + "\x00")) // it never fails
		_, _ = h.Write(arguments)
		of = fmt.Sprintf("%016x", h.Sum64())
	}
	return fmt.Sprintf("call_%s_%d", of, n)
}

// clean leaves of an id what every dialect allows, and at most maxStem bytes.
func clean(id string) string {
	b := []byte(id[:min(len(id), maxStem)])
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			b[i] = '_'
		}
	}
	return string(b)
}
