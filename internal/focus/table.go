package focus

import "purser/ledger"

// Type is what a column's values are.
type Type uint8

// The types.
const (
	Text   Type = iota
	JSON        // text that is a flat JSON object
	Number      // exact, with the column's scale
	Time        // to the second in CSV, to the microsecond in Parquet
	Count       // a whole number of 64 bits
)

// Column is one column of a table.
type Column struct {
	Name     string
	Type     Type
	Scale    int  // decimals of a Number
	Nullable bool // Parquet has no null where it is not
}

// Cell is one value. Its zero value is null; Text and JSON that are empty are null, too.
type Cell struct {
	Set    bool
	Text   string
	Number Decimal // of a Count without decimals
	At     ledger.Instant
}

func text(s string) Cell             { return Cell{Set: s != "", Text: s} }
func number(d Decimal) Cell          { return Cell{Set: true, Number: d} }
func count(n int64) Cell             { return number(whole(n)) }
func dollars(nano int64) Cell        { return number(scaled(nano, nanoScale)) }
func instant(at ledger.Instant) Cell { return Cell{Set: true, At: at} }

// Scales of numbers, in decimals.
const (
	nanoScale     = 9  // of what was charged
	priceScale    = 12 // of prices for one PricingUnit
	attoScale     = 18 // of products of a price and a quantity
	quantityScale = 6  // of quantities for pricing: tokens in millions
)

// field is a column and how a row of type R fills it.
type field[R any] struct {
	Column
	of func(*R) Cell
}

// Table is one format: its columns, and how a row fills them.
type Table[R any] struct {
	Name   string
	fields []field[R]
}

// Columns are the table's columns, in order.
func (t *Table[R]) Columns() []Column {
	list := make([]Column, len(t.fields))
	for i := range t.fields {
		list[i] = t.fields[i].Column
	}
	return list
}

// Cells appends the values of a row, one for each column.
func (t *Table[R]) Cells(dst []Cell, r *R) []Cell {
	for i := range t.fields {
		dst = append(dst, t.fields[i].of(r))
	}
	return dst
}
