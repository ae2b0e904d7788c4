package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"purser/api/admin"
)

type topCmd struct {
	remote
	By     []string      `help:"What spends: customer, feature, agent, model, key, tag:<name> …" default:"customer"`
	Sort   string        `help:"By what: spend, requests, errors or latency." enum:"spend,requests,errors,latency" default:"spend"`
	Window time.Duration `help:"Over how long." default:"5m"`
	Every  time.Duration `help:"How often it looks again, at least 1s." default:"2s"`
	Filter []string      `help:"Only requests with this value: --filter team=search." sep:"none"`
	Once   bool          `help:"Print it once and end, as it is where the output is no terminal."`
}

// Help says what the columns are.
func (topCmd) Help() string {
	return "Requests, spend and tokens are those of the window, the first three columns by second or hour. ERRORS are answers that went wrong at the provider or here, of all records. Ctrl-C ends it."
}

const (
	// topGroups is how many groups are asked for; more are shown as other.
	topGroups = 200
	// topBackoff is the longest wait after an error.
	topBackoff = 30 * time.Second
)

// Run shows who spends.
func (c *topCmd) Run(ctx context.Context) error {
	if c.Every < time.Second || c.Window < 10*time.Second || c.Window > 24*time.Hour {
		return errors.New("--every is at least 1s, and --window 10s to 24h")
	}
	if c.JSON || c.Once || !isTerminal(os.Stdout) {
		report, err := c.ask(ctx)
		if err != nil {
			return err
		}
		return c.print(report, func(w *tabwriter.Writer) { c.table(w, report, topGroups) })
	}
	return c.live(ctx, os.Stdout)
}

func (c *topCmd) ask(ctx context.Context) (*admin.UsageReport, error) {
	of := asked{From: c.Window.String(), Filter: c.Filter}
	q, err := of.query()
	if err != nil {
		return nil, err
	}
	q.Group, q.Limit = c.By, topGroups
	report, err := c.client().Usage(ctx, q)
	return &report, err
}

// What a terminal is told (ECMA-48, and xterm for the second screen).
const (
	termBegin = "\x1b[?1049h\x1b[?25l" // the second screen, no cursor
	termEnd   = "\x1b[?25h\x1b[?1049l"
	termHome  = "\x1b[H"
	termErase = "\x1b[K" // to the end of the line
	termClear = "\x1b[J" // to the end of the screen
)

// live shows it until ctx ends, which is no error; the terminal is left as it was.
func (c *topCmd) live(ctx context.Context, out *os.File) (err error) {
	defer func() {
		_, failed := io.WriteString(out, termEnd)
		err = errors.Join(err, failed)
	}()
	if _, err := io.WriteString(out, termBegin); err != nil {
		return err
	}
	wait := c.Every
	for {
		report, err := c.ask(ctx)
		if ctx.Err() != nil {
			return nil
		}
		rows, columns := sizeOf(out)
		if _, err := out.Write(c.screen(report, err, rows, columns)); err != nil {
			return err
		}
		if wait = min(wait*2, topBackoff); err == nil {
			wait = c.Every
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// screen is what is on it: of an error, the error alone.
func (c *topCmd) screen(report *admin.UsageReport, err error, rows, columns int) []byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, "purser top: %s by %s, the last %v, %s (Ctrl-C ends)\n\n", c.Sort, strings.Join(c.By, ", "), c.Window, time.Now().Format(time.TimeOnly))
	if err != nil {
		fmt.Fprintln(&text, printable(explain(err)))
	} else {
		w := tabwriter.NewWriter(&text, 0, 4, 2, ' ', 0)
		c.table(w, report, max(rows-5, 1))
		_ = w.Flush() // a buffer takes everything
	}
	var out bytes.Buffer
	out.WriteString(termHome)
	for i, line := range strings.Split(strings.TrimRight(text.String(), "\n"), "\n") {
		if i >= rows {
			break
		}
		if i > 0 {
			out.WriteString("\r\n")
		}
		if r := []rune(line); len(r) > columns {
			line = string(r[:columns])
		}
		out.WriteString(line + termErase)
	}
	out.WriteString(termClear)
	return out.Bytes()
}

// wrong is how many records of a row went wrong.
func wrong(r *admin.UsageRow) (n int64) {
	for _, o := range [...]string{"upstream_error", "truncated", "undecided", "denied", "refused"} {
		n += r.Outcomes[o]
	}
	return n
}

func (c *topCmd) table(w *tabwriter.Writer, report *admin.UsageReport, most int) {
	rows := slices.Clone(report.Rows)
	slices.SortStableFunc(rows, func(a, b admin.UsageRow) int {
		switch {
		case a.Rest != b.Rest: // the rest is last
			if a.Rest {
				return 1
			}
			return -1
		case c.Sort == "requests":
			return cmp.Compare(b.Requests, a.Requests)
		case c.Sort == "errors":
			return cmp.Compare(wrong(&b), wrong(&a))
		case c.Sort == "latency":
			return cmp.Compare(b.TotalP99, a.TotalP99)
		default:
			return cmp.Compare(b.Cost, a.Cost)
		}
	})
	fmt.Fprintf(w, "%s\tREQ/S\tSPEND/H\tTOKENS/S\tREQUESTS\tSPEND\tERRORS\tP50\tP99\n", strings.ToUpper(strings.Join(c.By, "\t")))
	seconds := c.Window.Seconds()
	line := func(cells []string, r *admin.UsageRow) {
		var tokens int64
		for name, n := range r.Tokens {
			if name != "requests" {
				tokens += n
			}
		}
		hourly := r.Cost * int64(time.Hour/time.Second) / max(int64(seconds), 1)
		fmt.Fprintf(w, "%s\t%.1f\t%s\t%.0f\t%d\t%s\t%d\t%s\t%s\n", strings.Join(cells, "\t"), float64(r.Requests)/seconds, units("usd", hourly), float64(tokens)/seconds,
			r.Requests, units("usd", r.Cost), wrong(r), spanText(r.TotalP50), spanText(r.TotalP99))
	}
	for i := range rows[:min(len(rows), most)] {
		var cells []string
		for _, name := range c.By {
			cells = append(cells, dash(printable(rows[i].Group[name])))
		}
		line(cells, &rows[i])
	}
	cells := make([]string, len(c.By))
	cells[0] = "total"
	line(cells, &report.Total)
}

// isTerminal says whether a file is one.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return err == nil
}

// sizeOf is that of a terminal, in characters.
func sizeOf(f *os.File) (rows, columns int) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Row == 0 || size.Col == 0 {
		return 24, 80
	}
	return int(size.Row), int(size.Col)
}
