package history

import (
	"strconv"
	"strings"
)

// Amount reads a limit as budgets write it: dollars for usd, which become nano-dollars,
// else a count.
func Amount(text, unit string) (int64, bool) {
	if unit != "usd" {
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil
	}
	const places = 9
	whole, part, _ := strings.Cut(text, ".")
	if len(part) > places {
		return 0, false
	}
	n, err := strconv.ParseInt(whole+part+strings.Repeat("0", places-len(part)), 10, 64)
	return n, err == nil
}
