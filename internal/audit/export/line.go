package export

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"purser/internal/audit"
	"purser/ledger"
)

// Line is an entry as JSON. Before and After are there where they are canonical JSON,
// which is what nodes write, else the texts. Times are RFC 3339 in UTC.
type Line struct {
	Seq        uint64          `json:"seq"`
	At         string          `json:"at"`
	Node       string          `json:"node"`
	Actor      string          `json:"actor"`
	Address    string          `json:"address"`
	Action     string          `json:"action"`
	Target     string          `json:"target"`
	Before     json.RawMessage `json:"before,omitempty"`
	BeforeText string          `json:"before_text,omitempty"`
	After      json.RawMessage `json:"after,omitempty"`
	AfterText  string          `json:"after_text,omitempty"`
	Result     string          `json:"result"`
	Count      uint64          `json:"count"`
	First      string          `json:"first,omitempty"`
	Prev       string          `json:"prev"`
	Hash       string          `json:"hash"`
}

// AppendLine appends the line of a link, with its line feed. A link that cannot be
// decoded is an error.
func AppendLine(b []byte, l audit.Link) ([]byte, error) {
	e, err := l.Entry()
	if err != nil {
		return b, err
	}
	line := Line{
		Seq: e.Seq, At: timeText(e.At), Node: string(e.Node), Actor: e.Actor, Address: e.Address, Action: e.Action, Target: e.Target,
		Result: e.Result.String(), Count: e.Count, Prev: hex.EncodeToString(l.Prev[:]), Hash: hex.EncodeToString(l.Hash[:]),
	}
	if e.First != 0 {
		line.First = timeText(e.First)
	}
	line.Before, line.BeforeText = detail(e.Before)
	line.After, line.AfterText = detail(e.After)
	return line.append(b)
}

func (l *Line) append(b []byte) ([]byte, error) {
	out := bytes.NewBuffer(b)
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); err != nil {
		return b, fmt.Errorf("writing entry %d: %w", l.Seq, err)
	}
	return out.Bytes(), nil
}

func timeText(i ledger.Instant) string { return time.Unix(0, int64(i)).UTC().Format(time.RFC3339Nano) }

// detail is JSON if it can be in a line as it is.
func detail(b []byte) (json.RawMessage, string) {
	var as bytes.Buffer
	if err := json.Compact(&as, b); err == nil && bytes.Equal(as.Bytes(), b) && !bytes.Equal(b, []byte("null")) {
		return b, ""
	}
	return nil, string(b)
}

// ReadLine reads one line, without its line feed, into the link that it was written
// from. An error wraps [audit.ErrMalformed].
func ReadLine(b []byte) (audit.Link, error) {
	var line Line
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&line); err != nil {
		return audit.Link{}, fmt.Errorf("%w: %w", audit.ErrMalformed, err)
	}
	if again, err := line.append(nil); err != nil || !bytes.Equal(bytes.TrimSuffix(again, []byte("\n")), b) {
		return audit.Link{}, fmt.Errorf("%w: it is not written as entries are", audit.ErrMalformed)
	}
	e := audit.Entry{Seq: line.Seq, Event: audit.Event{Facts: audit.Facts{
		Node: ledger.NodeID(line.Node), Actor: line.Actor, Address: line.Address, Action: line.Action, Target: line.Target,
		Before: whole(line.Before, line.BeforeText), After: whole(line.After, line.AfterText),
	}, Count: line.Count}}
	var l audit.Link
	var errs [6]error
	e.At, errs[0] = instant(line.At)
	if line.First != "" {
		e.First, errs[1] = instant(line.First)
	}
	e.Result, errs[2] = audit.ParseResult(line.Result)
	l.Prev, errs[3] = hash(line.Prev)
	l.Hash, errs[4] = hash(line.Hash)
	l.Stored = audit.AppendEntry(nil, &e)
	// What reads the entry again says whether there can be such a one.
	_, errs[5] = l.Entry()
	if err := errors.Join(errs[:]...); err != nil {
		return audit.Link{}, fmt.Errorf("%w: %w", audit.ErrMalformed, err)
	}
	return l, nil
}

func whole(raw json.RawMessage, text string) []byte {
	if raw != nil {
		return raw
	}
	return []byte(text)
}

// instant reads what timeText writes, and nothing else.
func instant(s string) (ledger.Instant, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, err
	}
	i := ledger.Instant(t.UnixNano())
	if timeText(i) != s {
		return 0, fmt.Errorf("%q is not written as times are", s)
	}
	return i, nil
}

func hash(s string) (h audit.Hash, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) || hex.EncodeToString(b) != s {
		return h, fmt.Errorf("%q is no hash", s)
	}
	return audit.Hash(b), nil
}

// maxLine bounds a line: two details of which each byte is escaped, and the rest.
const maxLine = 14*audit.MaxDetail + 64<<10

// Read reads lines to the end. A line that is none is an error that wraps
// [audit.ErrMalformed]; it ends the sequence, as does any other.
func Read(r io.Reader) iter.Seq2[audit.Link, error] {
	return func(yield func(audit.Link, error) bool) {
		in := bufio.NewReaderSize(r, maxLine)
		for n := 1; ; n++ {
			b, err := in.ReadSlice('\n')
			switch {
			case errors.Is(err, io.EOF) && len(b) == 0:
				return
			case errors.Is(err, io.EOF), errors.Is(err, bufio.ErrBufferFull):
				yield(audit.Link{}, fmt.Errorf("line %d: %w: it does not end", n, audit.ErrMalformed))
				return
			case err != nil:
				yield(audit.Link{}, fmt.Errorf("line %d: %w", n, err))
				return
			}
			l, err := ReadLine(b[:len(b)-1])
			if err != nil {
				yield(audit.Link{}, fmt.Errorf("line %d: %w", n, err))
				return
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}
