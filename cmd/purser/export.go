package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"purser/api/admin"
	"purser/internal/exports"
	"purser/internal/focus"
)

// exportFile is how every format is asked for.
type exportFile struct {
	remote
	From   string            `help:"From when: a date, UTC, or RFC 3339 (default the first of this month)."`
	To     string            `help:"Until when, not included (default now)."`
	Rows   string            `help:"What a row stands for: hour, day or request (default hour; of vantage, day)."`
	Filter map[string]string `help:"Only requests with this value: --filter team=search."`
	Raw    bool              `help:"Whose it is as it was recorded, without the rules of tags."`
	Out    string            `help:"Write to this file; - is standard output; a directory gets a file for each day, by month, and a manifest." short:"o" default:"-"`
}

type exportFOCUSCmd struct {
	exportFile
	Format  string `help:"csv or parquet." enum:"csv,parquet" default:"csv"`
	Version string `help:"Of the specification: 1.2, 1.3 or 1.4." default:"1.2"`
}

// Run writes FOCUS.
func (c *exportFOCUSCmd) Run(ctx context.Context) error {
	return c.write(ctx, focus.Form{Format: focus.FOCUS, Version: focus.Version(c.Version), File: c.Format, Rows: c.Rows})
}

type exportCBFCmd struct{ exportFile }

// Run writes CloudZero's Common Bill Format.
func (c *exportCBFCmd) Run(ctx context.Context) error {
	return c.write(ctx, focus.Form{Format: focus.CBFFormat, Rows: c.Rows})
}

type exportVantageCmd struct{ exportFile }

// Run writes the CSV of Vantage's custom providers.
func (c *exportVantageCmd) Run(ctx context.Context) error {
	return c.write(ctx, focus.Form{Format: focus.VantageFormat, Rows: c.Rows})
}

type exportUsageCmd struct {
	exportFile
	Format string `help:"parquet or csv." enum:"csv,parquet" default:"parquet"`
}

// Run writes a row for each record.
func (c *exportUsageCmd) Run(ctx context.Context) error {
	return c.write(ctx, focus.Form{Format: focus.UsageFormat, File: c.Format, Rows: c.Rows})
}

func (c *exportFile) write(ctx context.Context, form focus.Form) error {
	form.Raw = c.Raw
	form, err := form.Complete()
	if err != nil {
		return err
	}
	q := admin.ExportQuery{Format: form.Format, Version: string(form.Version), File: form.File, Rows: form.Rows, From: c.From, To: c.To, Filter: c.Filter, Raw: c.Raw}
	if c.Out == "-" {
		return c.client().Export(ctx, q, func(r io.Reader) error { return copied(os.Stdout, r) })
	}
	if info, err := os.Stat(c.Out); strings.HasSuffix(c.Out, "/") || err == nil && info.IsDir() {
		return c.days(ctx, form, q)
	}
	return c.file(ctx, q, c.Out)
}

func copied(w io.Writer, r io.Reader) error {
	if _, err := io.Copy(w, r); err != nil {
		return fmt.Errorf("the export was broken off; what is there is not the whole: %w", err)
	}
	return nil
}

// file writes one file, which is whole or not there.
func (c *exportFile) file(ctx context.Context, q admin.ExportQuery, path string) error {
	return exports.WriteFile(path, func(w io.Writer) error {
		return c.client().Export(ctx, q, func(r io.Reader) error { return copied(w, r) })
	})
}

// days writes a file for each day, and a manifest for each month.
func (c *exportFile) days(ctx context.Context, form focus.Form, q admin.ExportQuery) error {
	now := time.Now().UTC()
	to, err := exportTime(c.To, now)
	if err != nil {
		return err
	}
	from, err := exportTime(c.From, time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		return err
	}
	if from.Truncate(24*time.Hour) != from || c.To != "" && to.Truncate(24*time.Hour) != to {
		return errors.New("a directory gets whole days: --from and --to are dates then")
	}
	place, err := exports.NewDir(c.Out)
	if err != nil {
		return err
	}
	var total exports.Sums
	for _, month := range exports.Months(from, to) {
		m := exports.NewManifest(form, month.Name)
		for _, day := range month.Days {
			dayQuery := q
			dayQuery.From, dayQuery.To = day.From.Format(time.RFC3339), day.To.Format(time.RFC3339)
			if day.To.Equal(to) && c.To == "" {
				dayQuery.To = "" // until now, by the node's clock
			}
			path := m.Path(day)
			if err := c.file(ctx, dayQuery, place.Local(path)); err != nil {
				return fmt.Errorf("%s: %w", day.Name, err)
			}
			f, err := described(place.Local(path), day.Name)
			if err != nil {
				return err
			}
			if f.Rows == 0 { // a day of nothing has no file
				if err := os.Remove(place.Local(path)); err != nil {
					return err
				}
				continue
			}
			m.Put(f)
			total.Rows += f.Rows
			total.Cost += f.Cost
		}
		if err := m.Save(ctx, place); err != nil {
			return err
		}
	}
	return c.print(total, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "rows\t%d\nbilled\t%s\n", total.Rows, units("usd", total.Cost))
	})
}

// described is what a file has in it.
func described(path, day string) (f exports.File, err error) {
	in, err := os.Open(path)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	info, err := in.Stat()
	if err != nil {
		return f, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil {
		return f, err
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return f, err
	}
	rows, err := exports.Open(in, info.Size())
	if err != nil {
		return f, fmt.Errorf("%s: %w", path, err)
	}
	f = exports.File{Name: filepath.Base(path), Day: day, Bytes: info.Size(), SHA256: hex.EncodeToString(sum.Sum(nil))}
	f.Rows, f.Cost, err = exports.Total(rows)
	return f, err
}

func exportTime(text string, otherwise time.Time) (time.Time, error) {
	if text == "" {
		return otherwise, nil
	}
	for _, form := range [...]string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%.60q is neither a date such as 2026-11-01 nor a time as RFC 3339 has it", text)
}

type exportValidateCmd struct {
	JSON    bool     `help:"Print JSON for programs."`
	Version string   `help:"Of the specification: 1.2, 1.3 or 1.4." default:"1.2"`
	File    []string `arg:"" help:"Files of FOCUS, CSV or Parquet."`
}

// Run checks files, without a node.
func (c *exportValidateCmd) Run() error {
	v, err := focus.ParseVersion(c.Version)
	if err != nil {
		return err
	}
	bad := 0
	for _, name := range c.File {
		report, err := checkFile(name, v)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		bad += len(report.Findings)
		if err := (&remote{JSON: c.JSON}).print(report, func(w *tabwriter.Writer) {
			fmt.Fprintf(w, "%s\t%d rows\t%d rules\tbilled %s\n", name, report.Rows, report.Rules, dash(report.Sums["BilledCost"]))
			for _, f := range report.Findings {
				fmt.Fprintf(w, "  %s\t%s\trow %d\t%d rows\n", f.Rule, printable(f.Text), f.Row, f.Rows)
			}
		}); err != nil {
			return err
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d rules of FOCUS %s are broken", bad, v)
	}
	return nil
}

func checkFile(name string, v focus.Version) (report focus.Report, err error) {
	f, err := os.Open(name)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return report, err
	}
	rows, err := exports.Open(f, info.Size())
	if err != nil {
		return report, err
	}
	return focus.Check(v, rows)
}

type exportStateListCmd struct{ remote }

// Run shows how the exports that are kept up are getting on.
func (c *exportStateListCmd) Run(ctx context.Context) error {
	list, err := c.client().ExportState(ctx)
	if err != nil {
		return err
	}
	return c.print(list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "EXPORT\tSTATE\tWRITTEN\tNEXT\tDAYS\tGONE\tFAILURES\tERROR")
		for _, e := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", e.ID, e.State, dash(e.Written), dash(e.Next), e.Days, e.Gone, e.Failures, dash(printable(e.Error)))
		}
	})
}
