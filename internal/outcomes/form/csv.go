package form

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"purser/internal/outcomes"
	"purser/ledger"
)

// MaxCell bounds a field of a CSV file.
const MaxCell = 4 << 10

// ErrHeader is a file whose first line does not name its columns.
var ErrHeader = errors.New("the first line has to name the columns")

// columns of an outcome beside dimensions and tag:<name>.
var columns = []string{"id", "name", "at", "success", "quality", "value", "currency", "count", "request_id", "run", "session", "trace_id", "from", "to"}

// CSV reads outcomes line by line, and has each called with what a line says, or with why
// it is none. The first line names the columns: id and name, at, success (true or false),
// quality, value, currency, count, one of request_id, run, session and trace_id, or
// dimensions such as customer and tag:job with from and to. An empty field says nothing.
// Lines are those of the file, from 1. It ends when each says so, or cannot go on.
func CSV(in io.Reader, t Teller, each func(line int, r outcomes.Report, fault *Error) bool) error {
	return rows(in, func(name string) bool {
		_, err := ledger.ParseDimRef(name)
		return err == nil || slices.Contains(columns, name)
	}, []string{"id", "name"}, func(line int, row map[string]string, fault *Error) bool {
		if fault != nil {
			return each(line, outcomes.Report{}, fault)
		}
		r, fault := cells(row, t)
		return each(line, r, fault)
	})
}

func cells(row map[string]string, t Teller) (r outcomes.Report, fault *Error) {
	r.ID, r.Name = row["id"], row["name"]
	switch s := strings.ToLower(row["success"]); s {
	case "":
	case "true", "yes", "1":
		r.Success = outcomes.Succeeded
	case "false", "no", "0":
		r.Success = outcomes.Failed
	default:
		return r, bad("success", "success %.20q is neither true nor false", s)
	}
	if s := row["count"]; s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 1 {
			return r, bad("count", "count %.20q is not a whole number from 1 to %d", s, outcomes.MaxCount)
		}
		r.Count = n
	}
	if fault := said(&r, row["at"], row["quality"], row["value"], row["currency"]); fault != nil {
		return r, fault
	}
	j := Join{Request: row["request_id"], Run: row["run"], Session: row["session"], Trace: row["trace_id"], From: row["from"], To: row["to"], Dimensions: map[string]string{}}
	for name, v := range row {
		if v != "" && !slices.Contains(columns, name) {
			j.Dimensions[name] = v
		}
	}
	if fault := j.read(&r); fault != nil {
		return r, fault
	}
	return r, t.report(&r)
}

// rows reads a CSV file with a header whose columns are known and has each called with the
// fields of a line by their columns.
func rows(in io.Reader, known func(string) bool, needed []string, each func(line int, row map[string]string, fault *Error) bool) error {
	b := bufio.NewReader(in)
	if mark, err := b.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) { // as spreadsheets begin files
		_, _ = b.Discard(len(mark))
	}
	c := csv.NewReader(b)
	c.ReuseRecord, c.FieldsPerRecord = true, -1
	head, err := c.Read()
	if err != nil {
		return fmt.Errorf("%w: %v", ErrHeader, err)
	}
	head = slices.Clone(head)
	for i := range head {
		head[i] = strings.TrimSpace(head[i])
		if !known(head[i]) {
			return fmt.Errorf("%w: %.80q is no column that is known", ErrHeader, head[i])
		}
		if slices.Contains(head[:i], head[i]) {
			return fmt.Errorf("%w: %q is there twice", ErrHeader, head[i])
		}
	}
	for _, name := range needed {
		if !slices.Contains(head, name) {
			return fmt.Errorf("%w: there is no %q among them", ErrHeader, name)
		}
	}
	for {
		fields, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			if !each(wrong.Line, nil, bad("", "the line is not CSV: %v", wrong.Err)) {
				return nil
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("read the file: %w", err)
		}
		line, _ := c.FieldPos(0)
		row, fault := map[string]string{}, (*Error)(nil)
		if len(fields) != len(head) {
			fault = bad("", "the line has %d fields, and the first line %d", len(fields), len(head))
		}
		for i := range min(len(fields), len(head)) {
			if row[head[i]] = fields[i]; len(fields[i]) > MaxCell {
				fault = bad(head[i], "the field has more than %d bytes", MaxCell)
			}
		}
		if !each(line, row, fault) {
			return nil
		}
	}
}
