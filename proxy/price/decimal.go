package price

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Shifts from dollars, as people write prices, to pico-dollars for one unit.
const (
	PerMillion  = 6  // from dollars for a million tokens
	PerThousand = 9  // from dollars for a thousand calls
	PerOne      = 12 // from dollars for one call
)

// Dollars writes a price as people read it, exactly: dollars for a million
// tokens, or for one call.
func Dollars(m Meter, pico int64) string {
	digits := 6
	if m.PerCall() {
		digits = 12
	}
	text := fmt.Sprintf("%0*d", digits+1, pico)
	point := len(text) - digits
	return strings.TrimSuffix(strings.TrimRight(text[:point]+"."+text[point:], "0"), ".")
}

// Decimal reads a number such as "2.5", "0.075" or "1.25e-3" and multiplies it
// by ten to the power of shift, without floating point. If the result is not
// whole it is rounded up and exact is false. Negative numbers, and results
// above 10^18, are errors.
func Decimal(text string, shift int) (n int64, exact bool, err error) {
	mantissa, exponent, found := strings.Cut(strings.ToLower(text), "e")
	if found {
		e, err := strconv.Atoi(exponent)
		if err != nil || e < -40 || e > 40 {
			return 0, false, fmt.Errorf("%q is not a decimal number", text)
		}
		shift += e
	}
	whole, fraction, dotted := strings.Cut(mantissa, ".")
	if len(whole)+len(fraction) == 0 || len(mantissa) > 60 || dotted && fraction == "" {
		return 0, false, fmt.Errorf("%q is not a decimal number", text)
	}
	const limit = 1_000_000_000_000_000_000
	exact = true
	point := len(whole) + shift // how many of the digits are before the point
	var v uint64
	all := whole + fraction
	for i := 0; i < len(all) || i < point; i++ {
		d := byte('0')
		if i < len(all) {
			d = all[i]
		}
		if d < '0' || d > '9' {
			return 0, false, fmt.Errorf("%q is not a decimal number", text)
		}
		if i >= point {
			exact = exact && d == '0'
			continue
		}
		hi, lo := bits.Mul64(v, 10)
		if hi != 0 || lo+uint64(d-'0') > limit {
			return 0, false, fmt.Errorf("%q is too large", text)
		}
		v = lo + uint64(d-'0')
	}
	if !exact {
		v++
	}
	return int64(v), exact, nil
}
