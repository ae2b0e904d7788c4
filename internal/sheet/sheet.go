// Package sheet is what tables that are written as CSV have in common: no text in them is a
// formula to a spreadsheet that opens them (CWE-1236; OWASP, CSV Injection).
package sheet

import (
	"strings"
	"unicode/utf8"
)

// formula begins what spreadsheets run: the signs, the same ones in full width, and what
// some of them skip before a sign.
const formula = "=+-@\uFF1D\uFF0B\uFF0D\uFF20\t\r\n"

// Text is a text as it stands in a cell: one that a spreadsheet would take for a formula
// has an apostrophe before it. Numbers are no texts, and do not come here.
func Text(s string) string {
	if s == "" {
		return s
	}
	if first, _ := utf8.DecodeRuneInString(s); strings.ContainsRune(formula, first) {
		return "'" + s
	}
	return s
}
