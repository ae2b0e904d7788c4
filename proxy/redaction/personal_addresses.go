package redaction

import (
	"bytes"
	"net/netip"
)

// addresses are those of the Internet, and of telephones.
func addresses() []*recognizer {
	return []*recognizer{
		{
			entity: "EMAIL", rank: rankAddress + 2, keywords: []string{"@"}, narrow: aroundAt,
			patterns: []pattern{exact(`[`+letters+`\d_!#$%*+^~-][`+letters+`\d_!#$%'*+^~.-]{0,63}@(?:[`+letters+`\d][`+letters+`\d-]{0,62}\.){1,8}(?:[`+letters+`]{2,24}|xn--[a-zA-Z0-9-]{2,40})`, email)},
		},
		{
			entity: "URL", rank: rankAddress, keywords: []string{"://", "www."}, trim: urlEnd, narrow: aroundScheme,
			patterns: []pattern{exact(`(?i)\b(?:https?|ftps?|wss?)://[^\s<>"'\x60{}|\\^]{3,}`, nil), exact(`(?i)\bwww\.[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}(?:/[^\s<>"'\x60{}|\\^]*)?`, nil)},
		},
		{
			entity: "IP", rank: rankAddress + 1, around: 45,
			numbers: func(r *region) bool { return r.dots >= 3 || r.colons >= 2 },
			veto:    []string{"v", "version", "ver", "release", "build", "section", "chapter", "firmware", "sdk"},
			patterns: []pattern{
				exact(`\b(?:\d{1,3}\.){3}\d{1,3}\b`, ip),
				exact(`(?i)\b[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){7}\b`, ip),
				exact(`(?i)\b(?:[0-9a-f]{1,4}:){1,7}(?::[0-9a-f]{1,4}){1,7}\b|\b(?:[0-9a-f]{1,4}:){2,7}:|::(?:[0-9a-f]{1,4}:){0,6}[0-9a-f]{1,4}\b`, ip6),
			},
		},
		{
			entity: "MAC", rank: rankAddress + 3, around: 18,
			numbers: func(r *region) bool {
				return r.colons >= 1 || r.dashes >= 1 && r.longest <= 2 || r.dots >= 1 && r.hasMixed(4, 4)
			},
			patterns: []pattern{exact(`(?i)\b(?:[0-9a-f]{2}(?::[0-9a-f]{2}){5}|[0-9a-f]{2}(?:-[0-9a-f]{2}){5}|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})\b`, mac)},
		},
		{
			entity: "PHONE", rank: rankPhone, within: 40, loose: pureDigits(7),
			numbers: func(r *region) bool {
				return r.pure >= 7 && r.dialled || r.pure >= 10 && r.hasPlain(3, 3) && r.hasPlain(4, 4)
			},
			words: []string{"phone", "telephone", "tel", "call", "mobile", "cell", "fax", "whatsapp", "sms", "contact", "handy", "telefon", "téléphone", "teléfono", "telefono", "reach me", "ring"},
			patterns: []pattern{
				exact(`\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,5}(?:[ .-]?\d{1,5}){1,5}\b`, international),
				exact(`(?:\b1[ .-])?(?:\([2-9]\d\d\) ?[2-9]\d\d[ .-]|\b[2-9]\d\d-[2-9]\d\d-|\b[2-9]\d\d\.[2-9]\d\d\.)\d{4}\b`, american10),
				named(`(?:\b00\d{1,3}[ .-]?)?(?:\(0\d{1,4}\)|\b0\d{1,4})(?:[ ./-]?\d{2,5}){1,4}\b|\b[2-9]\d\d[ .-]?[2-9]\d\d[ .-]?\d{4}\b|\b\d{3}[ .-]\d{4}\b`, telephone),
			},
		},
	}
}

// letters are those of scripts that have spaces between words; in others a sentence
// would become a part of the address.
const letters = `\p{Latin}\p{Cyrillic}\p{Greek}`

// aroundAt is what can belong to an address around its @, and aroundScheme what can
// to a URL around the :// or the www. in it.
func aroundAt(text []byte, start, end int) (int, int) {
	for least := max(0, start-localBytes); start > least && !ends[text[start-1]]; {
		start--
	}
	for most := min(len(text), end+domainBytes); end < most && (wordByte(text[end]) || text[end] == '.' || text[end] == '-'); {
		end++
	}
	return start, end
}

func aroundScheme(text []byte, start, end int) (int, int) {
	for least := max(0, start-schemeBytes); start > least && alnum[text[start-1]]; {
		start--
	}
	for most := min(len(text), end+urlBytes); end < most && !ends[text[end]]; {
		end++
	}
	return start, end
}

// Bytes of the parts of addresses, at most; a character can have four.
const (
	localBytes  = 64 * 4
	domainBytes = 255 * 4
	schemeBytes = 6
	urlBytes    = 4096
)

// ends are the bytes that no part of an address has.
var ends = func() (e [256]bool) {
	for c := range ' ' + 1 {
		e[c] = true
	}
	for _, c := range []byte("<>\"\\") {
		e[c] = true
	}
	return e
}()

// email refuses what RFC 5321 does: dots at an end or twice in the local part.
func email(v []byte) bool {
	at := bytes.LastIndexByte(v, '@')
	local := v[:at]
	return local[0] != '.' && local[len(local)-1] != '.' && !bytes.Contains(local, []byte("..")) && len(v) <= 254
}

// urlEnd is how many bytes at the end belong to the sentence.
func urlEnd(v []byte) int {
	n := len(v)
	for n > 0 {
		switch v[n-1] {
		case '.', ',', ';', ':', '!', '?', '*', '_':
		case ')', ']':
			open := byte('(')
			if v[n-1] == ']' {
				open = '['
			}
			if bytes.Count(v[:n], []byte{open}) >= bytes.Count(v[:n], v[n-1:n]) {
				return len(v) - n
			}
		default:
			return len(v) - n
		}
		n--
	}
	return len(v)
}

// ip refuses what names no host: the unspecified address, loopback, and masks.
func ip(v []byte) bool {
	a, err := netip.ParseAddr(string(v))
	return err == nil && !a.IsUnspecified() && !a.IsLoopback() && !(a.Is4() && v[0] == '2' && bytes.HasPrefix(v, []byte("255.")))
}

// ip6 refuses times and ratios besides, which have no hexadecimal group of three.
func ip6(v []byte) bool { return ip(v) && bytes.Contains(v, []byte("::")) && len(v) >= 6 }

func mac(v []byte) bool {
	var buf [16]byte
	w := wordOf(buf[:0], v)
	return len(w) == 12 && !bytes.Equal(w, []byte("000000000000")) && !bytes.Equal(w, []byte("FFFFFFFFFFFF"))
}

// callingCodes are the country codes of ITU-T E.164 with one and two digits; all of
// three digits that begin with another are in use or reserved.
var callingCodes = map[int]bool{}

func init() {
	for _, c := range []int{1, 7, 20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58,
		60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98} {
		callingCodes[c] = true
	}
}

// international checks a number in E.164's form: a country code that exists and 8 to
// 15 digits in all; of North America, an area and an exchange that can be dialled.
func international(v []byte) bool {
	var buf [32]byte
	d := digitsOf(buf[:0], v)
	if len(d) < 8 || len(d) > 15 || d[0] == 0 || sameDigits(d) {
		return false
	}
	switch one, two := int(d[0]), int(d[0])*10+int(d[1]); {
	case one == 1:
		return len(d) == 11 && dialled(d[1:])
	case one == 7:
		return len(d) == 11
	case callingCodes[two]:
		return len(d) >= 9
	default:
		return one == 2 || one == 3 || one == 4 || one == 5 || one == 6 || one == 8 || one == 9
	}
}

func dialled(d []byte) bool { return d[0] >= 2 && d[3] >= 2 && !sameDigits(d[:7]) }

func american10(v []byte) bool {
	var buf [32]byte
	d := digitsOf(buf[:0], v)
	if len(d) == 11 {
		d = d[1:]
	}
	return len(d) == 10 && dialled(d)
}

func telephone(v []byte) bool {
	var buf [32]byte
	d := digitsOf(buf[:0], v)
	return len(d) >= 7 && len(d) <= 15 && !sameDigits(d)
}
