package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"purser/semcache/evaluate"
	"purser/semcache/labelled"
)

// semcacheEvalCmd measures the semantic decision on labelled pairs from files.
type semcacheEvalCmd struct {
	Pairs    string   `help:"The labelled pairs; .gz is unpacked." placeholder:"FILE"`
	Format   string   `help:"What the pairs are written as: qqp, mock or kmemo." enum:"qqp,mock,kmemo" default:"qqp"`
	Vectors  string   `help:"Kmemo's guard conformance vectors; .gz is unpacked." placeholder:"FILE"`
	Protocol []string `help:"Which of pairs, stream, collisions, guards (default: those that the format has labels for)." enum:"pairs,stream,collisions,guards"`
	JSON     bool     `name:"json" help:"Print JSON."`
}

// templatePairs is how many generated pairs of each kind guards are measured on.
const templatePairs = 500

// Run measures. A missing file is an error; a missed goal is a figure.
func (c *semcacheEvalCmd) Run() error {
	b, err := evaluate.New()
	if err != nil {
		return err
	}
	wanted := func(p string) bool { return len(c.Protocol) == 0 || slices.Contains(c.Protocol, p) }
	var pairs []labelled.Pair
	if c.Pairs != "" {
		raw, err := unpacked(c.Pairs)
		if err != nil {
			return fmt.Errorf("LABELLED PAIRS ARE MISSING, nothing was measured: %w", err)
		}
		if pairs, err = labelled.Read(bytes.NewReader(raw), c.Format); err != nil {
			return fmt.Errorf("%s: %w", c.Pairs, err)
		}
	} else if !slices.Equal(c.Protocol, []string{"guards"}) && c.Vectors == "" {
		return errors.New("--pairs is missing: only --protocol guards measures without a file")
	}
	var results []evaluate.Result
	if len(pairs) > 0 && wanted("pairs") {
		switch c.Format {
		case "qqp":
			results = append(results, b.Pairs(pairs)...)
		case "mock":
			results = append(results, b.Retrieval(pairs)...)
		case "kmemo":
			results = append(results, b.Categorised(pairs)...)
		}
	}
	if len(pairs) > 0 && c.Format == "qqp" && wanted("stream") {
		results = append(results, b.Streams(pairs)...)
	}
	if len(pairs) > 0 && c.Format == "qqp" && wanted("collisions") {
		results = append(results, b.Collisions(pairs)...)
	}
	if wanted("guards") {
		results = append(results, b.Templates(templatePairs)...)
	}
	if c.Vectors != "" {
		raw, err := unpacked(c.Vectors)
		if err != nil {
			return fmt.Errorf("GUARD VECTORS ARE MISSING: %w", err)
		}
		v, err := b.Vectors(bytes.NewReader(raw))
		if err != nil {
			return fmt.Errorf("%s: %w", c.Vectors, err)
		}
		results = append(results, v...)
	}
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(results)
	}
	return evaluate.Print(os.Stdout, results)
}

// maxUnpacked bounds an evaluation file, in bytes.
const maxUnpacked = 1 << 30

func unpacked(name string) ([]byte, error) {
	raw, err := os.ReadFile(name)
	if err != nil || !strings.HasSuffix(name, ".gz") {
		return raw, err
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, maxUnpacked))
}
