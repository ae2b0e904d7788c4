package exports

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"

	"purser/internal/focus"
)

// Day is a calendar day, UTC, or the beginning of one.
type Day struct {
	Name     string // "2026-11-26"
	From, To time.Time
}

// Month is a calendar month, UTC, and the days of it that are asked for.
type Month struct {
	Name string // "2026-11"
	End  time.Time
	Days []Day
}

// maxMonths bounds how far back a job goes.
const maxMonths = 240

// Months are the days of a range by month. The last day ends with the range.
func Months(from, to time.Time) (list []Month) {
	for day := from.UTC().Truncate(24 * time.Hour); day.Before(to); day = day.AddDate(0, 0, 1) {
		if name := day.Format("2006-01"); len(list) == 0 || list[len(list)-1].Name != name {
			if len(list) == maxMonths {
				return list
			}
			list = append(list, Month{Name: name, End: time.Date(day.Year(), day.Month()+1, 1, 0, 0, 0, 0, time.UTC)})
		}
		end := day.AddDate(0, 0, 1)
		if to.Before(end) {
			end = to
		}
		m := &list[len(list)-1]
		m.Days = append(m.Days, Day{Name: day.Format(time.DateOnly), From: day, To: end})
	}
	return list
}

// File is one file of a partition.
type File struct {
	Name   string `json:"name"`
	Day    string `json:"day"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	Sums
	Known Sums `json:"known,omitzero"` // what the day came to when it was written
}

// Change is a file that was replaced after its month was over.
type Change struct {
	At     string `json:"at"` // RFC 3339
	Day    string `json:"day"`
	Before File   `json:"before"`
	After  File   `json:"after"`
}

// maxChanges is how many a manifest remembers, the latest.
const maxChanges = 1000

// Manifest says what the files of one month have in them.
type Manifest struct {
	Kind     string     `json:"kind"` // manifestKind
	Form     focus.Form `json:"form"`
	Period   string     `json:"period"`   // "2026-11"
	Revision int64      `json:"revision"` // grows with each time it is written
	Closed   bool       `json:"closed"`   // every day of the month has been written
	Files    []File     `json:"files"`    // by day
	Total    Sums       `json:"total"`
	Changes  []Change   `json:"changes,omitempty"` // since it was closed, the latest last
}

const manifestKind = "purser-export-1"

// maxManifest bounds one that is read.
const maxManifest = 4 << 20

// NewManifest is that of a month without files.
func NewManifest(form focus.Form, period string) *Manifest {
	return &Manifest{Kind: manifestKind, Form: form, Period: period, Files: []File{}}
}

// dir is where the month's files are.
func (m *Manifest) dir() string { return "billing_period=" + m.Period + "/" }

// name is that of the manifest: several formats may share a place.
func (m *Manifest) name() string {
	return m.dir() + m.Form.Base() + "-" + m.Form.File + ".manifest.json"
}

// Path is where the file of a day is.
func (m *Manifest) Path(d Day) string {
	return m.dir() + m.Form.Base() + "-" + d.Name + "." + m.Form.File
}

// File is that of a day.
func (m *Manifest) File(day string) (File, bool) {
	i, ok := slices.BinarySearchFunc(m.Files, day, func(f File, d string) int { return strings.Compare(f.Day, d) })
	if !ok {
		return File{}, false
	}
	return m.Files[i], true
}

// Put notes a day's file in place of what was there.
func (m *Manifest) Put(f File) {
	i, ok := slices.BinarySearchFunc(m.Files, f.Day, func(f File, d string) int { return strings.Compare(f.Day, d) })
	if ok {
		m.Files[i] = f
		return
	}
	m.Files = slices.Insert(m.Files, i, f)
}

// Save writes the manifest at its place.
func (m *Manifest) Save(ctx context.Context, p Place) error {
	m.Revision++
	m.Total = Sums{}
	for _, f := range m.Files {
		m.Total.Records += f.Records
		m.Total.Rows += f.Rows
		m.Total.Cost += f.Cost
		m.Total.List += f.List
		m.Total.Saved += f.Saved
	}
	m.Changes = m.Changes[max(0, len(m.Changes)-maxChanges):]
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write the manifest of %s: %w", m.Period, err)
	}
	return p.Put(ctx, m.name(), bytes.NewReader(append(b, '\n')), int64(len(b)+1))
}

// errAnotherForm is a place that another export keeps.
var errAnotherForm = errors.New("it is of another export: give this one a place, or a prefix, of its own")

// load reads the manifest of a month, or begins one.
func load(ctx context.Context, p Place, form focus.Form, period string) (*Manifest, error) {
	m := NewManifest(form, period)
	b, err := p.Get(ctx, m.name(), maxManifest)
	if errors.Is(err, ErrNotThere) {
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	var old Manifest
	if err := json.Unmarshal(b, &old); err != nil || old.Kind != manifestKind || old.Period != period {
		return nil, fmt.Errorf("%s is no manifest of an export: move it away", m.name())
	}
	if old.Form != form {
		return nil, fmt.Errorf("%s: %w", m.name(), errAnotherForm)
	}
	slices.SortFunc(old.Files, func(a, b File) int { return strings.Compare(a.Day, b.Day) })
	return &old, nil
}

// Total is how many rows a file has, and what they cost, in nano-dollars.
func Total(rows focus.Source) (n, cost int64, err error) {
	at := slices.IndexFunc(rows.Columns(), func(c focus.Column) bool { return c.Name == "BilledCost" || c.Name == "cost" || c.Name == "cost/cost" })
	sum := new(big.Int)
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return n, 0, fmt.Errorf("row %d: %w", n+1, err)
		}
		n++
		if at < 0 {
			continue
		}
		d := row[at].Number
		if d.Units == nil {
			if d, err = focus.ParseDecimal(row[at].Text); err != nil {
				return n, 0, fmt.Errorf("row %d: %w", n, err)
			}
		}
		nano, _ := d.At(9)
		sum.Add(sum, nano.Units)
	}
	if !sum.IsInt64() {
		return n, 0, errors.New("the file costs more than any bill")
	}
	return n, sum.Int64(), nil
}
