package route

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"purser/ledger"
	"purser/proxy/policy"
	"purser/proxy/price"
)

// traced is a line of a trace: a usage record as JSON, or a shorter form of it, or one
// of Mooncake's traces.
type traced struct {
	At         json.RawMessage   `json:"at"`
	Dimensions map[string]string `json:"dimensions"`
	Usage      map[string]int64  `json:"usage"`
	Stream     bool              `json:"stream"`

	Input  int64  `json:"input_tokens"`
	Cached int64  `json:"cached_tokens"` // of the input
	Output int64  `json:"output_tokens"`
	Tools  int    `json:"tools"`
	Needs  []Need `json:"needs"`

	Timestamp    int64 `json:"timestamp"` // milliseconds
	InputLength  int64 `json:"input_length"`
	OutputLength int64 `json:"output_length"`
}

// ReadAsked reads one line of a trace in JSON. A line that says nothing of tokens is an
// error.
func ReadAsked(line []byte) (*Asked, error) {
	var t traced
	if err := json.Unmarshal(line, &t); err != nil {
		return nil, fmt.Errorf("it is no request: %w", err)
	}
	a := &Asked{At: ledger.Instant(t.Timestamp) * ledger.Second / 1000, Stream: t.Stream, Needs: t.Needs, Tools: t.Tools}
	if len(t.At) > 0 {
		var at time.Time
		if err := json.Unmarshal(t.At, &at); err != nil {
			return nil, errors.New("at is no time as RFC 3339 has it")
		}
		a.At = ledger.Instant(at.UnixNano())
	}
	for name, value := range t.Dimensions {
		if err := setDim(&a.Dims, name, value); err != nil {
			return nil, err
		}
	}
	for name, n := range t.Usage {
		m, ok := price.ParseMeter(name)
		if !ok {
			return nil, fmt.Errorf("usage: %q is no meter", policy.Clip(name))
		}
		a.Usage[m] = n
	}
	in, out := t.Input+t.InputLength, t.Output+t.OutputLength
	if len(t.Usage) == 0 {
		a.Usage[price.InputText], a.Usage[price.CacheRead], a.Usage[price.OutputText] = in-t.Cached, t.Cached, out
	}
	for _, n := range a.Usage {
		if n < 0 || n > maxTokens {
			return nil, fmt.Errorf("%d is no number of tokens", n)
		}
	}
	if a.Usage.TotalInput()+a.Usage.TotalOutput() == 0 {
		return nil, errors.New("it says nothing of tokens: give usage, input_tokens and output_tokens, or input_length and output_length")
	}
	if a.Tools > 0 {
		a.Needs = append(a.Needs, Tools)
	}
	return a, nil
}

func setDim(d *ledger.Dimensions, name, value string) error {
	if tag, ok := strings.CutPrefix(name, "tag:"); ok {
		if len(d.Tags) < ledger.MaxTags {
			d.Tags = append(d.Tags, ledger.Tag{Name: tag, Value: value})
		}
		return nil
	}
	dim, err := ledger.ParseDim(name)
	if err != nil || dim == ledger.DimTag {
		return fmt.Errorf("dimensions: %q is none", policy.Clip(name))
	}
	d.Values[dim] = value
	return nil
}
