package statement

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"

	"purser/internal/sheet"
	"purser/ledger"
)

// Heading says what statements are of.
type Heading struct {
	Dimension string   // whose values own
	By        []string // what lines are divided by
	Period    string   // such as 2026-11
	From, To  string   // RFC 3339
	Zone      string
	Terms     Terms
	Issuer    string   // the cluster or node
	Missing   []string // nodes whose records are not in it
	Collapsed []string // of Dimension and By, those whose rarer values are one by the name of other
}

// Dollars is an amount as a decimal number of dollars, exact: "12.345".
func Dollars(a ledger.Amount) string {
	sign, v := "", magnitude(int64(a))
	if a < 0 {
		sign = "-"
	}
	text := strings.TrimRight(fmt.Sprintf("%09d", v%1_000_000_000), "0")
	for len(text) < 2 {
		text += "0"
	}
	return sign + strconv.FormatUint(v/1_000_000_000, 10) + "." + text
}

// Percent is so many millionths: "12.5 %".
func Percent(millionths int64) string {
	return strconv.FormatFloat(float64(millionths)/10_000, 'f', -1, 64) + " %"
}

// CSV writes statements as RFC 4180 has it, a row for each line; what is shared is a row
// of its own. The columns charge_usd of all rows add up to what is charged.
func CSV(w io.Writer, h *Heading, all []Statement) error {
	out := csv.NewWriter(w)
	head := append([]string{h.Dimension, "period", "kind"}, h.By...)
	rows := [][]string{append(head, "requests", "input_tokens", "cached_input_tokens", "output_tokens", "list_usd", "saved_usd", "adjusted_usd", "cost_usd", "charge_usd")}
	empty := make([]string, len(h.By))
	for _, s := range all {
		begin := func(kind string, of []string) []string {
			row := []string{sheet.Text(s.Owner), h.Period, kind}
			for _, v := range of {
				row = append(row, sheet.Text(v))
			}
			return row
		}
		charged := ledger.Amount(0)
		for _, l := range s.Lines {
			charged += l.Charge
			rows = append(rows, append(begin("usage", l.Of), append(counts(&l.Used), Dollars(l.Charge))...))
		}
		if s.Shared != 0 || charged != s.Charge {
			rows = append(rows, append(begin("shared", empty), append(counts(&Used{Cost: s.Shared}), Dollars(s.Charge-charged))...))
		}
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("write statements as CSV: %w", err)
	}
	return nil
}

func counts(u *Used) []string {
	var row []string
	for _, n := range [...]int64{u.Requests, u.Input, u.Cached, u.Output} {
		row = append(row, strconv.FormatInt(n, 10))
	}
	for _, a := range [...]ledger.Amount{u.List, u.Saved, u.Adjusted, u.Cost} {
		row = append(row, Dollars(a))
	}
	return row
}

//go:embed statement.css
var style string

//go:embed statement.html
var page string

var pages = template.Must(template.New("statement").Funcs(template.FuncMap{
	"dollars": Dollars, "percent": Percent, "style": func() template.CSS { return template.CSS(style) },
	"thousands": thousands, "join": func(list []string) string { return strings.Join(list, ", ") },
}).Parse(page))

// Policy is the Content-Security-Policy of the page: it loads nothing, and has the one
// style that it brings.
func Policy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// HTML writes statements as a page that prints well, each on a sheet of its own.
func HTML(w io.Writer, h *Heading, all []Statement) error {
	err := pages.Execute(w, struct {
		*Heading
		All []Statement
	}{h, all})
	if err != nil {
		return fmt.Errorf("write statements as a page: %w", err)
	}
	return nil
}

// thousands is a number with thin spaces between its thousands.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}
