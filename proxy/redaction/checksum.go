package redaction

// checksums are those that a custom pattern may ask for. Each looks at the digits,
// mod97 at letters too, and passes over separators.
var checksums = map[string]func([]byte) bool{
	"luhn": luhn, "mod97": mod97, "verhoeff": verhoeff,
	"mod11": func(b []byte) bool { return weighed(b, 11) },
}

// digitsOf appends the digits of b to dst, as numbers.
func digitsOf(dst, b []byte) []byte {
	for _, c := range b {
		if c >= '0' && c <= '9' {
			dst = append(dst, c-'0')
		}
	}
	return dst
}

// wordOf appends the letters, in upper case, and digits of b.
func wordOf(dst, b []byte) []byte {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z':
			dst = append(dst, c)
		case c >= 'a' && c <= 'z':
			dst = append(dst, c-'a'+'A')
		}
	}
	return dst
}

// luhn checks a number whose last digit is the check digit (ISO/IEC 7812-1).
func luhn(b []byte) bool {
	var buf [32]byte
	d := digitsOf(buf[:0], b)
	return len(d) > 1 && luhnSum(d)%10 == 0
}

func luhnSum(d []byte) int {
	sum := 0
	for i := range d {
		n := int(d[len(d)-1-i])
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum
}

// mod97 checks an IBAN or another number of ISO 7064's MOD 97-10 with its check
// digits in third and fourth place.
func mod97(b []byte) bool {
	var buf [64]byte
	w := wordOf(buf[:0], b)
	if len(w) < 5 {
		return false
	}
	rest := 0
	for i := range w {
		c := w[(i+4)%len(w)]
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
		} else {
			rest = (rest*10 + int(c-'0')) % 97
		}
	}
	return rest == 1
}

// weighed checks a number whose digits, weighed by their distance from the end, the
// last by 1, sum up to a multiple of m.
func weighed(b []byte, m int) bool {
	var buf [32]byte
	d := digitsOf(buf[:0], b)
	sum := 0
	for i, n := range d {
		sum += int(n) * (len(d) - i)
	}
	return len(d) > 1 && sum%m == 0
}

// weights sums up digits by their weights.
func weights(d []byte, w ...int) int {
	sum := 0
	for i, x := range w {
		sum += int(d[i]) * x
	}
	return sum
}

// Tables of the dihedral group of order ten, for Verhoeff's check digit.
var (
	dihedral = [10][10]byte{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5}, {2, 3, 4, 0, 1, 7, 8, 9, 5, 6}, {3, 4, 0, 1, 2, 8, 9, 5, 6, 7}, {4, 0, 1, 2, 3, 9, 5, 6, 7, 8},
		{5, 9, 8, 7, 6, 0, 4, 3, 2, 1}, {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3}, {8, 7, 6, 5, 9, 3, 2, 1, 0, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
	}
	turns = [8][10]byte{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4}, {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
		{9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1}, {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8},
	}
)

func verhoeff(b []byte) bool {
	var buf [32]byte
	d := digitsOf(buf[:0], b)
	var c byte
	for i := range d {
		c = dihedral[c][turns[i%8][d[len(d)-1-i]]]
	}
	return len(d) > 1 && c == 0
}

// mod1110 checks ISO 7064's hybrid MOD 11,10, as of German tax ids.
func mod1110(d []byte) bool {
	p := 10
	for _, n := range d[:len(d)-1] {
		s := (int(n) + p) % 10
		if s == 0 {
			s = 10
		}
		p = s * 2 % 11
	}
	return (11-p)%10 == int(d[len(d)-1])
}

// sameDigits says whether all digits are one, as in no real number.
func sameDigits(d []byte) bool {
	for _, n := range d {
		if n != d[0] {
			return false
		}
	}
	return true
}

// day says whether such a day exists, in a leap year.
func day(month, day int) bool {
	most := [...]int{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	return month >= 1 && month <= 12 && day >= 1 && day <= most[month]
}
