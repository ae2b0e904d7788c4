package redaction

// european are numbers of Germany, Spain, Italy and Poland.
func european() []*recognizer {
	return []*recognizer{
		{
			entity: "ES_NIF", rank: rankNational, numbers: func(r *region) bool { return r.hasMixed(8, 9) || r.hasPlain(7, 8) },
			patterns: []pattern{exact(`(?i)\b\d{7,8}[ -]?[A-HJ-NP-TV-Z]\b`, nif)},
		},
		{
			entity: "ES_NIE", rank: rankNational, numbers: func(r *region) bool { return r.hasMixed(8, 9) || r.hasPlain(7, 7) },
			patterns: []pattern{exact(`(?i)\b[XYZ][ -]?\d{7}[ -]?[A-HJ-NP-TV-Z]\b`, nie)},
		},
		{
			entity: "IT_FISCAL_CODE", rank: rankNational, numbers: mixedWord(16, 16),
			patterns: []pattern{exact(`(?i)\b[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]\b`, fiscalCode)},
		},
		{
			entity: "DE_TAX_ID", rank: rankNational, numbers: pureDigits(11),
			words:    []string{"steuer-id", "steuer id", "steuerid", "steueridentifikationsnummer", "identifikationsnummer", "idnr", "steuernummer", "tin", "tax id", "tax identification", "german tax"},
			patterns: []pattern{named(`\b[1-9]\d ?\d{3} ?\d{3} ?\d{3}\b`, germanTax)},
		},
		{
			entity: "DE_ID_CARD", rank: rankNamed, numbers: func(r *region) bool { return r.hasMixed(9, 10) },
			words:    []string{"personalausweis", "ausweis", "ausweisnummer", "id card", "identity card", "reisepass", "perso"},
			patterns: []pattern{named(`\b[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{8}\d\b`, documentNumber)},
		},
		{
			entity: "PL_PESEL", rank: rankNational, numbers: func(r *region) bool { return r.hasPlain(11, 11) },
			words:    []string{"pesel"},
			patterns: []pattern{named(`\b\d{11}\b`, pesel)},
		},
	}
}

const nifLetters = "TRWAGMYFPDXBNJZSQVHLCKE"

// nif checks the letter of a DNI: the number modulo 23.
func nif(v []byte) bool {
	var buf [16]byte
	w := wordOf(buf[:0], v)
	return nifLetters[number(w[:len(w)-1])%23] == w[len(w)-1]
}

// nie is the same with X, Y or Z for a first digit of 0, 1 or 2.
func nie(v []byte) bool {
	var buf [16]byte
	w := wordOf(buf[:0], v)
	w[0] -= 'X' - '0'
	return nifLetters[number(w[:8])%23] == w[8]
}

func number(w []byte) int {
	n := 0
	for _, c := range w {
		n = n*10 + int(c-'0')
	}
	return n
}

// fiscalOdd are the values of characters in odd places of a codice fiscale, of digits
// and of letters alike (decree of 12 March 1974).
var fiscalOdd = [26]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}

func fiscalCode(v []byte) bool {
	var buf [16]byte
	w := wordOf(buf[:0], v)
	sum := 0
	for i, c := range w[:15] {
		n := int(c - '0')
		if c >= 'A' {
			n = int(c - 'A')
		}
		if i%2 == 0 {
			n = fiscalOdd[n]
		}
		sum += n
	}
	return byte(sum%26)+'A' == w[15]
}

// germanTax checks an IdNr: one digit stands twice or three times in the first ten,
// and the last is ISO 7064's MOD 11,10.
func germanTax(v []byte) bool {
	var buf [16]byte
	d := digitsOf(buf[:0], v)
	var count [10]int
	for _, n := range d[:10] {
		count[n]++
	}
	twice, more := 0, 0
	for _, n := range count {
		switch {
		case n > 3:
			return false
		case n > 1:
			twice++
			more = max(more, n)
		}
	}
	return twice == 1 && more <= 3 && mod1110(d)
}

// documentNumber checks the digit after a document's number, with weights 7, 3, 1
// (ICAO Doc 9303).
func documentNumber(v []byte) bool {
	sum := 0
	for i, c := range v[:9] {
		n := int(c - '0')
		if c >= 'A' {
			n = int(c-'A') + 10
		}
		sum += n * [...]int{7, 3, 1}[i%3]
	}
	return byte(sum%10)+'0' == v[9]
}

// pesel checks weights and the day of birth, whose month says the century.
func pesel(v []byte) bool {
	var buf [16]byte
	d := digitsOf(buf[:0], v)
	month := weights(d[2:], 10, 1) % 20
	return day(month, weights(d[4:], 10, 1)) && weights(d, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)%10 == 0
}
