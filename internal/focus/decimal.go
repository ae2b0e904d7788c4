package focus

import (
	"fmt"
	"math/big"
	"strings"
)

// Decimal is an exact number: Units of 10^-Scale. Units is shared and must not be
// written.
type Decimal struct {
	Units *big.Int
	Scale int
}

// maxDigits bounds a decimal that is read: no column holds more.
const maxDigits = 64

var ten = big.NewInt(10)

func pow10(n int) *big.Int { return new(big.Int).Exp(ten, big.NewInt(int64(n)), nil) }

func whole(n int64) Decimal { return Decimal{Units: big.NewInt(n)} }

func scaled(n int64, scale int) Decimal { return Decimal{Units: big.NewInt(n), Scale: scale} }

// String is the number without exponent, sign of plus or zeros at its end.
func (d Decimal) String() string {
	text, sign := new(big.Int).Abs(d.Units).String(), ""
	if d.Units.Sign() < 0 {
		sign = "-"
	}
	if d.Scale == 0 {
		return sign + text
	}
	if len(text) <= d.Scale {
		text = strings.Repeat("0", d.Scale-len(text)+1) + text
	}
	point := len(text) - d.Scale
	return sign + strings.TrimSuffix(strings.TrimRight(text[:point]+"."+text[point:], "0"), ".")
}

// At is the number with another scale; false if that would lose digits.
func (d Decimal) At(scale int) (Decimal, bool) {
	if scale >= d.Scale {
		return Decimal{new(big.Int).Mul(d.Units, pow10(scale-d.Scale)), scale}, true
	}
	units, rest := new(big.Int).QuoRem(d.Units, pow10(d.Scale-scale), new(big.Int))
	return Decimal{units, scale}, rest.Sign() == 0
}

// Cmp compares two numbers of any scales.
func (d Decimal) Cmp(o Decimal) int {
	scale := max(d.Scale, o.Scale)
	a, _ := d.At(scale)
	b, _ := o.At(scale)
	return a.Units.Cmp(b.Units)
}

// Mul is the exact product.
func (d Decimal) Mul(o Decimal) Decimal {
	return Decimal{new(big.Int).Mul(d.Units, o.Units), d.Scale + o.Scale}
}

// ParseDecimal reads a number as the specification's numeric format has it, but for
// exponents, which nothing here writes.
func ParseDecimal(text string) (Decimal, error) {
	digits, negative := strings.CutPrefix(text, "-")
	front, fraction, dotted := strings.Cut(digits, ".")
	all := front + fraction
	if front == "" || dotted && fraction == "" || len(all) > maxDigits || strings.Trim(all, "0123456789") != "" {
		return Decimal{}, fmt.Errorf("%.80q is not a decimal number", text)
	}
	units, _ := new(big.Int).SetString(all, 10)
	if negative {
		units.Neg(units)
	}
	return Decimal{units, len(fraction)}, nil
}

// split divides total over weights in proportion: each has the floor of its exact share,
// and what is left goes, one each, to the largest remainders, the first of equal ones
// first. Weights are not negative and not all zero; total may be negative.
func split(total int64, weights []*big.Int) []int64 {
	sum, amount := new(big.Int), big.NewInt(total)
	for _, w := range weights {
		sum.Add(sum, w)
	}
	shares, rests := make([]int64, len(weights)), make([]*big.Int, len(weights))
	left := total
	for i, w := range weights {
		share, rest := new(big.Int).DivMod(new(big.Int).Mul(amount, w), sum, new(big.Int))
		shares[i], rests[i] = share.Int64(), rest
		left -= shares[i]
	}
	for ; left > 0; left-- {
		most := 0
		for i := range rests {
			if rests[i].Cmp(rests[most]) > 0 {
				most = i
			}
		}
		shares[most]++
		rests[most] = big.NewInt(-1)
	}
	return shares
}
