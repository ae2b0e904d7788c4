package exports

import (
	"io"
	"iter"

	"purser/internal/focus"
	"purser/internal/focus/columnar"
	"purser/internal/record"
)

// Sums are what a file comes to, in nano-dollars.
type Sums struct {
	Records int64 `json:"records,omitempty"` // that it was made of
	Rows    int64 `json:"rows"`
	Cost    int64 `json:"cost_nanousd"`           // of the records, and of the rows
	List    int64 `json:"list_nanousd,omitempty"` // of the records, each rounded up
	Saved   int64 `json:"avoided_nanousd,omitempty"`
}

// sink is a file that rows are written to.
type sink interface {
	Write([]focus.Cell) error
	Close() error
}

func open(f focus.Form, w io.Writer, columns []focus.Column) (sink, error) {
	if f.File == focus.Parquet {
		return columnar.NewWriter(w, f.Base(), columns)
	}
	return focus.NewCSV(w, columns)
}

// Write writes records, in the order of their ids, as a file of a form that is complete.
// A file without its end is no whole one; of CSV only the error says so.
func Write(f focus.Form, w io.Writer, records iter.Seq2[*record.Record, error], rates focus.Rates) (Sums, error) {
	if f.Format == focus.UsageFormat {
		return writeUsage(f, w, records)
	}
	table := map[string]func() *focus.Table[focus.Charge]{
		focus.FOCUS: func() *focus.Table[focus.Charge] { return focus.Focus(f.Version) }, focus.CBFFormat: focus.CBF, focus.VantageFormat: focus.Vantage,
	}[f.Format]()
	out, err := open(f, w, table.Columns())
	if err != nil {
		return Sums{}, err
	}
	var sums Sums
	var cells []focus.Cell
	m := focus.NewMapper(focus.Options{Daily: f.Rows == focus.Daily, Single: f.Rows == focus.Request, Rates: rates}, func(c *focus.Charge) error {
		sums.Rows++
		cells = table.Cells(cells[:0], c)
		return out.Write(cells)
	})
	for r, err := range records {
		if err != nil {
			return sums, err
		}
		sums.add(r)
		if err := m.Add(r); err != nil {
			return sums, err
		}
	}
	if err := m.Close(); err != nil {
		return sums, err
	}
	return sums, out.Close()
}

func writeUsage(f focus.Form, w io.Writer, records iter.Seq2[*record.Record, error]) (sums Sums, err error) {
	table := focus.Usage()
	out, err := open(f, w, table.Columns())
	if err != nil {
		return sums, err
	}
	var cells []focus.Cell
	for r, err := range records {
		if err != nil {
			return sums, err
		}
		sums.add(r)
		sums.Rows++
		cells = table.Cells(cells[:0], r)
		if err := out.Write(cells); err != nil {
			return sums, err
		}
	}
	return sums, out.Close()
}

func (s *Sums) add(r *record.Record) {
	s.Records++
	s.Cost += int64(r.Cost)
	s.List += int64(r.List)
	for _, saving := range r.Savings {
		s.Saved += int64(saving.Amount)
	}
}

// Open reads a file that [Write] wrote, or somebody else: Parquet by its first
// bytes, else CSV with the columns of the specification.
func Open(r interface {
	io.Reader
	io.ReaderAt
}, size int64) (focus.Source, error) {
	magic := make([]byte, 4)
	if n, err := r.ReadAt(magic, 0); err == nil && n == len(magic) && string(magic) == "PAR1" {
		return columnar.Read(r, size)
	}
	return focus.ReadCSV(r, focus.Known())
}
