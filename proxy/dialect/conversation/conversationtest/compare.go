package conversationtest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"purser/proxy/dialect/conversation"
)

// Difference says where two requests differ in meaning, "" for nowhere. Places, the
// names of results, and how JSON is spaced do not count, nor does whether a
// neighbouring turn of the same role is a turn of its own.
func Difference(a, b *conversation.Request) string {
	x, y := plain(a), plain(b)
	if reflect.DeepEqual(x, y) {
		return ""
	}
	return first(reflect.ValueOf(x).Elem(), reflect.ValueOf(y).Elem(), "request")
}

func first(a, b reflect.Value, at string) string {
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if d := first(a.Field(i), b.Field(i), at+"."+a.Type().Field(i).Name); d != "" {
				return d
			}
		}
		return ""
	case reflect.Slice:
		if a.Len() == b.Len() && a.Type().Elem().Kind() != reflect.Uint8 {
			for i := range a.Len() {
				if d := first(a.Index(i), b.Index(i), fmt.Sprintf("%s[%d]", at, i)); d != "" {
					return d
				}
			}
			return ""
		}
	}
	if reflect.DeepEqual(a.Interface(), b.Interface()) {
		return ""
	}
	return fmt.Sprintf("%s: %q and %q", at, a.Interface(), b.Interface())
}

// plain is a copy without what does not count.
func plain(q *conversation.Request) *conversation.Request {
	c := *q
	c.Left, c.StopAt = nil, ""
	c.System = plainParts(q.System)
	c.Turns = nil
	for _, t := range conversation.Joined(q.Turns) {
		c.Turns = append(c.Turns, conversation.Turn{Role: t.Role, Name: t.Name, Parts: plainParts(t.Parts)})
	}
	c.Tools = nil
	for _, t := range q.Tools {
		t.At, t.Strict.At, t.Schema = "", "", plainJSON(t.Schema)
		c.Tools = append(c.Tools, t)
	}
	for _, n := range []*conversation.Number{&c.MaxOutput, &c.Temperature, &c.TopP, &c.TopK, &c.Seed, &c.PresencePenalty, &c.FrequencyPenalty} {
		n.At = ""
	}
	if len(c.Stop) == 0 {
		c.Stop = nil
	}
	c.Choice.At, c.Parallel.At, c.Format.At, c.Format.Strict.At, c.Reasoning.At, c.Tier.At, c.User.At, c.Verbosity.At = "", "", "", "", "", "", "", ""
	c.Format.Schema = plainJSON(c.Format.Schema)
	return &c
}

func plainParts(parts []conversation.Part) []conversation.Part {
	var out []conversation.Part
	for _, p := range parts {
		p.At, p.Result.Name = "", ""
		p.Call.Arguments, p.Result.Parts = plainJSON(p.Call.Arguments), plainParts(p.Result.Parts)
		out = append(out, p)
	}
	return out
}

func plainJSON(b []byte) []byte {
	if b == nil {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return b
	}
	out, err := json.Marshal(v)
	if err != nil {
		return b
	}
	return out
}
