package reconcile

import (
	"errors"
	"strconv"
	"strings"

	"purser/ledger"
)

// parseAmount reads a decimal number of units that are 10^-below dollars each, exactly:
// digits, a sign, a fraction and an exponent, as JSON writes numbers. places is how many
// decimals of a dollar it was written with.
func parseAmount(text string, below int) (a ledger.Amount, places int, err error) {
	digits, exponent, hasExponent := strings.Cut(strings.ToLower(strings.TrimSpace(text)), "e")
	shift := 0
	if hasExponent {
		if shift, err = strconv.Atoi(exponent); err != nil || shift < -40 || shift > 20 {
			return 0, 0, errNoAmount
		}
	}
	negative := strings.HasPrefix(digits, "-")
	digits = strings.TrimPrefix(digits, "-")
	whole, fraction, dot := strings.Cut(digits, ".")
	if whole == "" || dot && fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" || len(whole)+len(fraction) > 60 {
		return 0, 0, errNoAmount
	}
	all := strings.TrimLeft(whole+fraction, "0")
	decimals := len(fraction) - shift + below // of a dollar
	places = max(decimals, 0)
	for cut := decimals - nanoDecimals; cut > 0; cut-- { // below a nano-dollar
		if len(all) == 0 {
			break
		}
		last := all[len(all)-1]
		all = all[:len(all)-1]
		if cut == 1 && last >= '5' {
			all = increment(all)
		}
	}
	if decimals < nanoDecimals && all != "" {
		if nanoDecimals-decimals > 40 {
			return 0, 0, errTooLarge
		}
		all += strings.Repeat("0", nanoDecimals-decimals)
	}
	if all == "" {
		return 0, places, nil
	}
	n, err := strconv.ParseInt(all, 10, 64)
	if err != nil || ledger.Amount(n) > ledger.MaxAmount {
		return 0, 0, errTooLarge
	}
	if negative {
		n = -n
	}
	return ledger.Amount(n), places, nil
}

// nanoDecimals are the decimals of a dollar that an amount has.
const nanoDecimals = 9

var (
	errNoAmount = errors.New("is no decimal number")
	errTooLarge = errors.New("is too large")
)

// increment adds one to a decimal number.
func increment(s string) string {
	b := []byte(s)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < '9' {
			b[i]++
			return string(b)
		}
		b[i] = '0'
	}
	return "1" + string(b)
}
