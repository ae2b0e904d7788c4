package focus

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Finding is a rule that rows of a file break.
type Finding struct {
	Rule string `json:"rule"` // the specification's id of it, or ours
	Text string `json:"text"` // what it asks for
	Row  int64  `json:"row"`  // the first that breaks it, from 1; 0 for the file itself
	Rows int64  `json:"rows"` // how many do
}

// Report is what a check found, and what the file comes to.
type Report struct {
	Version  Version            `json:"version"`
	Rows     int64              `json:"rows"`
	Rules    int                `json:"rules"` // that were held against each row
	Findings []Finding          `json:"findings"`
	Sums     map[string]string  `json:"sums"`    // of BilledCost, EffectiveCost, ListCost, ContractedCost
	Periods  []string           `json:"periods"` // months that rows are billed in
	Limited  bool               `json:"limited"` // there were too many SKUs to compare all
	sums     map[string]Decimal // by column
}

// view is one row by the names of its columns.
type view struct {
	at  map[string]int
	row []Cell
}

func (v *view) has(name string) bool {
	_, ok := v.at[name]
	return ok
}

// cell is null for a column that is not there.
func (v *view) cell(name string) *Cell {
	if i, ok := v.at[name]; ok {
		return &v.row[i]
	}
	return &Cell{}
}

func (v *view) null(name string) bool  { return !v.cell(name).Set }
func (v *view) is(name, s string) bool { c := v.cell(name); return c.Set && c.Text == s }

// number is a value that was read as one.
func (v *view) number(name string) (Decimal, bool) {
	c := v.cell(name)
	return c.Number, c.Set && c.Number.Units != nil
}

// charged tells whether unit prices and SKUs must be there.
func (v *view) charged() bool {
	return (v.is("ChargeCategory", "Usage") || v.is("ChargeCategory", "Purchase")) && !v.is("ChargeClass", "Correction")
}

// maxDistinct bounds the pairs of names that are compared over a whole file.
const maxDistinct = 1 << 17

// Checker holds rows against the rules.
type Checker struct {
	report Report
	rules  []rule
	view   view
	broken map[string]*Finding
	one    map[string]map[string]string // by rule: what belongs to one, and to which
	months map[string]bool
}

// NewChecker begins with the columns of a file: what is missing or misplaced among them
// is found at once.
func NewChecker(version Version, columns []Column) *Checker {
	c := &Checker{
		report: Report{Version: version, Sums: map[string]string{}, sums: map[string]Decimal{}},
		rules:  rulesOf(version), view: view{at: map[string]int{}}, broken: map[string]*Finding{}, one: map[string]map[string]string{}, months: map[string]bool{},
	}
	c.report.Rules = len(c.rules)
	custom := false
	for i, col := range columns {
		if c.view.has(col.Name) {
			c.find("purser-columns-once", "each column is there once: "+col.Name+" is there twice", 0)
		}
		c.view.at[col.Name] = i
		switch known, own := specified[col.Name], strings.HasPrefix(col.Name, "x_"); {
		case own:
			custom = true
		case !known:
			c.find("ColumnHandling-A-010-M", "custom columns are prefixed with x_: "+printed(col.Name)+" is none of the specification's", 0)
		case custom:
			c.find("ColumnHandling-A-013-O", "custom columns come after all columns of the specification: "+col.Name+" does not", 0)
		}
	}
	for _, p := range present {
		if p.versions == nil || slices.Contains(p.versions, version) {
			if !c.view.has(p.column) {
				c.find(p.rule, p.column+" must be present", 0)
			}
		} else if c.view.has(p.column) {
			c.find("purser-version", p.column+" is no column of FOCUS "+string(version), 0)
		}
	}
	return c
}

func printed(s string) string { return fmt.Sprintf("%.60q", s) }

func (c *Checker) find(id, text string, row int64) {
	f := c.broken[id]
	if f == nil {
		f = &Finding{Rule: id, Text: text, Row: row}
		c.broken[id] = f
	}
	f.Rows++
}

// Row holds one row against the rules.
func (c *Checker) Row(row []Cell) {
	c.report.Rows++
	c.view.row = row
	for i := range c.rules {
		if r := &c.rules[i]; !r.holds(&c.view) {
			c.find(r.id, r.text, c.report.Rows)
		}
	}
	for _, p := range distinct {
		c.pair(p)
	}
	for _, name := range [...]string{"BilledCost", "EffectiveCost", "ListCost", "ContractedCost"} {
		if d, ok := c.view.number(name); ok {
			c.sum(name, d)
		}
	}
	if start := c.view.cell("BillingPeriodStart"); start.Set && len(c.months) < 1200 {
		c.months[cellText(Time, start)[:len("2006-01")]] = true
	}
}

func (c *Checker) sum(name string, d Decimal) {
	old, ok := c.report.sums[name]
	if !ok {
		old = whole(0)
	}
	scale := max(old.Scale, d.Scale)
	a, _ := old.At(scale)
	b, _ := d.At(scale)
	c.report.sums[name] = Decimal{a.Units.Add(a.Units, b.Units), scale}
}

// pair compares what one name goes with to what it went with before.
func (c *Checker) pair(p onlyOne) {
	a, b := c.view.cell(p.of), c.view.cell(p.one)
	if !a.Set {
		return
	}
	seen := c.one[p.rule]
	if seen == nil {
		seen = map[string]string{}
		c.one[p.rule] = seen
	}
	before, known := seen[a.Text]
	switch {
	case known && before != b.Text:
		c.find(p.rule, p.of+" has one and only one "+p.one, c.report.Rows)
	case !known && len(seen) >= maxDistinct:
		c.report.Limited = true
	case !known:
		seen[a.Text] = b.Text
	}
}

// Report is what was found so far.
func (c *Checker) Report() Report {
	r := c.report
	r.Findings = []Finding{}
	for _, f := range c.broken {
		r.Findings = append(r.Findings, *f)
	}
	slices.SortFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(a.Rule, b.Rule) })
	for name, d := range r.sums {
		r.Sums[name] = d.String()
	}
	r.Periods = slices.Sorted(maps.Keys(c.months))
	return r
}

// Check holds all rows of a file against the rules of a version.
func Check(version Version, rows Source) (Report, error) {
	c := NewChecker(version, rows.Columns())
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return c.Report(), nil
		}
		if err != nil {
			return c.Report(), fmt.Errorf("row %d: %w", c.report.Rows+1, err)
		}
		c.Row(row)
	}
}
