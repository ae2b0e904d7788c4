package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"

	"purser/api/admin"
)

// Of a part of a file that is sent at once.
const (
	partLines = 5000
	partBytes = 3 << 20 // the node takes 4 MiB
)

// part is some lines of a CSV file below its header.
type part struct {
	body  []byte
	first int // the line of the file that the first of them begins on
}

// parts reads a CSV file part by part. Each has the file's header, so that a line is in the
// file where it is in the part, first-2 lines further down.
func parts(in io.Reader, each func(part) error) error {
	read := bufio.NewReaderSize(in, 1<<16)
	if mark, err := read.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) { // as spreadsheets begin files
		_, _ = read.Discard(len(mark))
	}
	c := csv.NewReader(read)
	c.FieldsPerRecord = -1
	head, err := c.Read()
	if err != nil {
		return fmt.Errorf("the first line of the file names no columns: %w", err)
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	next, lines, first := 0, 0, 0
	begin := func() error {
		b.Reset()
		lines = 0
		return w.Write(head)
	}
	flush := func() error {
		if w.Flush(); w.Error() != nil {
			return w.Error()
		}
		if lines == 0 {
			return nil
		}
		return each(part{body: bytes.Clone(b.Bytes()), first: first})
	}
	if err := begin(); err != nil {
		return err
	}
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			return flush()
		}
		if err != nil {
			return errors.Join(flush(), fmt.Errorf("the file cannot be read further: %w", err))
		}
		line, _ := c.FieldPos(0)
		// A part is one of lines that follow one another in the file, of one line each.
		if lines > 0 && (line != next || lines == partLines || b.Len() > partBytes) {
			if err := flush(); err != nil {
				return err
			}
			if err := begin(); err != nil {
				return err
			}
		}
		if lines == 0 {
			first = line
		}
		if err := w.Write(row); err != nil {
			return err
		}
		w.Flush()
		lines, next = lines+1, line+1
	}
}

// errNotAll is an import of which not everything was kept. What that is has been said.
var errNotAll = errors.New("not everything was kept")

// importFile sends a CSV file in parts, says how far it is and what was not kept.
func importFile(ctx context.Context, r *remote, file string, send func(context.Context, []byte) (admin.Imported, error)) error {
	in := os.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	var sum admin.Imported
	err := parts(in, func(p part) error {
		out, err := send(ctx, p.body)
		if err != nil {
			return fmt.Errorf("from line %d on: %w", p.first, err)
		}
		for _, f := range out.Problems {
			f.Line += p.first - 2 // the header is line 1 of each part
			sum.Problems = append(sum.Problems, f)
			fmt.Fprintf(os.Stderr, "line %d: %s\n", f.Line, f.Message)
		}
		sum.Recorded, sum.Known, sum.Outdated = sum.Recorded+out.Recorded, sum.Known+out.Known, sum.Outdated+out.Outdated
		sum.Conflicts, sum.Invalid = sum.Conflicts+out.Conflicts, sum.Invalid+out.Invalid
		if !r.JSON {
			fmt.Fprintf(os.Stderr, "%d recorded, %d known before, %d outdated, %d conflicts, %d that cannot be read\n", sum.Recorded, sum.Known, sum.Outdated, sum.Conflicts, sum.Invalid)
		}
		return nil
	})
	if r.JSON {
		err = errors.Join(err, r.print(sum, nil))
	}
	if err == nil && sum.Conflicts+sum.Invalid > 0 {
		err = errNotAll
	}
	return err
}
