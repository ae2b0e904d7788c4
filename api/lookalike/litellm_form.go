package lookalike

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"purser/api/admin"
	"purser/internal/litellm"
)

// form is a body of LiteLLM's: each field is asked for by its name, and what nobody
// has asked for is refused in the end. The first fault stays.
type form struct {
	rest map[string]json.RawMessage
	err  error
}

func readForm(r *http.Request) *form {
	f := &form{}
	b, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		f.err = admin.Invalid("the body could not be read")
	case len(b) > maxBody:
		f.err = &admin.Fault{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Message: "the body is larger than 1 MiB"}
	case len(bytes.TrimSpace(b)) == 0:
	case json.Unmarshal(b, &f.rest) != nil:
		f.err = admin.Invalid("the body is no JSON object")
	}
	return f
}

// take hands out a field once: its value, nil for null, and whether it is there.
func (f *form) take(name string) (json.RawMessage, bool) {
	raw, given := f.rest[name]
	delete(f.rest, name)
	if string(raw) == "null" {
		raw = nil
	}
	return raw, given
}

func (f *form) fault(name, wants string) {
	if f.err == nil {
		f.err = admin.Invalid(name + " is to be " + wants)
	}
}

// text is a text, "" for null.
func (f *form) text(name string) (out string, given bool) {
	raw, given := f.take(name)
	if raw != nil && json.Unmarshal(raw, &out) != nil {
		f.fault(name, "a text")
	}
	return out, given
}

// texts is a list of texts.
func (f *form) texts(name string) (out []string, given bool) {
	raw, given := f.take(name)
	if raw != nil && json.Unmarshal(raw, &out) != nil {
		f.fault(name, "a list of texts")
	}
	return out, given
}

// flag is true or false, false for null.
func (f *form) flag(name string) (out, given bool) {
	raw, given := f.take(name)
	if raw != nil && json.Unmarshal(raw, &out) != nil {
		f.fault(name, "true or false")
	}
	return out, given
}

// number is a decimal number from 0 on, "" for null.
func (f *form) number(name string) (json.Number, bool) {
	raw, given := f.take(name)
	if raw == nil {
		return "", given
	}
	var n json.Number
	if json.Unmarshal(raw, &n) != nil || n == "" {
		f.fault(name, "a number")
		return "", given
	}
	out := litellm.Decimal(n)
	if out == "" || strings.HasPrefix(string(out), "-") {
		f.fault(name, "a number from 0 on")
		return "", given
	}
	return out, given
}

// count is a whole number from 0 on, "" for null.
func (f *form) count(name string) (json.Number, bool) {
	n, given := f.number(name)
	if strings.Contains(string(n), ".") {
		f.fault(name, "a whole number")
	}
	return n, given
}

// label is an object that limits nothing, as one line of JSON; "" where it is empty.
func (f *form) label(name string) (string, bool) {
	raw, given := f.take(name)
	if raw == nil {
		return "", given
	}
	var object map[string]any
	var line bytes.Buffer
	if json.Unmarshal(raw, &object) != nil || json.Compact(&line, raw) != nil {
		f.fault(name, "an object")
	}
	if len(object) == 0 {
		return "", given
	}
	return line.String(), given
}

// ignore passes over fields that change nothing here.
func (f *form) ignore(names ...string) {
	for _, name := range names {
		delete(f.rest, name)
	}
}

// amounts takes over the limits that are given, and says whether there are any.
func (f *form) amounts(a *litellm.Amounts) bool {
	any := false
	take := func(of *json.Number, n json.Number, given bool) {
		if given {
			*of, any = n, true
		}
	}
	for _, field := range []struct {
		name string
		of   *json.Number
		read func(string) (json.Number, bool)
	}{
		{"max_budget", &a.Max, f.number}, {"soft_budget", &a.Soft, f.number}, {"rpm_limit", &a.RPM, f.count}, {"tpm_limit", &a.TPM, f.count}, {"max_parallel_requests", &a.Parallel, f.count},
	} {
		n, given := field.read(field.name)
		take(field.of, n, given)
	}
	if duration, given := f.text("budget_duration"); given {
		a.Duration, any = duration, true
	}
	return any
}

// end is the first fault, or that fields are left which say something.
func (f *form) end() error {
	if f.err != nil {
		return f.err
	}
	var left []string
	for _, name := range slices.Sorted(maps.Keys(f.rest)) {
		switch strings.Join(strings.Fields(string(f.rest[name])), "") {
		case "null", `""`, "{}", "[]", "false", "0", "0.0":
		default:
			left = append(left, name)
		}
	}
	if len(left) > 0 {
		return admin.Invalid("nothing was done, for these fields are not enforced here: " + strings.Join(left, ", ") + " (docs/lookalike.md)")
	}
	return nil
}

// isNotFound says that something is not there.
func isNotFound(err error) bool {
	var f *admin.Fault
	return errors.As(err, &f) && f.Status == http.StatusNotFound
}

// labels reads back what [form.label] made; {} of another text.
func labels(text string) any {
	var object map[string]any
	if json.Unmarshal([]byte(text), &object) != nil || object == nil {
		return map[string]any{}
	}
	return object
}

// orNull is a text, or null.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// numberOrNull is a number, or null.
func numberOrNull(n json.Number) any {
	if n == "" {
		return nil
	}
	return n
}

// listed is a list that is never null.
func listed(list []string) []string { return append([]string{}, list...) }
