package exports

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	pathpkg "path"
	"time"

	"purser/internal/focus"
	"purser/internal/record"
)

// Records is what happened.
type Records interface {
	// Known is what a range of time came to: Records, Cost, List and Saved. It is an error
	// if not everybody who may know something has answered.
	Known(ctx context.Context, from, to time.Time) (Sums, error)
	// Each visits the records of the range in the order of their ids; the same holds.
	Each(ctx context.Context, from, to time.Time, raw bool) (iter.Seq2[*record.Record, error], error)
}

// Job is an export that is kept up.
type Job struct {
	Form    focus.Form // complete
	From    time.Time  // the first day
	Place   Place
	Records Records
	Rates   focus.Rates
	Temp    string // a directory for a file that is being made; "" for the system's
}

// Result is what a run did.
type Result struct {
	Written int // days
	Gone    int // days of which less is known than was written: they stay as they are
}

// Run brings the place up to a time: each day whose file is not there, or lacks something
// that is known, is written. Only days that end after since are looked at.
func (j *Job) Run(ctx context.Context, until, since time.Time) (res Result, err error) {
	for _, month := range Months(j.From, until) {
		if !month.End.After(since) {
			continue
		}
		if err := j.month(ctx, month, until, since, &res); err != nil {
			return res, fmt.Errorf("%s: %w", month.Name, err)
		}
	}
	return res, ctx.Err()
}

func (j *Job) month(ctx context.Context, month Month, until, since time.Time, res *Result) (err error) {
	m, err := load(ctx, j.Place, j.Form, month.Name)
	if err != nil {
		return err
	}
	changed := false
	// What was written before something failed is in the manifest.
	defer func() {
		if changed {
			err = errors.Join(err, m.Save(ctx, j.Place))
		}
	}()
	for _, day := range month.Days {
		if !day.To.After(since) {
			continue
		}
		wrote, err := j.day(ctx, m, day, until, res)
		changed = changed || wrote
		if err != nil {
			return fmt.Errorf("%s: %w", day.Name, err)
		}
	}
	if !m.Closed && !month.End.After(until) {
		m.Closed, changed = true, true
	}
	return nil
}

// day writes a day's file if it lacks something, and notes it in the manifest.
func (j *Job) day(ctx context.Context, m *Manifest, day Day, until time.Time, res *Result) (wrote bool, err error) {
	known, err := j.Records.Known(ctx, day.From, day.To)
	if err != nil {
		return false, err
	}
	before, there := m.File(day.Name)
	switch {
	case !there && known.Records == 0:
		return false, nil
	case there && known.Records < before.Known.Records:
		res.Gone++
		return false, nil
	case there && known == before.Known:
		return false, nil
	}
	after, err := j.write(ctx, m.Path(day), day)
	if err != nil {
		return false, err
	}
	// What came while the file was written is in it and not in known: it is written again.
	after.Known = known
	res.Written++
	m.Put(after)
	if m.Closed {
		m.Changes = append(m.Changes, Change{At: until.UTC().Format(time.RFC3339), Day: day.Name, Before: before, After: after})
	}
	return true, nil
}

// write makes a day's file beside, and then puts it at its place.
func (j *Job) write(ctx context.Context, path string, day Day) (f File, err error) {
	spool, err := os.CreateTemp(j.Temp, "purser-export-*")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, spool.Close(), os.Remove(spool.Name())) }()
	records, err := j.Records.Each(ctx, day.From, day.To, j.Form.Raw)
	if err != nil {
		return f, err
	}
	sum := sha256.New()
	sums, err := Write(j.Form, io.MultiWriter(spool, sum), records, j.Rates)
	if err != nil {
		return f, err
	}
	size, err := spool.Seek(0, io.SeekCurrent)
	if err != nil {
		return f, err
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return f, err
	}
	if err := j.Place.Put(ctx, path, spool, size); err != nil {
		return f, err
	}
	return File{Name: pathpkg.Base(path), Day: day.Name, Bytes: size, SHA256: hex.EncodeToString(sum.Sum(nil)), Sums: sums}, nil
}
