package desired

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// Kind is a kind of thing that a file can have.
type Kind struct {
	Plural string
	// Normal writes a spec as a node would store it, so that two which mean the same
	// are the same; an error says what is wrong with it.
	Normal func(id string, spec json.RawMessage) (json.RawMessage, error)
	// Shown is a spec as a cluster shows it: without what counts only when the thing is
	// made. nil: all of it.
	Shown func(spec json.RawMessage) json.RawMessage
	// After are the IDs of the same kind that have to be there first; nil: none.
	After func(spec json.RawMessage) []string
}

// Set is what is to be: by kind and ID.
type Set map[string]map[string]json.RawMessage

// maxFile bounds a file: more than the directory takes.
const maxFile = 128 << 20

// Parse reads a file. Specs come out normal. An error names the kind and the ID.
func Parse(file []byte, kinds []Kind) (Set, error) {
	if len(file) > maxFile {
		return nil, fmt.Errorf("the file has %d bytes, the most is %d", len(file), maxFile)
	}
	var doc map[string]map[string]any
	if err := yaml.UnmarshalWithOptions(file, &doc, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("the file is no map from kinds to maps from ids: %w", err)
	}
	out := Set{}
	for _, plural := range slices.Sorted(maps.Keys(doc)) {
		i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Plural == plural })
		if i < 0 {
			return nil, fmt.Errorf("%q is no kind; there are %s", plural, plurals(kinds))
		}
		out[plural] = map[string]json.RawMessage{}
		for _, id := range slices.Sorted(maps.Keys(doc[plural])) {
			spec := doc[plural][id]
			if spec == nil {
				spec = map[string]any{}
			}
			b, err := json.Marshal(spec)
			if err != nil {
				return nil, fmt.Errorf("%s %s has no form in JSON: %w", plural, id, err)
			}
			if out[plural][id], err = kinds[i].Normal(id, b); err != nil {
				return nil, fmt.Errorf("%s %s: %w", plural, id, err)
			}
		}
	}
	return out, nil
}

func plurals(kinds []Kind) string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.Plural)
	}
	return strings.Join(names, ", ")
}

// YAML writes a set as a file: the kinds in their order, IDs in alphabetical order.
func (s Set) YAML(kinds []Kind) ([]byte, error) {
	var doc yaml.MapSlice
	for _, k := range kinds {
		if _, there := s[k.Plural]; !there {
			continue
		}
		items := yaml.MapSlice{}
		for _, id := range slices.Sorted(maps.Keys(s[k.Plural])) {
			spec, err := ordered(s[k.Plural][id])
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", k.Plural, id, err)
			}
			items = append(items, yaml.MapItem{Key: id, Value: spec})
		}
		doc = append(doc, yaml.MapItem{Key: k.Plural, Value: items})
	}
	b, err := yaml.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("writing the file: %w", err)
	}
	return append(bytes.TrimRight(b, "\n"), '\n'), nil
}

// ordered reads JSON with the order of its fields and the digits of its numbers.
func ordered(b json.RawMessage) (any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return value(d)
}

func value(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("reading JSON: %w", err)
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			list := []any{}
			for d.More() {
				v, err := value(d)
				if err != nil {
					return nil, err
				}
				list = append(list, v)
			}
			_, err := d.Token()
			return list, err
		}
		object := yaml.MapSlice{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, fmt.Errorf("reading JSON: %w", err)
			}
			v, err := value(d)
			if err != nil {
				return nil, err
			}
			object = append(object, yaml.MapItem{Key: name, Value: v})
		}
		_, err := d.Token()
		return object, err
	case json.Number:
		if n, err := strconv.ParseInt(t.String(), 10, 64); err == nil {
			return n, nil
		}
		f, err := t.Float64()
		if err == nil && strconv.FormatFloat(f, 'f', -1, 64) == t.String() {
			return f, nil
		}
		return t.String(), nil // as text: no digit is lost
	}
	return t, nil
}
