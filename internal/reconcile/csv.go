package reconcile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// columns of a CSV report, and whether they must be there.
var columns = []struct {
	name string
	must bool
}{{"day", true}, {"amount", true}, {"currency", false}, {"model", false}, {"key", false}, {"item", false}}

// ReadCSV reads a report of any provider, in UTF-8 with a header that names its
// columns, in any order: day (as 2026-11-26, UTC) and amount (in dollars), and perhaps
// currency (default USD), model, key and item.
func ReadCSV(provider string, raw []byte) (*Report, error) {
	r := &Report{Provider: provider}
	in := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff"))))
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the report is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("line 1: %w", err)
	}
	at := map[string]int{}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.ContainsFunc(columns, func(c struct {
			name string
			must bool
		}) bool {
			return c.name == name
		}) {
			return nil, fmt.Errorf("line 1: there is no column %q; there are day, amount, currency, model, key and item", name)
		}
		if _, twice := at[name]; twice {
			return nil, fmt.Errorf("line 1: the column %s is there twice", name)
		}
		at[name] = i
	}
	for _, c := range columns {
		if _, ok := at[c.name]; c.must && !ok {
			return nil, fmt.Errorf("line 1: the column %s is missing", c.name)
		}
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading the report: %w", err) // it names the line
		}
		n, _ := in.FieldPos(0)
		field := func(name string) string {
			if i, ok := at[name]; ok {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		l := Line{At: fmt.Sprintf("line %d", n), Day: field("day"), Model: field("model"), Key: field("key"), Item: field("item")}
		if _, err := time.Parse(time.DateOnly, l.Day); err != nil {
			return nil, fmt.Errorf("%s: %q is no day such as 2026-11-26", l.At, l.Day)
		}
		if err := r.day(l.Day); err != nil {
			return nil, fmt.Errorf("%s: %w", l.At, err)
		}
		currency := field("currency")
		if currency == "" {
			currency = "USD"
		}
		if err := r.add(l, field("amount"), currency, 0); err != nil {
			return nil, err
		}
	}
	if len(r.Days) == 0 {
		return nil, errors.New("the report has a header and no lines")
	}
	slices.Sort(r.Days)
	return r, nil
}
