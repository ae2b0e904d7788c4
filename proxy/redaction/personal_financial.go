package redaction

import (
	"bytes"
	"crypto/sha256"
	"strings"
)

// financial are numbers of cards and accounts.
func financial() []*recognizer {
	return []*recognizer{
		{
			entity: "CREDIT_CARD", rank: rankCard,
			numbers: func(r *region) bool { return r.pure >= 13 && (r.longest >= 12 || r.hasPlain(4, 4)) },
			patterns: []pattern{
				exact(`\b\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{1,7}\b`, card),
				exact(`\b\d{4}[ -]\d{6}[ -]\d{4,5}\b`, card),
				exact(`\b\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{3}\b`, card),
			},
		},
		{
			entity: "IBAN", rank: rankCard + 1, numbers: func(r *region) bool { return r.account }, around: 42,
			patterns: []pattern{exact(`\b[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]{1,4}){3,8}`, nil)}, trim: ibanEnd, accept: iban,
		},
		{
			entity: "CRYPTO", rank: rankNational, numbers: mixedWord(26, 63),
			words: []string{"wallet", "eth", "ether", "ethereum", "address", "crypto", "usdc", "usdt", "token"},
			patterns: []pattern{
				exact(`\b[13][1-9A-HJ-NP-Za-km-z]{25,34}\b`, base58check),
				exact(`\b(?:bc1|tb1|ltc1|BC1|TB1|LTC1)[02-9ac-hj-np-zAC-HJ-NP-Z]{11,71}\b`, bech32),
				named(`\b0x[0-9a-fA-F]{40}\b`, nil),
			},
		},
		{
			entity: "ABA_ROUTING", rank: rankNamed, numbers: func(r *region) bool { return r.hasPlain(9, 9) || r.hasPlain(4, 4) && r.hasPlain(1, 1) },
			words:    []string{"aba", "routing", "rtn", "transit", "wire", "bank", "ach"},
			patterns: []pattern{named(`\b\d{9}\b`, aba), named(`\b\d{4}-\d{4}-\d\b`, aba)},
		},
		{
			entity: "US_BANK", rank: rankLoose, within: 28, numbers: func(r *region) bool { return r.hasPlain(8, 17) },
			words:    []string{"account", "acct", "bank account", "checking", "savings", "debit", "deposit"},
			patterns: []pattern{named(`\b\d{8,17}\b`, func(v []byte) bool { return !bytes.Equal(v, bytes.Repeat(v[:1], len(v))) })},
		},
	}
}

// card checks a card's number: the lengths and beginnings of the brands, and Luhn.
func card(v []byte) bool {
	var buf [32]byte
	d := digitsOf(buf[:0], v)
	if len(d) < 13 || len(d) > 19 || sameDigits(d) || luhnSum(d)%10 != 0 {
		return false
	}
	n, four := len(d), weights(d, 1000, 100, 10, 1)
	switch {
	case d[0] == 4:
		return n == 13 || n == 16 || n == 19 // Visa
	case four >= 5100 && four <= 5599, four >= 2221 && four <= 2720:
		return n == 16 // Mastercard
	case four/100 == 34, four/100 == 37:
		return n == 15 // American Express
	case four/100 == 36, four/100 == 38, four/100 == 39, four >= 3000 && four <= 3059, four == 3095:
		return n >= 14 // Diners Club
	case four == 6011, four/100 == 65, four >= 6440 && four <= 6499, four/100 == 62, four/100 == 81:
		return n >= 16 // Discover, UnionPay
	case four >= 3528 && four <= 3589:
		return n >= 16 // JCB
	case four/100 == 50, four >= 5600 && four <= 5899, four/100 == 63, four/100 == 67, four/100 == 60:
		return n == 16 || n >= 18 // Maestro and what is domestic
	case four >= 2200 && four <= 2204:
		return n >= 16 // Mir
	}
	return false
}

// ibanLengths are the lengths of the IBAN registry (ISO 13616, SWIFT), by country.
var ibanLengths = map[string]int{}

func init() {
	for _, c := range strings.Fields(`AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28
		EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20
		LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29
		RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30`) {
		ibanLengths[c[:2]] = int(c[2]-'0')*10 + int(c[3]-'0')
	}
}

// ibanEnd is what a match has beyond the length that its country has.
func ibanEnd(v []byte) int {
	var buf [2]byte
	want := ibanLengths[string(wordOf(buf[:0], v[:2]))]
	n := 0
	for i, c := range v {
		if alnum[c] {
			if n++; n == want {
				return len(v) - i - 1
			}
		}
	}
	return 0
}

func iban(v []byte) bool {
	var buf [64]byte
	w := wordOf(buf[:0], v)
	return len(w) >= 15 && len(w) == ibanLengths[string(w[:2])] && mod97(w)
}

// aba checks a routing number of the American Bankers Association: its district, and
// the weights 3, 7, 1.
func aba(v []byte) bool {
	var buf [16]byte
	d := digitsOf(buf[:0], v)
	two := int(d[0])*10 + int(d[1])
	district := two <= 12 || two >= 21 && two <= 32 || two >= 61 && two <= 72 || two == 80
	return district && !sameDigits(d) && weights(d, 3, 7, 1, 3, 7, 1, 3, 7, 1)%10 == 0
}

const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// base58check checks an address of Bitcoin's older form: 25 bytes, of which the last
// four begin the double SHA-256 of the others.
func base58check(v []byte) bool {
	var out [25]byte
	for _, c := range v {
		carry := strings.IndexByte(base58, c)
		if carry < 0 {
			return false
		}
		for i := len(out) - 1; i >= 0; i-- {
			carry += int(out[i]) * 58
			out[i] = byte(carry)
			carry >>= 8
		}
		if carry != 0 {
			return false
		}
	}
	first := sha256.Sum256(out[:21])
	second := sha256.Sum256(first[:])
	return bytes.Equal(second[:4], out[21:])
}

const bech32Set = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// bech32 checks an address of BIP 173 or BIP 350.
func bech32(v []byte) bool {
	s := strings.ToLower(string(v))
	if s != string(v) && strings.ToUpper(string(v)) != string(v) {
		return false
	}
	cut := strings.LastIndexByte(s, '1')
	sum := 1
	step := func(n int) {
		top := sum >> 25
		sum = (sum&0x1ffffff)<<5 ^ n
		for i, g := range [...]int{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	for i := range cut {
		step(int(s[i]) >> 5)
	}
	step(0)
	for i := range cut {
		step(int(s[i]) & 31)
	}
	for i := cut + 1; i < len(s); i++ {
		n := strings.IndexByte(bech32Set, s[i])
		if n < 0 {
			return false
		}
		step(n)
	}
	return sum == 1 || sum == 0x2bc830a3
}
