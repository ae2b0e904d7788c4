package node

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"purser/api/admin"
	"purser/internal/exports"
	"purser/internal/focus"
	"purser/internal/record"
	"purser/internal/usage"
	"purser/ledger"
)

// maxExportSpan is the widest range of one file: a year and its last month.
const maxExportSpan = 400 * ledger.Day

// PrepareExport implements admin.Exports.
func (c control) PrepareExport(q admin.ExportQuery) (admin.Export, error) {
	form, err := focus.Form{Format: q.Format, Version: focus.Version(q.Version), File: q.File, Rows: q.Rows}.Complete()
	if err != nil {
		return admin.Export{}, admin.Invalid(err.Error())
	}
	span, err := exportRange(q.From, q.To, now())
	if err != nil {
		return admin.Export{}, err
	}
	query := usage.Query{Range: span, Within: within(q.Reach)}
	if query.Where, err = conditions(q.Filter); err != nil {
		return admin.Export{}, err
	}
	return admin.Export{MediaType: form.MediaType(), Name: form.Base() + "." + form.File, Write: func(ctx context.Context, w io.Writer) error {
		_, err := exports.Write(form, w, c.n.exported(ctx, query), c.n.prices)
		return err
	}}, nil
}

// exported are the records that an export is made of.
func (n *Node) exported(ctx context.Context, q usage.Query) iter.Seq2[*record.Record, error] {
	return n.records(ctx, q)
}

// exportRange reads a range, which begins with the month if it does not say when.
func exportRange(from, to string, at ledger.Instant) (r usage.Range, err error) {
	if r.To, err = dayOrInstant("to", to, at); err != nil {
		return r, err
	}
	last := time.Unix(0, int64(max(r.To, 1)-1)).UTC()
	if r.From, err = dayOrInstant("from", from, ledger.Instant(time.Date(last.Year(), last.Month(), 1, 0, 0, 0, 0, time.UTC).UnixNano())); err != nil {
		return r, err
	}
	switch {
	case r.From >= r.To:
		return r, admin.Invalid("from is not before to: an export of no time has nothing in it")
	case r.To-r.From > maxExportSpan:
		return r, admin.Invalid(fmt.Sprintf("the range has %d days, the most of one file is %d: ask for it in parts", (r.To-r.From)/ledger.Day, maxExportSpan/ledger.Day))
	}
	return r, nil
}

// dayOrInstant reads an instant, or a date, which is its beginning, UTC.
func dayOrInstant(name, text string, otherwise ledger.Instant) (ledger.Instant, error) {
	if text == "" {
		return otherwise, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil && t.Year() > 1970 && t.Year() < 2200 {
		return ledger.Instant(t.UnixNano()), nil
	}
	at, err := instantOf(text, otherwise)
	if err != nil {
		return 0, admin.Invalid(fmt.Sprintf("%s %.60q is neither a date such as 2026-11-01 nor a time as RFC 3339 has it", name, text))
	}
	return at, nil
}
