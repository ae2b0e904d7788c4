package node

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
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
	form, err := focus.Form{Format: q.Format, Version: focus.Version(q.Version), File: q.File, Rows: q.Rows, Raw: q.Raw}.Complete()
	if err != nil {
		return admin.Export{}, admin.Invalid(err.Error())
	}
	span, err := exportRange(q.From, q.To, now())
	if err != nil {
		return admin.Export{}, err
	}
	where, err := conditions(&admin.UsageQuery{Filter: q.Filter, AnyOf: q.AnyOf})
	if err != nil {
		return admin.Export{}, err
	}
	query := usage.Query{Range: span, Within: within(q.Reach)}
	return admin.Export{MediaType: form.MediaType(), Name: form.Base() + "." + form.File, Write: func(ctx context.Context, tell func([]admin.NodeAnswer), w io.Writer) error {
		leave, err := enter(ctx, c.n.exporting.files)
		if err != nil {
			return err
		}
		defer leave()
		records, nodes, err := c.n.exported(ctx, query, where, form.Raw)
		if err != nil {
			return err
		}
		tell(nodes)
		_, err = exports.Write(form, w, records, c.n.prices)
		return err
	}}, nil
}

// maxExportFiles is how many files a node makes at once for those who ask; each may have
// [focus.MaxOpen] rows in memory.
const maxExportFiles = 2

// exported are the records that an export is made of: whose they are follows from the
// rules of tags, unless they are to be raw, and where asks for what those make of them. It
// is an error if a node that may know something does not answer, and neither do its copies.
func (n *Node) exported(ctx context.Context, q usage.Query, where []usage.Condition, raw bool) (iter.Seq2[*record.Record, error], []admin.NodeAnswer, error) {
	var rules *usage.Mapping
	if !raw {
		var err error
		if rules, err = n.mapping(); err != nil {
			return nil, nil, admin.Undecided("records cannot be mapped: " + err.Error())
		}
	}
	records, nodes, err := n.recordsOf(ctx, q)
	if err == nil {
		err = nobodyMissing(nodes)
	}
	if err != nil {
		return nil, nil, err
	}
	mapped := usage.Query{Where: where}
	return func(yield func(*record.Record, error) bool) {
		for r, err := range records {
			if err != nil {
				yield(nil, err)
				return
			}
			rules.Apply(&r.Dims)
			if mapped.Selects(r) && !yield(r, nil) {
				return
			}
		}
	}, nodes, nil
}

// nobodyMissing says which nodes nobody answers for. A copy that may lack the last records
// of a node that is gone will do: what it lacks comes as what is presumed.
func nobodyMissing(nodes []admin.NodeAnswer) error {
	var missing []string
	for _, a := range nodes {
		if a.Err != "" {
			missing = append(missing, a.Node+" ("+a.Err+")")
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return admin.Undecided("an export has to have all records, and those of these nodes are missing: " + strings.Join(missing, ", "))
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
