package redaction

// asian are numbers of India, Korea and Singapore.
func asian() []*recognizer {
	return []*recognizer{
		{
			entity: "IN_AADHAAR", rank: rankNational, numbers: pureDigits(12),
			words:    []string{"aadhaar", "aadhar", "adhaar", "uid", "uidai"},
			patterns: []pattern{named(`\b[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}\b`, aadhaar)},
		},
		{
			entity: "IN_PAN", rank: rankNational, numbers: mixedWord(10, 10),
			patterns: []pattern{exact(`\b[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]\b`, nil)},
		},
		{
			entity: "KR_RRN", rank: rankNational,
			numbers:  func(r *region) bool { return r.dashes >= 1 && r.hasPlain(6, 6) && r.hasPlain(7, 7) },
			loose:    func(r *region) bool { return r.hasPlain(13, 13) },
			words:    []string{"rrn", "resident registration", "resident number", "주민등록번호", "주민번호"},
			patterns: []pattern{exact(`\b\d{6}-[1-8]\d{6}\b`, born), named(`\b(\d{6}[1-8]\d{6})\b`, rrn)},
		},
		{
			entity: "SG_FIN", rank: rankNational, numbers: mixedWord(9, 9),
			patterns: []pattern{exact(`(?i)\b[STFGM]\d{7}[A-Z]\b`, fin)},
		},
	}
}

// aadhaar is Verhoeff's check digit; palindromes are not given (UIDAI).
func aadhaar(v []byte) bool {
	var buf [16]byte
	d := digitsOf(buf[:0], v)
	for i := range 6 {
		if d[i] != d[11-i] {
			return verhoeff(v)
		}
	}
	return false
}

// born says whether a resident's number begins with a day of birth. Those given since
// October 2020 have no check digit.
func born(v []byte) bool {
	var buf [16]byte
	d := digitsOf(buf[:0], v)
	return day(weights(d[2:], 10, 1), weights(d[4:], 10, 1))
}

func rrn(v []byte) bool {
	var buf [16]byte
	d := digitsOf(buf[:0], v)
	return born(v) && (11-weights(d, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)%11)%10 == int(d[12])
}

// fin checks the letter of an NRIC or FIN: weights, an offset by series, and a table.
func fin(v []byte) bool {
	var buf, digits [16]byte
	w := wordOf(buf[:0], v)
	sum := weights(digitsOf(digits[:0], w), 2, 7, 6, 5, 4, 3, 2)
	letters := "XWUTRQPNMLK"
	switch w[0] {
	case 'S':
		letters = "JZIHGFEDCBA"
	case 'T':
		letters, sum = "JZIHGFEDCBA", sum+4
	case 'G':
		sum += 4
	case 'M':
		letters, sum = "KLJNPQRTUWX", sum+3
		return letters[10-sum%11] == w[8]
	}
	return letters[sum%11] == w[8]
}
