package redaction

// commonwealth are numbers of Australia and Canada.
func commonwealth() []*recognizer {
	return []*recognizer{
		{
			entity: "AU_TFN", rank: rankNational, numbers: pureDigits(9),
			words:    []string{"tfn", "tax file"},
			patterns: []pattern{named(`\b\d{3}[ -]?\d{3}[ -]?\d{3}\b`, tfn)},
		},
		{
			entity: "CA_SIN", rank: rankNational, numbers: pureDigits(9),
			words:    []string{"sin", "social insurance", "insurance number", "nas", "assurance sociale"},
			patterns: []pattern{named(`\b[1-79]\d{2}[ -]?\d{3}[ -]?\d{3}\b`, luhn)},
		},
	}
}

// tfn is modulus 11 with the weights of the Australian Taxation Office.
func tfn(v []byte) bool {
	var buf [16]byte
	d := digitsOf(buf[:0], v)
	return !sameDigits(d) && weights(d, 1, 4, 3, 7, 5, 8, 6, 9, 10)%11 == 0
}
