package price

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// formatVersion is the version of the snapshot's encoding.
const formatVersion = 1

// Limits of a snapshot, so that a damaged or hostile one is refused and not
// loaded. The embedded one has a few thousand rows and half a megabyte.
const (
	maxSnapshot = 32 << 20 // bytes
	maxModels   = 100_000
	maxRows     = 512 // of one model
	maxForms    = 512 // of one match
	maxForm     = 512 // bytes of one form of a match
)

// Snapshot is a catalogue as data. Its encoding is JSON with one rate a line,
// so that two generations of it can be compared with a diff.
type Snapshot struct {
	Version   int        `json:"version"` // of this format: 1
	Source    string     `json:"source"`  // what it was made from
	Providers []Provider `json:"providers"`
	Models    []Model    `json:"models"`
}

// Provider is one seller of models.
type Provider struct {
	ID       string   `json:"provider"`
	Fallback []string `json:"fallback,omitempty"` // providers whose prices it sells at, in the order they are asked
}

// Model is one model of one provider: the names it answers to, its limits and
// its rates. Names and forms are in lower case, but for Provider and ID.
type Model struct {
	Provider      string `json:"provider"`
	Region        string `json:"region,omitempty"`
	ID            string `json:"model"`
	Match         Match  `json:"match,omitzero"`           // an empty match is the ID itself
	ContextWindow int64  `json:"context_window,omitempty"` // tokens; 0 is unknown
	MaxOutput     int64  `json:"max_output,omitempty"`     // tokens; 0 is unknown
	Tokenizer     string `json:"tokenizer,omitempty"`      // "o200k", "cl100k"; "" is unknown
	Source        string `json:"source,omitempty"`         // where the prices were read, if not in the snapshot's source
	Ceiling       bool   `json:"ceiling,omitempty"`        // prices what the provider has no price for
	Rates         []Row  `json:"rates"`
}

// Match says which names a model answers to: any of its forms may hold.
type Match struct {
	Equals   []string `json:"equals,omitempty"`
	Prefix   []string `json:"prefix,omitempty"`
	Suffix   []string `json:"suffix,omitempty"`
	Contains []string `json:"contains,omitempty"`
	Regex    []string `json:"regex,omitempty"`  // RE2
	Except   []string `json:"except,omitempty"` // RE2: names that no form but Equals may match
}

// Row is the prices of one model at one service tier, in one span of time, from
// one size of input on. Prices are pico-dollars for one token or one call,
// which for tokens is the same as micro-dollars for a million.
//
// The rows of one model with the same From, Until and Daily make up one [Rate].
// There must be one for the standard tier from context 0, with a price for
// input. A span ends where a later one begins, or at its own Until, whichever
// is first. Rows with Daily need rows without, of the same From and Until.
type Row struct {
	Tier        string           `json:"tier,omitempty"`         // "" is standard
	From        string           `json:"from,omitempty"`         // first day, "2026-07-30", UTC; "" is always
	Until       string           `json:"until,omitempty"`        // first day after
	Daily       string           `json:"daily,omitempty"`        // "16:30-00:30", UTC, the end not included; "" is all day
	ContextFrom int64            `json:"context_from,omitempty"` // least total input tokens, cached ones included
	Prices      map[string]int64 `json:"pico_usd"`               // by meter name
}

func (m *Match) empty() bool {
	return len(m.Equals)+len(m.Prefix)+len(m.Suffix)+len(m.Contains)+len(m.Regex) == 0
}

// Encode is the canonical encoding: equal snapshots have equal bytes.
func (s *Snapshot) Encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\"version\":%d,\"source\":%s,\n\"providers\":[\n", s.Version, encode(s.Source))
	for i, p := range s.Providers {
		b.Write(encode(p))
		separate(&b, i, len(s.Providers))
	}
	b.WriteString("],\n\"models\":[\n")
	for i, m := range s.Models {
		rows := m.Rates
		m.Rates = []Row{}
		head := encode(m)
		b.Write(bytes.TrimSuffix(head, []byte("]}")))
		b.WriteByte('\n')
		for j, r := range rows {
			b.WriteString("  ")
			b.Write(encode(r))
			if j < len(rows)-1 {
				b.WriteString(",\n")
			}
		}
		b.WriteString("]}")
		separate(&b, i, len(s.Models))
	}
	b.WriteString("]}\n")
	return b.Bytes()
}

func separate(b *bytes.Buffer, i, n int) {
	if i < n-1 {
		b.WriteByte(',')
	}
	b.WriteByte('\n')
}

// encode is json.Marshal without the escapes that are for browsers: they make
// patterns unreadable. The types above cannot fail to encode.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("price: encoding %T: %v", v, err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func decode(data []byte) (*Snapshot, error) {
	if len(data) > maxSnapshot {
		return nil, fmt.Errorf("catalogue of %d bytes is over the limit of %d", len(data), maxSnapshot)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var s Snapshot
	if err := d.Decode(&s); err != nil {
		return nil, fmt.Errorf("decoding the catalogue: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("decoding the catalogue: there is more after its end")
	}
	if s.Version != formatVersion {
		return nil, fmt.Errorf("catalogue format %d is not %d, the one this program reads", s.Version, formatVersion)
	}
	if len(s.Models) > maxModels {
		return nil, fmt.Errorf("catalogue of %d models is over the limit of %d", len(s.Models), maxModels)
	}
	return &s, nil
}
