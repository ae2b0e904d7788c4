package simprovider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"purser/ledger"
	"purser/proxy/price"
)

// Delivery says what became of an answer, as far as the provider could see
// when it wrote the row: bytes the kernel took may still never arrive.
type Delivery string

// What becomes of an answer.
const (
	Complete     Delivery = "complete"     // all of it was written
	Cut          Delivery = "cut"          // the provider broke it off
	Disconnected Delivery = "disconnected" // the caller hung up
)

// Row is one billed call.
type Row struct {
	Call            string        // the provider's id: answers carry it as "chatcmpl-<call>" and x-request-id "req_<call>", Gemini's as responseId
	ClientRequestID string        // x-client-request-id of the request, "" when absent
	EndUser         string        // the request's `user`, or `metadata.user_id` as Anthropic has it, "" when absent
	Key             string        // fingerprint of the key: 12 hex digits of its SHA-256
	Endpoint        string        // "chat.completions", "embeddings", "generateContent", ...
	Model           string        // as asked for, without a mode suffix
	Tier            string        // as answered and billed
	Usage           price.Usage   // what was generated and is billed
	Cap             int64         // the request's output cap times n, 0 for none
	Cost            ledger.Amount // nano-dollars
	Unpriced        bool          // the pricer knew no price; Cost is 0
	At              time.Time     // UTC
	Stream          bool
	Mode            string // text of the plan, "" for none
	Delivered       Delivery
}

// Totals are sums over the rows of a bill.
type Totals struct {
	Rows     int64
	Cost     ledger.Amount // nano-dollars
	Usage    price.Usage
	Unpriced int64 // rows
}

func (t *Totals) add(r *Row) {
	t.Rows++
	t.Cost += r.Cost
	if r.Unpriced {
		t.Unpriced++
	}
	for m, n := range r.Usage {
		t.Usage[m] += n
	}
}

// Sum adds up rows.
func Sum(rows []Row) Totals {
	var t Totals
	for i := range rows {
		t.add(&rows[i])
	}
	return t
}

// Bill is the provider's own account of what it charged: an append-only file
// of one JSON object a line, and totals in memory. A row is one write, so
// readers see whole lines, and a kill of any other process loses nothing.
type Bill struct {
	mu     sync.Mutex
	file   *os.File // nil when in memory only
	sync   bool
	line   []byte // scratch
	totals Totals
	rows   []Row // ring of the newest, len <= keep
	keep   int
	next   int
}

func openBill(path string, syncEach bool, keep int) (*Bill, error) {
	b := &Bill{sync: syncEach, keep: keep}
	if path == "" {
		return b, nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the bill: %w", err)
	}
	b.file = file
	rows, whole, err := readRows(file)
	if err == nil {
		err = file.Truncate(whole) // a line the last process did not finish
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the bill: %w", err), file.Close())
	}
	for i := range rows {
		b.rememberLocked(&rows[i])
	}
	return b, nil
}

// append bills one call. A bill with a hole is worse than no provider, so a
// write that fails ends the process.
func (b *Bill) append(r *Row) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file != nil {
		b.line = append(r.appendJSON(b.line[:0]), '\n')
		if _, err := b.file.Write(b.line); err != nil {
			panic(fmt.Sprintf("simprovider: writing the bill: %v", err))
		}
		if b.sync {
			if err := b.file.Sync(); err != nil {
				panic(fmt.Sprintf("simprovider: syncing the bill: %v", err))
			}
		}
	}
	b.rememberLocked(r)
}

func (b *Bill) rememberLocked(r *Row) {
	b.totals.add(r)
	switch {
	case len(b.rows) < b.keep:
		b.rows = append(b.rows, *r)
	case b.keep > 0:
		b.rows[b.next] = *r
		b.next = (b.next + 1) % b.keep
	}
}

// Totals are the sums over every row since the bill was opened or reset,
// including those an existing file began with.
func (b *Bill) Totals() Totals {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.totals
}

// Rows are the newest rows, oldest first, as many as are kept.
func (b *Bill) Rows() []Row {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append(append(make([]Row, 0, len(b.rows)), b.rows[b.next:]...), b.rows[:b.next]...)
}

// ByClient are the kept rows of one x-client-request-id, oldest first.
func (b *Bill) ByClient(id string) []Row {
	var found []Row
	for _, r := range b.Rows() {
		if r.ClientRequestID == id {
			found = append(found, r)
		}
	}
	return found
}

// reset starts the totals and the kept rows anew; the file keeps every row.
func (b *Bill) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.totals, b.rows, b.next = Totals{}, nil, 0
}

func (b *Bill) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file == nil {
		return nil
	}
	err := errors.Join(b.file.Sync(), b.file.Close())
	b.file = nil
	return err
}

// ReadBill reads a bill, also while a provider is writing it. An unfinished
// last line is not a row; any other line that is not a row is an error.
func ReadBill(path string) ([]Row, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the bill: %w", err)
	}
	rows, _, err := readRows(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("reading the bill: %w", err)
	}
	return rows, nil
}

// readRows also returns the length of what it could read.
func readRows(r io.Reader) ([]Row, int64, error) {
	content, err := io.ReadAll(r)
	if err != nil {
		return nil, 0, err
	}
	var rows []Row
	whole := int64(bytes.LastIndexByte(content, '\n') + 1)
	for line := range bytes.Lines(content[:whole]) {
		var row Row
		if err := json.Unmarshal(line, &row); err != nil {
			return nil, 0, fmt.Errorf("row %d: %w", len(rows)+1, err)
		}
		rows = append(rows, row)
	}
	return rows, whole, nil
}

var meterNames = [price.NumMeters]string{
	price.InputText: "input_text", price.CacheRead: "cache_read",
	price.CacheWrite5m: "cache_write_5m", price.CacheWrite30m: "cache_write_30m", price.CacheWrite1h: "cache_write_1h",
	price.CacheWrite12h: "cache_write_12h", price.CacheWriteOther: "cache_write_other",
	price.OutputText: "output_text", price.OutputReasoning: "output_reasoning",
	price.AudioIn: "audio_in", price.AudioOut: "audio_out", price.ImageIn: "image_in", price.ImageOut: "image_out",
	price.WebSearch: "web_search", price.WebFetch: "web_fetch", price.CodeExec: "code_exec", price.FileSearch: "file_search",
	price.Requests: "requests",
}

// appendJSON is the stored form of a row; rowJSON below reads it.
func (r *Row) appendJSON(b []byte) []byte {
	b = append(b, `{"call":`...)
	b = appendJSONString(b, r.Call)
	if r.ClientRequestID != "" {
		b = append(b, `,"client_request_id":`...)
		b = appendJSONString(b, r.ClientRequestID)
	}
	if r.EndUser != "" {
		b = append(b, `,"end_user":`...)
		b = appendJSONString(b, r.EndUser)
	}
	b = append(b, `,"key":"`...)
	b = append(b, r.Key...)
	b = append(b, `","endpoint":"`...)
	b = append(b, r.Endpoint...)
	b = append(b, `","model":`...)
	b = appendJSONString(b, r.Model)
	b = append(b, `,"tier":"`...)
	b = append(b, r.Tier...)
	b = append(b, `","usage":`...)
	b = appendUsage(b, &r.Usage)
	if r.Cap > 0 {
		b = append(b, `,"cap":`...)
		b = strconv.AppendInt(b, r.Cap, 10)
	}
	b = append(b, `,"cost_nanousd":`...)
	b = strconv.AppendInt(b, int64(r.Cost), 10)
	if r.Unpriced {
		b = append(b, `,"unpriced":true`...)
	}
	b = append(b, `,"at":"`...)
	b = r.At.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","stream":`...)
	b = strconv.AppendBool(b, r.Stream)
	if r.Mode != "" {
		b = append(b, `,"mode":`...)
		b = appendJSONString(b, r.Mode)
	}
	b = append(b, `,"delivered":"`...)
	b = append(b, r.Delivered...)
	return append(b, `"}`...)
}

func appendUsage(b []byte, u *price.Usage) []byte {
	b = append(b, '{')
	first := true
	for m, n := range u {
		if n == 0 {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, '"')
		b = append(b, meterNames[m]...)
		b = append(b, `":`...)
		b = strconv.AppendInt(b, n, 10)
	}
	return append(b, '}')
}

// MarshalJSON gives the stored form of a row.
func (r Row) MarshalJSON() ([]byte, error) { return r.appendJSON(nil), nil }

// UnmarshalJSON reads the stored form of a row.
func (r *Row) UnmarshalJSON(data []byte) error {
	var s struct {
		Call      string           `json:"call"`
		Client    string           `json:"client_request_id"`
		EndUser   string           `json:"end_user"`
		Key       string           `json:"key"`
		Endpoint  string           `json:"endpoint"`
		Model     string           `json:"model"`
		Tier      string           `json:"tier"`
		Usage     map[string]int64 `json:"usage"`
		Cap       int64            `json:"cap"`
		Cost      ledger.Amount    `json:"cost_nanousd"`
		Unpriced  bool             `json:"unpriced"`
		At        time.Time        `json:"at"`
		Stream    bool             `json:"stream"`
		Mode      string           `json:"mode"`
		Delivered Delivery         `json:"delivered"`
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	*r = Row{Call: s.Call, ClientRequestID: s.Client, EndUser: s.EndUser, Key: s.Key, Endpoint: s.Endpoint, Model: s.Model, Tier: s.Tier,
		Cap: s.Cap, Cost: s.Cost, Unpriced: s.Unpriced, At: s.At, Stream: s.Stream, Mode: s.Mode, Delivered: s.Delivered}
	if r.Call == "" {
		return errors.New("a row without a call")
	}
	for m, name := range meterNames {
		r.Usage[m] = s.Usage[name]
		delete(s.Usage, name)
	}
	if len(s.Usage) > 0 {
		return fmt.Errorf("call %s has a meter this version does not know", r.Call)
	}
	return nil
}
