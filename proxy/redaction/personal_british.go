package redaction

import "bytes"

// british are numbers that the United Kingdom gives.
func british() []*recognizer {
	return []*recognizer{
		{
			entity: "UK_NHS", rank: rankNational, numbers: pureDigits(10),
			words:    []string{"nhs", "national health", "health service", "patient"},
			patterns: []pattern{named(`\b\d{3}[ -]?\d{3}[ -]?\d{4}\b`, nhs)},
		},
		{
			entity: "UK_NINO", rank: rankNational, numbers: func(r *region) bool { return r.hasMixed(8, 9) || r.pure >= 6 && r.hasPlain(2, 2) },
			patterns: []pattern{exact(`(?i)\b([ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D])\b`, nino)},
		},
	}
}

// nhs is modulus 11 with weights from 10 to 2.
func nhs(v []byte) bool {
	var buf [16]byte
	d := digitsOf(buf[:0], v)
	return !sameDigits(d) && weights(d, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)%11 == 0
}

// nino refuses prefixes that are not allocated (HMRC, NIM39110), and what is written
// in both cases.
func nino(v []byte) bool {
	if bytes.ContainsAny(v, "abcdefghijklmnopqrstuvwxyz") && bytes.ContainsAny(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		return false
	}
	switch string(bytes.ToUpper(v[:2])) {
	case "BG", "GB", "KN", "NK", "NT", "TN", "ZZ":
		return false
	}
	return true
}
