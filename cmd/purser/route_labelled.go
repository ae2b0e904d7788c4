package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"purser/ledger"
	"purser/node"
)

// labelledPrompt is a prompt and what answers to it are worth.
type labelledPrompt struct {
	Text    string                 `json:"text"`
	Quality map[string]float64     `json:"quality"` // by candidate, 0 to 1
	Cost    map[string]json.Number `json:"cost"`    // dollars, by candidate

	costs map[string]ledger.Amount
}

// Limits of a file of examples.
const (
	maxExamples     = 200_000
	maxExampleBytes = 1 << 20 // one line
)

// readLabelled reads a file of examples: CSV if it is called so, else JSON lines.
func readLabelled(name string) ([]labelledPrompt, error) {
	in := os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // it was read
		in = f
	}
	read := labelledLines
	if strings.HasSuffix(name, ".csv") {
		read = labelledTable
	}
	list, err := read(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}

func (l *labelledPrompt) check() error {
	if l.Text == "" || len(l.Quality) == 0 {
		return errors.New("text or quality is missing")
	}
	for name, q := range l.Quality {
		if !(q >= 0 && q <= 1) {
			return fmt.Errorf("the quality of %s is not within 0 to 1", name)
		}
	}
	l.costs = map[string]ledger.Amount{}
	for name, text := range l.Cost {
		a, err := node.ParseLimit(text.String(), ledger.USD)
		if err != nil {
			return fmt.Errorf("the cost of %s is no amount of dollars", name)
		}
		l.costs[name] = a
	}
	return nil
}

func labelledLines(r io.Reader) (out []labelledPrompt, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxExampleBytes)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var l labelledPrompt
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(&l); err != nil {
			return nil, fmt.Errorf(`line %d is no example, {"text","quality":{candidate:0..1},"cost":{candidate:dollars}}`, n)
		}
		if err := l.check(); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if out = append(out, l); len(out) > maxExamples {
			return nil, fmt.Errorf("more than %d examples", maxExamples)
		}
	}
	return out, lines.Err()
}

// costColumn begins the name of a column of costs.
const costColumn = "cost:"

// labelledTable reads CSV: a column text, one for each candidate with the quality, and
// perhaps one for each with the cost in dollars, cost:candidate.
func labelledTable(r io.Reader) (out []labelledPrompt, err error) {
	table := csv.NewReader(r)
	head, err := table.Read()
	if err != nil {
		return nil, err
	}
	for n := 2; ; n++ {
		row, err := table.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		l := labelledPrompt{Quality: map[string]float64{}, Cost: map[string]json.Number{}}
		for i, value := range row {
			name, isCost := strings.CutPrefix(head[i], costColumn)
			switch {
			case head[i] == "text":
				l.Text = value
			case value == "": // nothing is known
			case isCost:
				l.Cost[name] = json.Number(value)
			default:
				if l.Quality[name], err = strconv.ParseFloat(value, 64); err != nil {
					return nil, fmt.Errorf("row %d: the quality of %s is no number", n, name)
				}
			}
		}
		if err := l.check(); err != nil {
			return nil, fmt.Errorf("row %d: %w", n, err)
		}
		if out = append(out, l); len(out) > maxExamples {
			return nil, fmt.Errorf("more than %d examples", maxExamples)
		}
	}
}
