package focus

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"

	"purser/internal/sheet"
	"purser/ledger"
)

// CSV writes a table as RFC 4180 has it: lines end with CR LF, null is an empty field.
//
// A text that a spreadsheet would take for a formula gets an apostrophe before it
// ([sheet.Text]). Numbers and times are never
// changed: they are no text.
type CSV struct {
	w       *csv.Writer
	columns []Column
	fields  []string
}

// NewCSV writes the head of a table.
func NewCSV(w io.Writer, columns []Column) (*CSV, error) {
	c := &CSV{w: csv.NewWriter(w), columns: columns}
	c.w.UseCRLF = true
	for _, col := range columns {
		c.fields = append(c.fields, col.Name)
	}
	return c, c.w.Write(c.fields)
}

// Write writes one row.
func (c *CSV) Write(row []Cell) error {
	c.fields = c.fields[:0]
	for i := range row {
		c.fields = append(c.fields, cellText(c.columns[i].Type, &row[i]))
	}
	return c.w.Write(c.fields)
}

// Close hands on what is left. It does not close what is written to.
func (c *CSV) Close() error {
	c.w.Flush()
	return c.w.Error()
}

// TimeFormat is how times are written, in UTC.
const TimeFormat = "2006-01-02T15:04:05Z"

func cellText(t Type, c *Cell) string {
	switch {
	case !c.Set:
		return ""
	case t == Text || t == JSON:
		return sheet.Text(strings.ToValidUTF8(c.Text, "\uFFFD"))
	case t == Time:
		return time.Unix(0, int64(c.At)).UTC().Format(TimeFormat)
	}
	n := c.Number.String()
	if t == Number && !strings.Contains(n, ".") {
		n += ".0" // or readers would take a column of whole numbers for one of integers
	}
	return n
}

// Source hands out the rows of a table that somebody wrote. Next returns [io.EOF] after
// the last; a row is valid until the next.
type Source interface {
	Columns() []Column
	Next() ([]Cell, error)
}

// csvSource reads rows that are CSV.
type csvSource struct {
	r       *csv.Reader
	columns []Column
	row     []Cell
}

// ReadCSV reads a table whose columns are among those known; a column that is not is
// text.
func ReadCSV(r io.Reader, known []Column) (Source, error) {
	s := &csvSource{r: csv.NewReader(r)}
	s.r.ReuseRecord = true
	head, err := s.r.Read()
	if err != nil {
		return nil, fmt.Errorf("read the head of the CSV file: %w", err)
	}
	for i, name := range head {
		if i == 0 {
			name = strings.TrimPrefix(name, "\uFEFF")
		}
		col := Column{Name: name, Nullable: true}
		for _, k := range known {
			if k.Name == name {
				col = k
			}
		}
		s.columns = append(s.columns, col)
	}
	s.row = make([]Cell, len(head))
	return s, nil
}

// Columns implements Source.
func (s *csvSource) Columns() []Column { return s.columns }

// Next implements Source. What cannot be read as its column's type stays text, for the
// checker to find.
func (s *csvSource) Next() ([]Cell, error) {
	fields, err := s.r.Read()
	if err != nil {
		return nil, err
	}
	for i, f := range fields {
		s.row[i] = Cell{Set: f != "", Text: f}
		switch s.columns[i].Type {
		case Number, Count:
			if d, err := ParseDecimal(f); err == nil {
				s.row[i] = number(d)
			}
		case Time:
			if t, err := time.Parse(TimeFormat, f); err == nil {
				s.row[i] = Cell{Set: true, At: instantOf(t)}
			}
		}
	}
	return s.row, nil
}

func instantOf(t time.Time) ledger.Instant { return ledger.Instant(t.UnixNano()) }
