package redaction

import "bytes"

// american are numbers that the United States give.
func american() []*recognizer {
	return []*recognizer{
		{
			entity: "US_SSN", rank: rankNational, numbers: socialShape, loose: pureDigits(9),
			words:    []string{"ssn", "ssns", "social security", "social", "soc sec", "ss#", "itin or ssn"},
			patterns: []pattern{exact(`\b\d{3}-\d{2}-\d{4}\b`, ssn), named(`\b\d{3}[ .]?\d{2}[ .]?\d{4}\b`, ssn)},
		},
		{
			entity: "US_ITIN", rank: rankNational, numbers: socialShape, loose: pureDigits(9),
			words:    []string{"itin", "taxpayer", "tax id", "tax identification"},
			patterns: []pattern{exact(`\b9\d{2}-\d{2}-\d{4}\b`, itin), named(`\b9\d{2}[ .]?\d{2}[ .]?\d{4}\b`, itin)},
		},
		{
			entity: "US_PASSPORT", rank: rankNamed - 1, within: 40, numbers: func(r *region) bool { return r.hasPlain(9, 9) || r.hasMixed(9, 9) },
			words:    []string{"passport", "passports", "travel document"},
			patterns: []pattern{named(`\b(?:[A-Z]\d{8}|\d{9})\b`, nil)},
		},
		{
			entity: "US_NPI", rank: rankNamed, numbers: func(r *region) bool { return r.hasPlain(10, 10) },
			words:    []string{"npi", "national provider", "provider identifier", "provider id", "prescriber"},
			patterns: []pattern{named(`\b[12]\d{9}\b`, npi)},
		},
		{
			entity: "US_MBI", rank: rankNational, numbers: func(r *region) bool { return r.hasMixed(11, 11) || r.hasMixed(3, 3) && r.hasMixed(4, 4) },
			patterns: []pattern{exact(`\b[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d-?[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d-?[AC-HJKMNP-RT-Y]{2}\d{2}\b`, nil)},
		},
	}
}

// socialShape is three, two and four digits with dashes.
func socialShape(r *region) bool {
	return r.dashes >= 2 && r.hasPlain(2, 2) && r.hasPlain(3, 3) && r.hasPlain(4, 4)
}

// ssn refuses areas, groups and serials that are never given (Social Security
// Administration), and numbers known from advertisements.
func ssn(v []byte) bool {
	var buf [16]byte
	d := digitsOf(buf[:0], v)
	area, group, serial := weights(d, 100, 10, 1), weights(d[3:], 10, 1), weights(d[5:], 1000, 100, 10, 1)
	return area != 0 && area != 666 && area < 900 && group != 0 && serial != 0 && !sameDigits(d) &&
		!bytes.Equal(d, []byte{0, 7, 8, 0, 5, 1, 1, 2, 0}) && !bytes.Equal(d, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9})
}

// itin checks the groups that the Internal Revenue Service gives.
func itin(v []byte) bool {
	var buf [16]byte
	d := digitsOf(buf[:0], v)
	group := weights(d[3:], 10, 1)
	return d[0] == 9 && (group >= 50 && group <= 65 || group >= 70 && group <= 88 || group >= 90 && group <= 92 || group >= 94 && group <= 99)
}

// npi is Luhn with the prefix 80840 of health applications in the United States.
func npi(v []byte) bool {
	return luhn(append([]byte("80840"), v...))
}
