package reconcile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// openaiPage is a page of GET /v1/organization/costs
// (https://platform.openai.com/docs/api-reference/usage/costs).
type openaiPage struct {
	Object string `json:"object"`
	Data   []struct {
		Object  string `json:"object"`
		Start   int64  `json:"start_time"`
		End     int64  `json:"end_time"`
		Results []struct {
			Amount *struct {
				Value    json.RawMessage `json:"value"`
				Currency string          `json:"currency"`
			} `json:"amount"`
			Item    string `json:"line_item"`
			Project string `json:"project_id"`
			Key     string `json:"api_key_id"`
		} `json:"results"`
	} `json:"data"`
	HasMore bool   `json:"has_more"`
	Next    string `json:"next_page"`
}

// ReadOpenAI reads the pages of OpenAI's costs, one after the other in one file or in a
// list. Lines name a model where the pages were asked for with group_by=line_item, and a
// key with group_by=api_key_id or project_id.
func ReadOpenAI(raw []byte) (*Report, error) {
	r := &Report{Provider: "openai"}
	return r, eachPage(raw, func(n int, p *openaiPage) (more string, err error) {
		if p.Object != "page" {
			return "", fmt.Errorf("page %d: its object is %q, not \"page\": is it an answer of /v1/organization/costs?", n, p.Object)
		}
		for i, b := range p.Data {
			at := fmt.Sprintf("page %d, bucket %d", n, i+1)
			day, err := wholeDay(time.Unix(b.Start, 0), time.Unix(b.End, 0))
			if err != nil {
				return "", fmt.Errorf("%s: %w", at, err)
			}
			if err := r.day(day); err != nil {
				return "", fmt.Errorf("%s: %w", at, err)
			}
			for j, c := range b.Results {
				l := Line{At: fmt.Sprintf("%s, result %d", at, j+1), Day: day, Key: cmp.Or(c.Key, c.Project)}
				if c.Amount == nil {
					return "", fmt.Errorf("%s: it has no amount", l.At)
				}
				l.Model, l.Item = openaiItem(c.Item)
				if err := r.add(l, strings.Trim(string(c.Amount.Value), `"`), c.Amount.Currency, 0); err != nil {
					return "", err
				}
			}
		}
		if p.HasMore {
			return cmp.Or(p.Next, "?"), nil
		}
		return "", nil
	})
}

// openaiItem parts a line item such as "gpt-4o-mini-2024-07-18, input_tokens". One
// without a comma is of no model: "web search".
func openaiItem(item string) (model, what string) {
	model, what, ok := strings.Cut(item, ", ")
	if !ok {
		return "", item
	}
	return model, what
}

// eachPage reads JSON values one after the other, or the elements of one list. read
// says which page is still to come, "" for none.
func eachPage[P any](raw []byte, read func(n int, p *P) (more string, err error)) error {
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	d := json.NewDecoder(bytes.NewReader(raw))
	inList := bytes.HasPrefix(bytes.TrimSpace(raw), []byte("["))
	if inList {
		if _, err := d.Token(); err != nil {
			return fmt.Errorf("reading the report: %w", err)
		}
	}
	more, n := "", 0
	for {
		if inList && !d.More() {
			break
		}
		var p P
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) && !inList {
			break
		}
		n++
		if err != nil {
			return fmt.Errorf("page %d, at byte %d: %w", n, d.InputOffset(), err)
		}
		if more, err = read(n, &p); err != nil {
			return err
		}
	}
	switch {
	case n == 0:
		return errors.New("the report is empty")
	case more != "":
		return fmt.Errorf("page %d is not the last: there are more (next_page %s); append them, or the days at the end would look too cheap", n, more)
	}
	return nil
}
