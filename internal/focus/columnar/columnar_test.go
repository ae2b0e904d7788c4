package columnar

import (
	"bytes"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"purser/internal/focus"
	"purser/ledger"
)

var columns = []focus.Column{
	{Name: "a_number", Type: focus.Number, Scale: 18}, {Name: "b_text", Nullable: true}, {Name: "c_time", Type: focus.Time},
	{Name: "d_count", Type: focus.Count, Nullable: true}, {Name: "e_json", Type: focus.JSON, Nullable: true}, {Name: "f_number", Type: focus.Number, Scale: 9, Nullable: true},
}

// tester is a test, of rapid's or the standard library's.
type tester interface{ Fatal(...any) }

func written(t tester, rows [][]focus.Cell) []byte {
	var b bytes.Buffer
	w, err := NewWriter(&b, "test", columns)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rows [][]focus.Cell
		number := func(scale int) focus.Cell {
			n := new(big.Int).Mul(big.NewInt(rapid.Int64().Draw(t, "high")), big.NewInt(rapid.Int64Range(0, 1<<58).Draw(t, "low")))
			return focus.Cell{Set: true, Number: focus.Decimal{Units: n, Scale: scale}}
		}
		maybe := func(c focus.Cell) focus.Cell {
			if rapid.Bool().Draw(t, "null") {
				return focus.Cell{}
			}
			return c
		}
		for range rapid.IntRange(0, 200).Draw(t, "rows") {
			rows = append(rows, []focus.Cell{
				number(18), maybe(focus.Cell{Set: true, Text: rapid.String().Draw(t, "text")}),
				{Set: true, At: ledger.Instant(rapid.Int64Range(0, 1<<50).Draw(t, "at")) * 1000},
				maybe(focus.Cell{Set: true, Number: focus.Decimal{Units: big.NewInt(rapid.Int64().Draw(t, "count"))}}),
				maybe(focus.Cell{Set: true, Text: `{"a":"b"}`}), maybe(number(9)),
			})
		}
		file := written(t, rows)
		src, err := Read(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		for i, c := range src.Columns() {
			want := columns[i]
			if want.Type == focus.JSON {
				want.Type = focus.Text
			}
			if c != want {
				t.Fatalf("column %d is read as %+v", i, c)
			}
		}
		for i, want := range rows {
			got, err := src.Next()
			if err != nil {
				t.Fatalf("row %d: %v", i, err)
			}
			for j := range want {
				a, b := got[j], want[j]
				if a.Set != b.Set || a.Text != b.Text || a.At != b.At || (a.Number.Units == nil) != (b.Number.Units == nil) || a.Number.Units != nil && a.Number.Cmp(b.Number) != 0 {
					t.Fatalf("row %d, %s: %+v is read as %+v", i, columns[j].Name, b, a)
				}
			}
		}
		if _, err := src.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("after the last row: %v", err)
		}
	})
}

func TestEqualRowsAreEqualBytes(t *testing.T) {
	row := []focus.Cell{{Set: true, Number: focus.Decimal{Units: big.NewInt(-5), Scale: 18}}, {}, {Set: true, At: 1000}, {}, {}, {}}
	if !bytes.Equal(written(t, [][]focus.Cell{row, row}), written(t, [][]focus.Cell{row, row})) {
		t.Error("the bytes differ")
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	row := func(c focus.Cell) []focus.Cell { return []focus.Cell{c, {}, {Set: true}, {}, {}, {}} }
	big38 := new(big.Int).Exp(big.NewInt(10), big.NewInt(38), nil)
	for name, c := range map[string]focus.Cell{
		"null":     {},
		"digits":   {Set: true, Number: focus.Decimal{Units: big38, Scale: 18}},
		"decimals": {Set: true, Number: focus.Decimal{Units: big.NewInt(1), Scale: 19}},
	} {
		w, err := NewWriter(io.Discard, "test", columns)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(row(c)); err == nil || !strings.Contains(err.Error(), "a_number") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewWriter(io.Discard, "test", []focus.Column{{Name: "b"}, {Name: "a"}}); err == nil {
		t.Error("columns out of order are taken")
	}
}

func TestOurTablesAreWritten(t *testing.T) {
	for _, list := range [][]focus.Column{focus.Focus(focus.V12).Columns(), focus.Focus(focus.V13).Columns(), focus.Focus(focus.V14).Columns(), focus.Usage().Columns()} {
		w, err := NewWriter(io.Discard, "test", list)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestDamagedFilesAreErrors: no byte that is changed, and no end that is missing, makes
// the reader panic.
func TestDamagedFilesAreErrors(t *testing.T) {
	row := []focus.Cell{{Set: true, Number: focus.Decimal{Units: big.NewInt(1), Scale: 18}}, {Set: true, Text: "x"}, {Set: true}, {}, {}, {}}
	good := written(t, [][]focus.Cell{row, row, row})
	read := func(b []byte) (rows int) {
		src, err := Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return 0
		}
		defer func() { _ = src.Close() }() // what it says of a damaged file was said before
		for {
			if _, err := src.Next(); err != nil || rows > 100 {
				return rows
			}
			rows++
		}
	}
	if got := read(good); got != 3 {
		t.Fatalf("%d rows of 3 are read", got)
	}
	whole := 0
	for i := range good {
		read(good[:i])
		bad := bytes.Clone(good)
		bad[i] ^= 0xff
		if read(bad) == 3 {
			whole++
		}
	}
	if whole == len(good) {
		t.Error("nothing that was changed was noticed")
	}
}
