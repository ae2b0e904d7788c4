package ui

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// form is a form as data: a page shows it, and shows it again with what the API said of
// what was sent.
type form struct {
	ID     string // of its fields, too; unique within a page
	Action string
	Submit string
	Fields []field
	More   []field // folded away
	// Warning is what is said before the button of a change that cannot be taken back.
	Warning string
	Quiet   bool // the button is not the page's main one

	Wrong string // what the API said, where it is about no single field
	Stale bool   // of somebody else's change meanwhile
	Open  bool   // it is to be seen at once, and not folded away
}

// field is one input.
type field struct {
	Name, Label, Value string
	Kind               string // text, the default; number, area, select, check, hidden
	Hint               string
	Options            []option
	Required           bool
	Wide               bool
	Suggest            []string
	Words              []string // as which messages of the API begin that are about it, beside its name

	Wrong string
}

// option is one choice of a select.
type option struct{ Value, Text string }

func options(values ...string) (list []option) {
	for _, v := range values {
		list = append(list, option{v, v})
	}
	return list
}

// posted is a form that was sent.
func (c *Call) posted() (url.Values, error) {
	if err := c.R.ParseForm(); err != nil {
		return nil, invalid("The form could not be read: " + err.Error())
	}
	return c.R.PostForm, nil
}

// refused is a form that the API did not take; nil is none.
type refused struct {
	id     string // of the form
	values url.Values
	fault  *fault
}

// again shows the page of a form that was refused, with what was sent and why it was
// not taken; what is no refusal by the API is returned.
func again(err error, id string, sent url.Values, page func(*refused) error) error {
	var f *fault
	if !errors.As(err, &f) || f.status == http.StatusUnauthorized {
		return err
	}
	return page(&refused{id, sent, f})
}

// status is that of the page that shows the form again.
func (r *refused) status() int {
	if r == nil {
		return http.StatusOK
	}
	return r.fault.status
}

// into puts what was sent, and what the API said, into the form if it is the one.
func (r *refused) into(f *form) *form {
	if r == nil || r.id != f.ID {
		return f
	}
	f.Open, f.Stale = true, r.fault.status == http.StatusConflict
	found := false
	refill(f, r.values)
	for _, fields := range [...][]field{f.Fields, f.More} {
		about := aboutField(fields, r.fault.message)
		for i := range fields {
			if i == about && !found {
				fields[i].Wrong, found = r.fault.message, true
			}
		}
	}
	if !found {
		f.Wrong = r.fault.message
	}
	return f
}

// refill is the form with what was sent.
func refill(f *form, sent url.Values) *form {
	for _, fields := range [...][]field{f.Fields, f.More} {
		for i := range fields {
			if x := &fields[i]; x.Kind != "hidden" && sent != nil {
				x.Value = sent.Get(x.Name)
			}
		}
	}
	return f
}

// Unfolded says that what is folded away is to be seen: something in it is wrong or set.
func (f *form) Unfolded() bool {
	return slices.ContainsFunc(f.More, func(x field) bool { return x.Wrong != "" || x.Value != "" })
}

// aboutField is the field that a message begins with, or -1. The API names what is
// wrong first: "limit "x" is not ...", "breaker: probes 900 is not ...".
func aboutField(fields []field, message string) int {
	words := strings.FieldsFunc(strings.ToLower(message), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' })
	const looked = 3 // words
	for _, w := range words[:min(looked, len(words))] {
		for i, f := range fields {
			if f.Kind == "hidden" {
				continue
			}
			for _, name := range append(f.Words, f.Name) {
				if w == name {
					return i
				}
			}
		}
	}
	return -1
}

// textList reads "a, b, c"; nil for none.
func textList(s string) (list []string) {
	for _, x := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == '\n' }) {
		if x = strings.TrimSpace(x); x != "" {
			list = append(list, x)
		}
	}
	return list
}

// listed writes values as valueList reads them.
func listed(values []string) string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = v
		if v == "" || v != strings.TrimSpace(v) || v[0] == '"' || strings.ContainsFunc(v, func(c rune) bool { return c == ',' || c < ' ' }) {
			list[i] = asJSON(v)
		}
	}
	return strings.Join(list, ", ")
}

func asJSON(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // every text has a form in JSON
	}
	return string(text)
}

// valueList reads `a, "b, c"`: values by commas, those with a comma or nothing in them as
// texts of JSON.
func valueList(s string) (list []string, err error) {
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		value, rest, _ := strings.Cut(s, ",")
		if s[0] == '"' {
			d := json.NewDecoder(strings.NewReader(s))
			if err := d.Decode(&value); err != nil {
				return nil, invalid("match: " + inQuotes(s) + " begins with a quote that has no end")
			}
			if rest = strings.TrimSpace(s[d.InputOffset():]); rest != "" && rest[0] != ',' {
				return nil, invalid("match: there is no comma before " + inQuotes(rest))
			}
			rest = strings.TrimPrefix(rest, ",")
		} else if value = strings.TrimSpace(value); value == "" {
			s = rest
			continue
		}
		list, s = append(list, value), rest
	}
	return list, nil
}

// pairs reads "name=value", one to a line.
func pairs(what, s string) (map[string]string, error) {
	var out map[string]string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, invalid(what + ": " + inQuotes(line) + " is not dimension=value")
		}
		if out == nil {
			out = map[string]string{}
		}
		if _, twice := out[name]; twice {
			return nil, invalid(what + ": " + name + " is there twice")
		}
		out[name] = strings.TrimSpace(value)
	}
	return out, nil
}

// number is a number as it was written; what JSON has no form for is refused here.
func number(name, text string) (json.Number, error) {
	text = strings.TrimPrefix(strings.TrimSpace(text), "$")
	var n json.Number
	if err := json.Unmarshal([]byte(text), &n); err != nil || n == "" || strings.HasPrefix(text, `"`) {
		return "", invalid(name + ": " + inQuotes(text) + " is not a number, such as 25 or 0.50")
	}
	return n, nil
}

// wholes are whole numbers, by commas.
func wholes(name, text string) (list []int, err error) {
	for _, s := range textList(text) {
		n, err := strconv.Atoi(strings.TrimSuffix(s, "%"))
		if err != nil {
			return nil, invalid(name + ": " + inQuotes(s) + " is not a whole number")
		}
		list = append(list, n)
	}
	return list, nil
}

// checked says that a box was checked.
func checked(v url.Values, name string) bool { return v.Get(name) == "yes" }

// mark is the value of a box that is checked or not.
func mark(on bool) string {
	if on {
		return "yes"
	}
	return ""
}

// confirmed refuses a change that was not asked for twice.
func confirmed(v url.Values) error {
	if !checked(v, "confirm") {
		return invalid("Nothing was changed: the box that confirms it was not checked.")
	}
	return nil
}

// confirm is the box that is to be checked before a change that cannot be taken back.
func confirm(text string) field {
	return field{Name: "confirm", Label: text, Kind: "check", Required: true}
}

func inQuotes(s string) string { return "“" + s + "”" }
