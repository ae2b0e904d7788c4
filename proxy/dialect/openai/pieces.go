package openai

import "purser/proxy/dialect/pieces"

// appendWrapped appends members whose values are insides, each after a comma.
func appendWrapped(dst []byte, list []pieces.Pair, open, end byte) []byte {
	for _, p := range list {
		dst = append(append(append(dst, `,"`...), p.Key...), '"', ':', open)
		dst = append(append(dst, p.Value...), end)
	}
	return dst
}

// appendObject appends an object of members that body appends each after a comma.
func appendObject(dst []byte, body func([]byte) []byte) []byte {
	at := len(dst)
	dst = body(append(dst, '{'))
	if len(dst) > at+1 { // take the first comma away
		copy(dst[at+1:], dst[at+2:])
		dst = dst[:len(dst)-1]
	}
	return append(dst, '}')
}
