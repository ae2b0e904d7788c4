// Package columnar writes and reads the tables of package focus as Parquet: exact
// decimals, times in UTC, texts as UTF-8, compressed with zstd. It knows bytes, and no
// files.
//
// A [Writer] holds one group of rows in memory, and is used by one goroutine. Reading
// refuses what is no table: nested columns, and physical types that no column here has.
package columnar

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/parquet-go/parquet-go/format"

	"purser/internal/focus"
	"purser/ledger"
)

const (
	digits    = 38 // of a decimal: what 16 bytes hold, and what warehouses take
	wide      = 16 // bytes of one
	groupRows = 1 << 16
	// maxColumns bounds a file that is read.
	maxColumns = 512
)

// Writer writes a table.
type Writer struct {
	w       *parquet.GenericWriter[any]
	columns []focus.Column
	row     parquet.Row
}

// NewWriter begins a file. Its columns must be in alphabetical order, as Parquet's are.
func NewWriter(w io.Writer, name string, columns []focus.Column) (*Writer, error) {
	root := parquet.Group{}
	for _, c := range columns {
		root[c.Name] = node(c)
	}
	if !slices.IsSortedFunc(columns, func(a, b focus.Column) int { return strings.Compare(a.Name, b.Name) }) || len(root) != len(columns) {
		return nil, errors.New("the columns are not in alphabetical order, each once")
	}
	return &Writer{columns: columns, w: parquet.NewGenericWriter[any](w, parquet.NewSchema(name, root),
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedDefault}), parquet.MaxRowsPerRowGroup(groupRows), parquet.CreatedBy("purser", "1", "0"))}, nil
}

func node(c focus.Column) parquet.Node {
	var n parquet.Node
	switch c.Type {
	case focus.Number:
		n = parquet.Decimal(c.Scale, digits, parquet.FixedLenByteArrayType(wide))
	case focus.Count:
		n = parquet.Int(64)
	case focus.Time:
		n = parquet.Timestamp(parquet.Microsecond)
	default:
		n = parquet.String()
	}
	if c.Nullable {
		n = parquet.Optional(n)
	}
	return n
}

// Write writes one row.
func (w *Writer) Write(cells []focus.Cell) error {
	w.row = w.row[:0]
	for i := range cells {
		v, err := value(&w.columns[i], &cells[i])
		if err != nil {
			return fmt.Errorf("column %s: %w", w.columns[i].Name, err)
		}
		level := 0
		if w.columns[i].Nullable && !v.IsNull() {
			level = 1
		}
		w.row = append(w.row, v.Level(0, level, i))
	}
	_, err := w.w.WriteRows([]parquet.Row{w.row})
	return err
}

func value(c *focus.Column, cell *focus.Cell) (parquet.Value, error) {
	if !cell.Set {
		if !c.Nullable {
			return parquet.Value{}, errors.New("it has no value")
		}
		return parquet.NullValue(), nil
	}
	switch c.Type {
	case focus.Number:
		d, exact := cell.Number.At(c.Scale)
		if !exact || len(new(big.Int).Abs(d.Units).String()) > digits {
			return parquet.Value{}, fmt.Errorf("%s has more than %d digits, or more than %d behind the point", cell.Number, digits, c.Scale)
		}
		return parquet.FixedLenByteArrayValue(complement(d.Units)), nil
	case focus.Count:
		return parquet.Int64Value(cell.Number.Units.Int64()), nil
	case focus.Time:
		return parquet.Int64Value(int64(cell.At) / 1000), nil
	}
	return parquet.ByteArrayValue([]byte(strings.ToValidUTF8(cell.Text, "\uFFFD"))), nil
}

// complement is a number as the two's complement of 128 bits, the first byte first.
func complement(n *big.Int) []byte {
	if n.Sign() < 0 {
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), wide*8))
	}
	return n.FillBytes(make([]byte, wide))
}

func number(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b)*8)))
	}
	return n
}

// Close writes the end of the file. It does not close what is written to.
func (w *Writer) Close() error { return w.w.Close() }

// source reads a file row by row.
type source struct {
	file    *parquet.File
	columns []focus.Column
	groups  []parquet.RowGroup
	rows    parquet.Rows
	buffer  [64]parquet.Row
	have    []parquet.Row
	cells   []focus.Cell
}

// damaged makes an error of a panic: the library has them for files that nobody wrote.
func damaged(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("read the Parquet file: it is damaged: %v", p)
	}
}

// Read reads a file of a size. Close ends it.
func Read(r io.ReaderAt, size int64) (rows Source, err error) {
	defer damaged(&err)
	f, err := parquet.OpenFile(r, size)
	if err != nil {
		return nil, fmt.Errorf("read the Parquet file: %w", err)
	}
	s := &source{file: f, groups: f.RowGroups()}
	fields := f.Schema().Fields()
	if len(fields) > maxColumns {
		return nil, fmt.Errorf("the Parquet file has %d columns, the most is %d", len(fields), maxColumns)
	}
	for _, field := range fields {
		c, err := column(field)
		if err != nil {
			return nil, fmt.Errorf("column %.80q: %w", field.Name(), err)
		}
		s.columns = append(s.columns, c)
	}
	s.cells = make([]focus.Cell, len(s.columns))
	return s, nil
}

// Source is rows that have to be closed.
type Source interface {
	focus.Source
	io.Closer
}

func column(f parquet.Field) (focus.Column, error) {
	c := focus.Column{Name: f.Name(), Nullable: f.Optional()}
	if !f.Leaf() || f.Repeated() {
		return c, errors.New("it is nested")
	}
	var logical format.LogicalTypeValue
	if l := f.Type().LogicalType(); l != nil {
		logical = l.Value
	}
	kind := f.Type().Kind()
	switch l := logical.(type) {
	case *format.DecimalType:
		if kind == parquet.FixedLenByteArray {
			c.Type, c.Scale = focus.Number, int(l.Scale)
			return c, nil
		}
	case *format.TimestampType:
		if _, micros := l.Unit.Value.(*format.MicroSeconds); micros && kind == parquet.Int64 {
			c.Type = focus.Time
			return c, nil
		}
	case nil, *format.IntType, *format.StringType:
		switch kind {
		case parquet.Int64:
			c.Type = focus.Count
			return c, nil
		case parquet.ByteArray:
			return c, nil
		}
	}
	return c, fmt.Errorf("its type %s is none that a table here has", f.Type())
}

// Columns implements focus.Source.
func (s *source) Columns() []focus.Column { return s.columns }

// Next implements focus.Source.
func (s *source) Next() (cells []focus.Cell, err error) {
	defer damaged(&err)
	for len(s.have) == 0 {
		if s.rows == nil {
			if len(s.groups) == 0 {
				return nil, io.EOF
			}
			s.rows, s.groups = s.groups[0].Rows(), s.groups[1:]
		}
		n, err := s.rows.ReadRows(s.buffer[:])
		s.have = s.buffer[:n]
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read the Parquet file: %w", err)
		}
		if n == 0 || err != nil {
			if err := s.rows.Close(); err != nil {
				return nil, fmt.Errorf("read the Parquet file: %w", err)
			}
			s.rows = nil
			if n == 0 && err == nil {
				continue
			}
		}
	}
	row := s.have[0]
	s.have = s.have[1:]
	clear(s.cells)
	for _, v := range row {
		i := v.Column()
		if i < 0 || i >= len(s.cells) || v.IsNull() {
			continue
		}
		s.cells[i] = cell(&s.columns[i], v)
	}
	return s.cells, nil
}

func cell(c *focus.Column, v parquet.Value) focus.Cell {
	switch c.Type {
	case focus.Number:
		return focus.Cell{Set: true, Number: focus.Decimal{Units: number(v.ByteArray()), Scale: c.Scale}}
	case focus.Count:
		return focus.Cell{Set: true, Number: focus.Decimal{Units: big.NewInt(v.Int64())}}
	case focus.Time:
		return focus.Cell{Set: true, At: ledger.Instant(v.Int64()) * 1000}
	}
	return focus.Cell{Set: true, Text: string(v.ByteArray())}
}

// Close lets go of what is read.
func (s *source) Close() error {
	if s.rows != nil {
		return s.rows.Close()
	}
	return nil
}
