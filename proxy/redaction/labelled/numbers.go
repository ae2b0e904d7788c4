package labelled

import (
	"crypto/sha256"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
)

func at(s string, i int) int { return int(s[i] - '0') }

// luhnDigit is the digit that makes a number pass, by the doubled digits' sums.
func luhnDigit(number string) string {
	total := 0
	for i := range len(number) {
		n := at(number, len(number)-1-i)
		if i%2 == 0 {
			n = n*2/10 + n*2%10
		}
		total += n
	}
	return strconv.Itoa((10 - total%10) % 10)
}

func weighted(s string, w ...int) int {
	total := 0
	for i, x := range w {
		total += x * at(s, i)
	}
	return total
}

func card(r *rand.Rand) string {
	brands := []struct {
		prefix string
		length int
	}{{"4", 16}, {"51", 16}, {"55", 16}, {"2221", 16}, {"34", 15}, {"37", 15}, {"6011", 16}, {"65", 16}, {"3528", 16}, {"36", 14}, {"4", 13}, {"62", 19}}
	b := brands[r.IntN(len(brands))]
	s := b.prefix + draw(r, digits, b.length-len(b.prefix)-1)
	s += luhnDigit(s)
	switch {
	case r.IntN(2) == 0:
		return s
	case len(s) == 16:
		return grouped(s, pick(r, []string{" ", "-"}), 4, 4, 4, 4)
	case len(s) == 15:
		return grouped(s, " ", 4, 6, 5)
	}
	return s
}

func iban(r *rand.Rand) string {
	countries := []struct{ code, form string }{
		{"DE", "dddddddddddddddddd"}, {"GB", "AAAAdddddddddddddd"}, {"FR", "dddddddddddddddddddddddd"[:23]}, {"NL", "AAAAdddddddddd"}, {"ES", "dddddddddddddddddddd"},
		{"IT", "Adddddddddddddddddddddd"}, {"PL", "dddddddddddddddddddddddd"}, {"CH", "ddddddddddddddddd"}, {"AT", "dddddddddddddddd"}, {"BE", "dddddddddddd"}, {"NO", "ddddddddddd"},
	}
	c := countries[r.IntN(len(countries))]
	account := ""
	for _, k := range c.form {
		if k == 'A' {
			account += draw(r, upper, 1)
		} else {
			account += draw(r, digits, 1)
		}
	}
	text := ""
	for _, k := range account + c.code + "00" {
		if k >= 'A' {
			text += strconv.Itoa(int(k-'A') + 10)
		} else {
			text += string(k)
		}
	}
	n, _ := new(big.Int).SetString(text, 10)
	check := 98 - int(new(big.Int).Mod(n, big.NewInt(97)).Int64())
	s := c.code + strconv.Itoa(check/10) + strconv.Itoa(check%10) + account
	if r.IntN(2) == 0 {
		return s
	}
	spaced := ""
	for i, k := range s {
		if i > 0 && i%4 == 0 {
			spaced += " "
		}
		spaced += string(k)
	}
	return spaced
}

func bitcoin(r *rand.Rand) string {
	payload := make([]byte, 21)
	for i := range payload[1:] {
		payload[i+1] = byte(r.UintN(256))
	}
	if r.IntN(2) == 0 {
		payload[0] = 5
	}
	one := sha256.Sum256(payload)
	two := sha256.Sum256(one[:])
	n := new(big.Int).SetBytes(append(payload, two[:4]...))
	const set = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	s := ""
	for n.Sign() > 0 {
		rest := new(big.Int)
		n.DivMod(n, big.NewInt(58), rest)
		s = string(set[rest.Int64()]) + s
	}
	if payload[0] == 0 {
		s = "1" + s
	}
	return s
}

// segwit makes an address of BIP 173: the polynomial's remainder, taken in GF(32).
func segwit(r *rand.Rand) string {
	values := []int{0} // version
	bits, have := 0, 0
	for range 20 {
		bits, have = bits<<8|int(r.UintN(256)), have+8
		for have >= 5 {
			have -= 5
			values = append(values, bits>>have&31)
		}
		bits &= 1<<have - 1
	}
	sum := uint32(1)
	feed := func(v int) {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range []uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 != 0 {
				sum ^= g
			}
		}
	}
	for _, v := range []int{3, 3, 0, 2, 3} { // "bc"
		feed(v)
	}
	for _, v := range values {
		feed(v)
	}
	for range 6 {
		feed(0)
	}
	sum ^= 1
	for i := range 6 {
		values = append(values, int(sum>>(5*(5-i)))&31)
	}
	s := "bc1"
	for _, v := range values {
		s += string("qpzry9x8gf2tvdw0s3jn54khce6mua7l"[v])
	}
	return s
}

func ssn(r *rand.Rand) string {
	area := 1 + r.IntN(665)
	return grouped(pad(area, 3)+pad(1+r.IntN(99), 2)+pad(1+r.IntN(9999), 4), "-", 3, 2, 4)
}

func itin(r *rand.Rand) string {
	return grouped("9"+draw(r, digits, 2)+pad(70+r.IntN(19), 2)+draw(r, digits, 4), "-", 3, 2, 4)
}

func pad(n, width int) string {
	s := strconv.Itoa(n)
	return strings.Repeat("0", width-len(s)) + s
}

func routing(r *rand.Rand) string {
	return checked(r, func() string { return pad(1+r.IntN(12), 2) + draw(r, digits, 6) }, digits, func(s string) bool {
		return (3*(at(s, 0)+at(s, 3)+at(s, 6))+7*(at(s, 1)+at(s, 4)+at(s, 7))+at(s, 2)+at(s, 5)+at(s, 8))%10 == 0
	})
}

func npi(r *rand.Rand) string {
	s := pick(r, []string{"1", "2"}) + draw(r, digits, 8)
	return s + luhnDigit("80840"+s)
}

func mbi(r *rand.Rand) string {
	const letters = "ACDEFGHJKMNPQRTUVWXY"
	s := draw(r, "123456789", 1) + draw(r, letters, 1) + draw(r, letters+digits, 1) + draw(r, digits, 1) +
		draw(r, letters, 1) + draw(r, letters+digits, 1) + draw(r, digits, 1) + draw(r, letters, 2) + draw(r, digits, 2)
	if r.IntN(2) == 0 {
		return grouped(s, "-", 4, 3, 4)
	}
	return s
}

func nhs(r *rand.Rand) string {
	s := checked(r, func() string { return draw(r, "123456789", 1) + draw(r, digits, 8) }, digits, func(s string) bool {
		rest := 11 - weighted(s, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11
		return rest%11 == at(s, 9) && rest != 10
	})
	if r.IntN(2) == 0 {
		return grouped(s, " ", 3, 3, 4)
	}
	return s
}

func nino(r *rand.Rand) string {
	s := pick(r, []string{"AB", "CE", "HJ", "JK", "PW", "SR", "YZ", "LM"}) + draw(r, digits, 6) + draw(r, "ABCD", 1)
	if r.IntN(3) == 0 {
		return grouped(s, " ", 2, 2, 2, 2, 1)
	}
	return s
}

// aadhaar has Verhoeff's digit, by products in the dihedral group written as turns
// and reflections of a pentagon.
func aadhaar(r *rand.Rand) string {
	times := func(a, b int) int {
		switch {
		case a < 5 && b < 5:
			return (a + b) % 5
		case a < 5:
			return (a+b-5)%5 + 5
		case b < 5:
			return (a-5-b+5)%5 + 5
		}
		return (a - b + 5) % 5
	}
	turn := func(n, times int) int {
		p := []int{1, 5, 7, 6, 2, 8, 3, 0, 9, 4}
		for range times % 8 {
			n = p[n]
		}
		return n
	}
	s := checked(r, func() string { return draw(r, "23456789", 1) + draw(r, digits, 10) }, digits, func(s string) bool {
		c := 0
		for i := range len(s) {
			c = times(c, turn(at(s, len(s)-1-i), i))
		}
		return c == 0
	})
	return grouped(s, pick(r, []string{" ", "-", ""}), 4, 4, 4)
}

func pan(r *rand.Rand) string {
	return draw(r, upper, 3) + draw(r, "ABCFGHJLPT", 1) + draw(r, upper, 1) + draw(r, digits, 4) + draw(r, upper, 1)
}

func rrn(r *rand.Rand) string {
	s := pad(r.IntN(100), 2) + pad(1+r.IntN(12), 2) + pad(1+r.IntN(28), 2) + draw(r, "1234", 1) + draw(r, digits, 5)
	s += strconv.Itoa((11 - weighted(s, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)%11) % 10)
	return grouped(s, "-", 6, 7)
}

func fin(r *rand.Rand) string {
	series := draw(r, "STFG", 1)
	number := draw(r, digits, 7)
	sum := weighted(number, 2, 7, 6, 5, 4, 3, 2)
	if series == "T" || series == "G" {
		sum += 4
	}
	if series == "S" || series == "T" {
		return series + number + string("ABCDEFGHIZJ"[10-sum%11])
	}
	return series + number + string("KLMNPQRTUWX"[10-sum%11])
}

func tfn(r *rand.Rand) string {
	s := checked(r, func() string { return draw(r, "12345678", 1) + draw(r, digits, 7) }, digits, func(s string) bool {
		return weighted(s, 1, 4, 3, 7, 5, 8, 6, 9, 10)%11 == 0
	})
	return grouped(s, pick(r, []string{" ", ""}), 3, 3, 3)
}

func sin(r *rand.Rand) string {
	s := draw(r, "1234567", 1) + draw(r, digits, 7)
	return grouped(s+luhnDigit(s), pick(r, []string{" ", "-"}), 3, 3, 3)
}

const dniLetters = "TRWAGMYFPDXBNJZSQVHLCKE"

func nif(r *rand.Rand) string {
	n := r.IntN(90_000_000) + 10_000_000
	return strconv.Itoa(n) + pick(r, []string{"", "", "-"}) + string(dniLetters[n%23])
}

func nie(r *rand.Rand) string {
	first := r.IntN(3)
	n := r.IntN(10_000_000)
	return string("XYZ"[first]) + pad(n, 7) + string(dniLetters[(first*10_000_000+n)%23])
}

func fiscalCode(r *rand.Rand) string {
	s := draw(r, "BCDFGLMNPRSTV", 6) + draw(r, digits, 2) + draw(r, "ABCDEHLMPRST", 1) + pad(1+r.IntN(28), 2) + draw(r, "ABCDEFGHIL", 1) + draw(r, digits, 3)
	odd := map[rune]int{}
	for i, n := range []int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23} {
		odd[rune(upper[i])] = n
		if i < 10 {
			odd[rune(digits[i])] = n
		}
	}
	sum := 0
	for i, k := range s {
		switch {
		case i%2 == 0:
			sum += odd[k]
		case k >= 'A':
			sum += int(k - 'A')
		default:
			sum += int(k - '0')
		}
	}
	return s + string(upper[sum%26])
}

func germanTax(r *rand.Rand) string {
	order := r.Perm(10)
	order[9] = order[r.IntN(9)] // one stands twice, one not at all
	r.Shuffle(10, func(i, j int) { order[i], order[j] = order[j], order[i] })
	if order[0] == 0 {
		for i, n := range order {
			if n != 0 {
				order[0], order[i] = order[i], order[0]
				break
			}
		}
	}
	s, product := "", 10
	for _, n := range order {
		s += strconv.Itoa(n)
		sum := (n + product) % 10
		if sum == 0 {
			sum = 10
		}
		product = 2 * sum % 11
	}
	s += strconv.Itoa((11 - product) % 10)
	if r.IntN(3) == 0 {
		return grouped(s, " ", 2, 3, 3, 3)
	}
	return s
}

func germanCard(r *rand.Rand) string {
	const set = "CFGHJKLMNPRTVWXYZ"
	s := draw(r, set, 1) + draw(r, set+digits, 4) + draw(r, digits, 4)
	sum := 0
	for i, k := range s {
		n := strings.IndexRune(digits+upper, k)
		sum += n * []int{7, 3, 1}[i%3]
	}
	return s + strconv.Itoa(sum%10)
}

func pesel(r *rand.Rand) string {
	s := pad(r.IntN(100), 2) + pad(1+r.IntN(12)+20*r.IntN(2), 2) + pad(1+r.IntN(28), 2) + draw(r, digits, 4)
	return s + strconv.Itoa((10-weighted(s, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3)%10)%10)
}
