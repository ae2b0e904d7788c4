// Package labelled reads pairs of texts of which somebody said whether they ask the
// same, and finds the classes that follow. It is for measuring and fitting alone: no
// request meets it. It reads bytes, and opens no files.
//
// # Formats
//
//	qqp    a line for each pair: 1 or 0, TAB, text, TAB, text (Quora question pairs)
//	mock   JSON: [{"origin": text, "similar": text}] (GPTCache's mock data); all alike
//	kmemo  JSON: {"pairs": [{"a": text, "b": text, "shouldMatch": bool, "category": word}]}
package labelled

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Pair is two texts and whether one answer serves both.
type Pair struct {
	A, B     string
	Same     bool
	Category string // "" where the format has none
}

// maxLine bounds a line of qqp, in bytes.
const maxLine = 1 << 20

// Read reads pairs in a format.
func Read(r io.Reader, format string) ([]Pair, error) {
	switch format {
	case "qqp":
		return readQQP(r)
	case "mock":
		var rows []struct{ Origin, Similar string }
		if err := json.NewDecoder(r).Decode(&rows); err != nil {
			return nil, fmt.Errorf("reading mock pairs: %w", err)
		}
		out := make([]Pair, len(rows))
		for i, p := range rows {
			out[i] = Pair{A: p.Origin, B: p.Similar, Same: true}
		}
		return out, nil
	case "kmemo":
		var file struct {
			Pairs []struct {
				A, B, Category string
				ShouldMatch    bool
			}
		}
		if err := json.NewDecoder(r).Decode(&file); err != nil {
			return nil, fmt.Errorf("reading kmemo pairs: %w", err)
		}
		out := make([]Pair, len(file.Pairs))
		for i, p := range file.Pairs {
			out[i] = Pair{p.A, p.B, p.ShouldMatch, p.Category}
		}
		return out, nil
	}
	return nil, fmt.Errorf("format %q: qqp, mock or kmemo", format)
}

func readQQP(r io.Reader) ([]Pair, error) {
	var out []Pair
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	for s.Scan() {
		label, rest, ok := strings.Cut(s.Text(), "\t")
		a, b, ok2 := strings.Cut(rest, "\t")
		if !ok || !ok2 || label != "0" && label != "1" {
			return nil, fmt.Errorf("line %d: not 0 or 1, TAB, text, TAB, text", len(out)+1)
		}
		out = append(out, Pair{A: a, B: b, Same: label == "1"})
	}
	return out, s.Err()
}

// Judgement is what the labels say of two texts.
type Judgement uint8

// The judgements.
const (
	Unlabelled Judgement = iota // nobody said
	Right                       // one class
	Wrong                       // a pair of their classes is labelled as not the same
)

// Classes are texts and who of them asks the same, by the pairs labelled so and what
// follows from them.
type Classes struct {
	Texts []string // each once, in order of appearance

	ids    map[string]int
	parent []int
	apart  map[[2]int]bool // classes, by their first member
}

// NewClasses joins the texts of pairs.
func NewClasses(pairs []Pair) *Classes {
	c := &Classes{ids: make(map[string]int, 2*len(pairs)), apart: map[[2]int]bool{}}
	for _, p := range pairs {
		a, b := c.add(p.A), c.add(p.B)
		if p.Same {
			x, y := c.find(a), c.find(b)
			c.parent[max(x, y)] = min(x, y)
		}
	}
	for _, p := range pairs {
		if x, y := c.find(c.ids[p.A]), c.find(c.ids[p.B]); !p.Same && x != y {
			c.apart[[2]int{min(x, y), max(x, y)}] = true
		}
	}
	return c
}

func (c *Classes) add(text string) int {
	if id, ok := c.ids[text]; ok {
		return id
	}
	id := len(c.Texts)
	c.ids[text] = id
	c.Texts = append(c.Texts, text)
	c.parent = append(c.parent, id)
	return id
}

func (c *Classes) find(i int) int {
	for c.parent[i] != i {
		c.parent[i] = c.parent[c.parent[i]]
		i = c.parent[i]
	}
	return i
}

// ID is the number of a text, an index of Texts.
func (c *Classes) ID(text string) (int, bool) {
	id, ok := c.ids[text]
	return id, ok
}

// Class is the first member of the class of a text.
func (c *Classes) Class(id int) int { return c.find(id) }

// Judge says what the labels say of two texts.
func (c *Classes) Judge(a, b int) Judgement {
	x, y := c.find(a), c.find(b)
	switch {
	case x == y:
		return Right
	case c.apart[[2]int{min(x, y), max(x, y)}]:
		return Wrong
	}
	return Unlabelled
}
