package replay

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strconv"
	"time"

	"purser/ledger"
	"purser/proxy/price"
)

// maxLine is the longest line of a file.
const maxLine = 16 << 20

// line is what a replay wants of a usage record's JSON form.
type line struct {
	ID         string                   `json:"id"`
	At         time.Time                `json:"at"`
	Dimensions map[string]string        `json:"dimensions"`
	Model      string                   `json:"model"`
	Tier       string                   `json:"tier"`
	Outcome    string                   `json:"outcome"`
	Usage      map[string]int64         `json:"usage"`
	Cost       ledger.Amount            `json:"cost_nanousd"`
	Baseline   ledger.Amount            `json:"baseline_nanousd"`
	Savings    map[string]ledger.Amount `json:"savings_nanousd"`
	Shape      struct {
		Before int64 `json:"tokens_before"`
		After  int64 `json:"tokens_after"`
	} `json:"shape"`
	Fingerprint string `json:"fingerprint"`
	Kind        string `json:"kind"` // of what is no request
}

// ReadRecords reads usage records, one JSON object a line, the records of a request one
// after the other: what GET /admin/v1/usage/records gives.
func ReadRecords(r io.Reader) (list []Request, err error) {
	last := ""
	n, err := eachLine(r, func(b []byte) error {
		var l line
		if err := json.Unmarshal(b, &l); err != nil {
			return err
		}
		if l.Kind != "" {
			return nil
		}
		q, err := l.request()
		if err != nil {
			return err
		}
		if l.ID != "" && l.ID == last { // a later attempt of the same request
			before := &list[len(list)-1]
			q.Retries += before.Cost
			q.Cost, q.Baseline = q.Cost+before.Cost, q.Baseline+before.Cost
			*before = q
			return nil
		}
		last = l.ID
		list = append(list, q)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("line %d is no usage record: %w", n, err)
	}
	return inOrder(list), nil
}

func (l *line) request() (q Request, err error) {
	q = Request{At: ledger.Instant(l.At.UnixNano()), Asked: l.Model, Cost: l.Cost, Baseline: l.Baseline, Routed: l.Savings[Routing], Cut: max(0, l.Shape.Before-l.Shape.After)}
	for name, v := range l.Dimensions {
		ref, err := ledger.ParseDimRef(name)
		if err != nil {
			return q, err
		}
		if ref.Dim == ledger.DimTag {
			q.Dims.Tags = append(q.Dims.Tags, ledger.Tag{Name: ref.Tag, Value: v})
			continue
		}
		q.Dims.Values[ref.Dim] = v
	}
	slices.SortFunc(q.Dims.Tags, func(a, b ledger.Tag) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	for name, n := range l.Usage {
		m, ok := price.ParseMeter(name)
		if !ok {
			return q, fmt.Errorf("the meter %q is not known", name)
		}
		q.Usage[m] = n
	}
	if l.Tier != "" {
		var ok bool
		if q.Tier, ok = price.ParseTier(l.Tier); !ok {
			return q, fmt.Errorf("the tier %q is not known", l.Tier)
		}
	}
	if l.Fingerprint != "" {
		if q.Identity, err = strconv.ParseUint(l.Fingerprint, 16, 64); err != nil {
			return q, fmt.Errorf("the fingerprint is no hexadecimal number")
		}
	}
	switch {
	case l.Outcome == "cache_hit" || l.Outcome == "coalesced":
		q.Outcome = Hit
	case l.Outcome == "refused":
		q.Outcome = Refused
	case q.Usage != (price.Usage{}):
		q.Outcome = Called
	default:
		q.Outcome = Other
	}
	return q, nil
}

// Trace says of which model the requests of a trace are, which has no names.
type Trace struct {
	Provider, Model string
	Start           ledger.Instant // when a trace begins that has times from 0 on
}

func (t *Trace) request() Request {
	var q Request
	q.Asked = t.Model
	q.Dims.Values[ledger.DimModel], q.Dims.Values[ledger.DimProvider] = t.Model, t.Provider
	return q
}

// ReadMooncake reads a trace of Mooncake (github.com/kvcache-ai/Mooncake): one JSON
// object a line, with timestamp (milliseconds), input_length, output_length, hash_ids.
func ReadMooncake(r io.Reader, t Trace) (list []Request, err error) {
	n, err := eachLine(r, func(b []byte) error {
		var l struct {
			Timestamp int64    `json:"timestamp"`
			Input     int64    `json:"input_length"`
			Output    int64    `json:"output_length"`
			Blocks    []uint64 `json:"hash_ids"`
		}
		if err := json.Unmarshal(b, &l); err != nil {
			return err
		}
		if l.Timestamp < 0 || l.Input < 0 || l.Output < 0 {
			return errors.New("a negative number")
		}
		q := t.request()
		q.At = t.Start + ledger.Instant(time.Duration(l.Timestamp)*time.Millisecond)
		q.Usage[price.InputText], q.Usage[price.OutputText] = l.Input, l.Output
		q.Blocks, q.Identity = l.Blocks, identity(l.Blocks, l.Input)
		list = append(list, q)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("line %d is not of a Mooncake trace: %w", n, err)
	}
	return inOrder(list), nil
}

// identity is that of a prompt of which only the blocks are known. Its last block may be
// cut anywhere, so that the length counts.
func identity(blocks []uint64, length int64) uint64 {
	h := fnv.New64a()
	for _, v := range append(blocks, uint64(length)) {
		var b [8]byte
		for i := range b {
			b[i] = byte(v >> (8 * i))
		}
		_, _ = h.Write(b[:]) // never fails
	}
	return h.Sum64()
}

// ReadAzure reads a trace of Azure's LLM inference (github.com/Azure/AzurePublicDataset):
// CSV with TIMESTAMP, ContextTokens and GeneratedTokens.
func ReadAzure(r io.Reader, t Trace) (list []Request, err error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = 3
	for n := 1; ; n++ {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return inOrder(list), nil
		}
		if err != nil {
			return nil, err
		}
		if n == 1 && row[0] == "TIMESTAMP" {
			continue
		}
		at, errTime := time.Parse("2006-01-02 15:04:05.9999999", row[0])
		input, errIn := strconv.ParseInt(row[1], 10, 64)
		output, errOut := strconv.ParseInt(row[2], 10, 64)
		if err := errors.Join(errTime, errIn, errOut); err != nil || input < 0 || output < 0 {
			return nil, fmt.Errorf("line %d is not of an Azure trace: %w", n, orNegative(err))
		}
		q := t.request()
		q.At = ledger.Instant(at.UnixNano())
		q.Usage[price.InputText], q.Usage[price.OutputText] = input, output
		list = append(list, q)
	}
}

// orNegative is why a number of a trace is wrong that can be read.
func orNegative(err error) error {
	if err == nil {
		return errors.New("a negative number")
	}
	return err
}

func eachLine(r io.Reader, do func([]byte) error) (n int, err error) {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 64<<10), maxLine)
	for in.Scan() {
		n++
		if len(bytes.TrimSpace(in.Bytes())) == 0 {
			continue
		}
		if err := do(in.Bytes()); err != nil {
			return n, err
		}
	}
	return n + 1, in.Err()
}

// inOrder puts requests in the order of their times.
func inOrder(list []Request) []Request {
	slices.SortStableFunc(list, func(a, b Request) int { return int(max(-1, min(1, a.At-b.At))) })
	return list
}

// Price fills in what the calls of a trace cost, and what they cost without levers, by
// the catalogue.
func Price(list []Request, prices Prices) error {
	for i := range list {
		q := &list[i]
		rate, ok := prices.FindIn(q.Dims.Values[ledger.DimProvider], q.Region, model(q), q.At)
		if !ok {
			return fmt.Errorf("the catalogue has no price for %q at %q", model(q), q.Dims.Values[ledger.DimProvider])
		}
		q.Cost = rate.Cost(&q.Usage, q.Tier)
		q.Baseline = q.Cost
	}
	return nil
}
