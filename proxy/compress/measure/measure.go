// Package measure says what compression takes out of a body, in tokens, level by level
// and pass by pass. It is for the command line and for measurements, not for requests.
package measure

import (
	"encoding/json"
	"fmt"
	"slices"

	"purser/proxy/bound"
	"purser/proxy/compress"
	"purser/proxy/dialect"
	"purser/proxy/dialect/anthropic"
	"purser/proxy/dialect/gemini"
	"purser/proxy/dialect/openai"
)

// Share is what one pass took out, after those before it.
type Share struct {
	Pass   string `json:"pass"`
	Tokens int64  `json:"tokens"`
	Texts  int    `json:"texts"` // that it changed
}

// Outcome is what a level makes of a body.
type Outcome struct {
	Level   string  `json:"level"`
	Before  int64   `json:"tokens_before"`
	After   int64   `json:"tokens_after"`
	Guessed bool    `json:"guessed,omitempty"` // the tokens are o200k's, not those of the model
	Passes  []Share `json:"passes"`            // those that took something out, in their order
	Body    []byte  `json:"-"`
}

// Model is the tokenizer of a model, as the price catalogue names it; "" for unknown.
type Model = bound.Model

// Of compresses a body and counts. The shares are of the passes run one after the
// other, so that they add up to the difference.
func Of(body []byte, d compress.Dialect, s compress.Settings, m Model) (*Outcome, error) {
	before, guessed, err := tokens(body, d, m)
	if err != nil {
		return nil, err
	}
	out := &Outcome{Level: s.Level.String(), Before: before, After: before, Guessed: guessed, Body: body, Passes: []Share{}}
	skip := s.Skip
	for i, p := range compress.Passes() {
		if p.Level() > s.Level || slices.Contains(skip, p) || len(s.Only) > 0 && !slices.Contains(s.Only, p) {
			continue
		}
		with := s
		with.Skip = append(slices.Clone(skip), compress.Passes()[i+1:]...)
		r, err := compress.Apply(body, d, &with)
		if err != nil {
			return nil, err
		}
		n, _, err := tokens(r.Body, d, m)
		if err != nil {
			return nil, fmt.Errorf("reading what the pass %s made: %w", p, err)
		}
		if e := r.Of(p); e.Texts > 0 {
			out.Passes = append(out.Passes, Share{p.String(), out.After - n, e.Texts})
		}
		out.After, out.Body = n, r.Body
	}
	return out, nil
}

var formats = map[compress.Dialect]dialect.Format{
	compress.Chat: openai.Format{}, compress.Responses: openai.ResponsesFormat{}, compress.Messages: anthropic.Format{}, compress.Gemini: gemini.Format{},
}

func tokens(body []byte, d compress.Dialect, m Model) (n int64, guessed bool, err error) {
	f := formats[d]
	if f == nil {
		return 0, false, fmt.Errorf("no dialect %d", d)
	}
	t := dialect.Target{Endpoint: dialect.Chat}
	switch d {
	case compress.Responses:
		t.Endpoint = dialect.Responses
	case compress.Gemini:
		t.Model, t.Operation = "gemini", gemini.Generate
	}
	var c dialect.Call
	if e := f.Decode(&c, t, body); e != nil {
		return 0, false, fmt.Errorf("reading the body as %s: %s", d, e.Message)
	}
	n, guessed, ok := bound.Tokens(&c, m)
	if !ok {
		return 0, false, fmt.Errorf("the body has too many odd words to be counted")
	}
	return n, guessed, nil
}

// DialectOf guesses the dialect of a body from the fields that only one has.
func DialectOf(body []byte) compress.Dialect {
	var b struct {
		Contents, Input, System json.RawMessage
		Tools                   []map[string]json.RawMessage
	}
	if json.Unmarshal(body, &b) != nil {
		return compress.Chat
	}
	schemas := slices.ContainsFunc(b.Tools, func(t map[string]json.RawMessage) bool { return t["input_schema"] != nil })
	switch {
	case b.Contents != nil:
		return compress.Gemini
	case b.Input != nil:
		return compress.Responses
	case b.System != nil, schemas:
		return compress.Messages
	}
	return compress.Chat
}
