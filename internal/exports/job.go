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
	// Still is asked before anything is put at the place, which may be long after the run
	// began: an error says that another goes on with it. Nil: nobody else does.
	Still func(context.Context) error
}

// Result is what a run did.
type Result struct {
	Written int // days
	Gone    int // days of which records are gone: they stay as they are, written or not
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
			err = errors.Join(err, j.still(ctx, func() error { return m.Save(ctx, j.Place) }))
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
		// Somebody may have taken the file away, or another leader put an older one there.
		n, err := j.Place.Size(ctx, m.Path(day))
		if err == nil && n == before.Bytes {
			return false, nil
		}
		if err != nil && !errors.Is(err, ErrNotThere) {
			return false, err
		}
	}
	after, err := j.write(ctx, m.Path(day), day, known)
	if errors.Is(err, errGone) {
		res.Gone++
		return false, nil
	}
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

// still puts something at the place, if this job may.
func (j *Job) still(ctx context.Context, put func() error) error {
	if j.Still != nil {
		if err := j.Still(ctx); err != nil {
			return err
		}
	}
	return put()
}

// errGone is a day whose records are not kept any more, though what they came to is.
var errGone = errors.New("records of the day are gone")

// write makes a day's file beside, and then puts it at its place, if it has what is known.
func (j *Job) write(ctx context.Context, path string, day Day, known Sums) (f File, err error) {
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
	if sums.Records < known.Records {
		return f, errGone
	}
	size, err := spool.Seek(0, io.SeekCurrent)
	if err != nil {
		return f, err
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return f, err
	}
	if err := j.still(ctx, func() error { return j.Place.Put(ctx, path, spool, size) }); err != nil {
		return f, err
	}
	return File{Name: pathpkg.Base(path), Day: day.Name, Bytes: size, SHA256: hex.EncodeToString(sum.Sum(nil)), Sums: sums}, nil
}
