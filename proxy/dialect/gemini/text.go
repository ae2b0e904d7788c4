package gemini

import (
	"fmt"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// span reads over a value and gives where it is.
func (d *decoder) span() (dialect.Span, error) {
	d.cur.Kind() // goes past white space
	start := d.cur.Pos
	err := d.cur.Skip()
	return dialect.Span{Start: start, End: d.cur.Pos}, err
}

// addText counts a string into the prompt.
func (d *decoder) addText(s jsonscan.Str) {
	if s.Len == 0 {
		return
	}
	kind := dialect.PlainText
	if s.Escaped {
		kind = dialect.EscapedText
	}
	d.call.TextBytes += int64(s.Len)
	d.call.Texts = append(d.call.Texts, dialect.Text{Span: dialect.Span{Start: s.Start, End: s.End}, Kind: kind})
}

// addRaw counts a value into the prompt by its JSON, as the provider renders it
// in a way of its own.
func (d *decoder) addRaw() error {
	before := d.cur.Members
	span, err := d.span()
	if err != nil {
		return err
	}
	d.call.RawMembers += int64(d.cur.Members - before)
	d.call.ToolBytes += int64(span.End - span.Start)
	d.call.Texts = append(d.call.Texts, dialect.Text{Span: span, Kind: dialect.RawJSON})
	return nil
}

// deepText counts every key, string and number inside a value into the prompt.
func (d *decoder) deepText() error {
	switch d.cur.Kind() {
	case jsonscan.String:
		s, err := d.cur.String()
		if err == nil {
			d.addText(s)
		}
		return err
	case jsonscan.Number:
		start, end, err := d.cur.Number()
		if err == nil {
			d.addText(jsonscan.Str{Start: start, End: end, Len: end - start})
		}
		return err
	case jsonscan.Object:
		return d.cur.EachMember(func(key jsonscan.Str) error {
			d.addText(key)
			d.call.RawMembers++
			return d.deepText()
		})
	case jsonscan.Array:
		return d.cur.EachElement(func(int) error {
			d.call.RawMembers++
			return d.deepText()
		})
	}
	return d.cur.Skip()
}

// hide notes a field that refers to content outside the request.
func (d *decoder) hide(param string) {
	if d.call.HiddenContext == "" {
		d.call.HiddenContext = param
	}
}

func ambiguous(param, how string) error {
	return dialect.NewError(dialect.CodeAmbiguous, param,
		"'%s' %s. Send it once, under its name in the API reference.", param, how)
}

func invalidType(param, what string, got jsonscan.Kind) error {
	return dialect.NewError(dialect.CodeInvalidType, param,
		"Invalid type for '%s': expected %s, but got %s instead.", param, what, kindNames[got])
}

var kindNames = [...]string{
	jsonscan.Invalid: "nothing", jsonscan.Null: "null", jsonscan.Bool: "a boolean", jsonscan.Number: "a number",
	jsonscan.String: "a string", jsonscan.Object: "an object", jsonscan.Array: "an array",
}

func invalidValue(param, format string, args ...any) error {
	return dialect.NewError(dialect.CodeInvalidValue, param,
		"Invalid value for '%s': %s.", param, fmt.Sprintf(format, args...))
}

func tooMany(param string, limit int) error {
	return dialect.NewError(dialect.CodeLimit, param, "'%s' has too many entries: the limit is %d.", param, limit)
}

func missing(param string) error {
	return dialect.NewError(dialect.CodeMissingField, param, "Missing required field: '%s'.", param)
}

func unsupported(param, why string) error {
	return dialect.NewError(dialect.CodeUnsupported, param, "'%s' is not supported here: %s. Leave it out.", param, why)
}

// unbounded refuses a field whose cost is not known beforehand.
func unbounded(param string) error {
	return unsupported(param, "its cost cannot be bounded beforehand")
}
