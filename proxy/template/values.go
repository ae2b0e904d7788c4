package template

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Values are what a request says for a template's variables, each as JSON.
type Values map[string]json.RawMessage

// text is the text that a value is put in place as.
func (v *Variable) text(raw json.RawMessage) (string, error) {
	out, err := v.write(raw)
	if most := cmp.Or(v.MaxBytes, usualBytes); err == nil && len(out) > most {
		return "", fmt.Errorf("it has %d bytes, the most is %d", len(out), most)
	}
	return out, err
}

func (v *Variable) write(raw json.RawMessage) (string, error) {
	raw = bytes.TrimSpace(raw)
	switch cmp.Or(v.Type, String) {
	case String:
		var s string
		if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil || !utf8.Valid(raw) {
			return "", fmt.Errorf("it is not a string")
		}
		if len(v.Enum) > 0 && !slices.Contains(v.Enum, s) {
			return "", fmt.Errorf("it is none of %s", strings.Join(v.Enum, ", "))
		}
		return s, nil
	case Boolean:
		if s := string(raw); s == "true" || s == "false" {
			return s, nil
		}
		return "", fmt.Errorf("it is neither true nor false")
	case JSON:
		var b bytes.Buffer
		if err := json.Compact(&b, raw); err != nil || !utf8.Valid(raw) {
			return "", fmt.Errorf("it is not JSON")
		}
		return b.String(), nil
	}
	var n json.Number
	if len(raw) == 0 || raw[0] == '"' || json.Unmarshal(raw, &n) != nil || n == "" {
		return "", fmt.Errorf("it is not a number")
	}
	if v.Type == Integer && strings.ContainsAny(n.String(), ".eE") {
		return "", fmt.Errorf("it is not a whole number")
	}
	return n.String(), nil
}

// fault is what is wrong with a value: it names the variable and quotes nothing of it.
type fault struct {
	variable string
	err      error
}

// Error implements error.
func (f *fault) Error() string { return "variables." + f.variable + ": " + f.err.Error() }

// texts gives every variable its text.
func (t *Template) texts(values Values) (map[string]string, error) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, ok := t.spec.Variables[name]; !ok {
			return nil, &fault{shortened(name), fmt.Errorf("the template has no such variable")}
		}
	}
	out := make(map[string]string, len(t.spec.Variables))
	for _, name := range slices.Sorted(maps.Keys(t.spec.Variables)) {
		v := t.spec.Variables[name]
		raw, ok := values[name]
		if !ok {
			if len(v.Default) == 0 {
				return nil, &fault{name, fmt.Errorf("it is missing")}
			}
			raw = v.Default
		}
		s, err := v.text(raw)
		if err != nil {
			return nil, &fault{name, err}
		}
		out[name] = s
	}
	return out, nil
}

// fill puts the texts in place.
func fill(pieces []piece, texts map[string]string) string {
	var b strings.Builder
	for _, p := range pieces {
		if p.variable != "" {
			b.WriteString(texts[p.variable])
			continue
		}
		b.WriteString(p.text)
	}
	return b.String()
}
