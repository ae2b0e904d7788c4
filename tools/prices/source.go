package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxFile bounds one file of the package. The bundle has under a megabyte.
const maxFile = 64 << 20

// sourcePackage is what the generator needs of the npm package.
type sourcePackage struct {
	name      string // "@pydantic/genai-prices@0.1.8"
	providers []sourceProvider
}

type sourceProvider struct {
	ID       string        `json:"id"`
	Fallback []string      `json:"fallback_model_providers"`
	Models   []sourceModel `json:"models"`
}

type sourceModel struct {
	ID            string          `json:"id"`
	Match         json.RawMessage `json:"match"`
	ContextWindow json.Number     `json:"context_window"`
	Prices        json.RawMessage `json:"prices"`
}

// sourcePrices is one entry of a model's list of prices; later entries win.
type sourcePrices struct {
	Constraint *struct {
		Type  string `json:"type"`
		Date  string `json:"start_date"`
		Start string `json:"start_time"`
		End   string `json:"end_time"`
	} `json:"constraint"`
	Prices map[string]json.RawMessage `json:"prices"`
}

// sourceTiers is a price that rises with the whole input: beyond start, not at it.
type sourceTiers struct {
	Base  json.Number `json:"base"`
	Tiers []struct {
		Start json.Number `json:"start"`
		Price json.Number `json:"price"`
	} `json:"tiers"`
}

func openPackage(path string) (*sourcePackage, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readPackage(f)
}

func readPackage(r io.Reader) (*sourcePackage, error) {
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	var manifest, bundle []byte
	for files := tar.NewReader(unzipped); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		switch h.Name {
		case "package/package.json":
			manifest, err = io.ReadAll(io.LimitReader(files, maxFile))
		case "package/dist/index.js":
			bundle, err = io.ReadAll(io.LimitReader(files, maxFile))
		}
		if err != nil {
			return nil, err
		}
	}
	var about struct{ Name, Version string }
	if err := json.Unmarshal(manifest, &about); err != nil {
		return nil, fmt.Errorf("package.json: %w", err)
	}
	pkg := &sourcePackage{name: about.Name + "@" + about.Version}
	if pkg.providers, err = readBundle(string(bundle)); err != nil {
		return nil, fmt.Errorf("dist/index.js: %w", err)
	}
	return pkg, nil
}

// readBundle finds the list of providers, which is the first array that the
// bundle assigns.
func readBundle(bundle string) ([]sourceProvider, error) {
	_, list, found := strings.Cut(bundle, " = [")
	if !found {
		return nil, errors.New("there is no list in it")
	}
	data, err := literalToJSON("[" + list)
	if err != nil {
		return nil, err
	}
	var providers []sourceProvider
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&providers); err != nil {
		return nil, err
	}
	if len(providers) == 0 {
		return nil, errors.New("the list is empty")
	}
	return providers, nil
}
