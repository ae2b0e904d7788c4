package converse

import (
	"errors"
	"fmt"
	"strconv"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// Limits of a request. They bound the work and memory one body can cause.
const (
	MaxModel    = 2_048   // bytes of a model's name, which may be an ARN
	MaxMessages = 100_000 // of one request
	MaxBlocks   = 100_000 // content blocks of one request, nested ones included
	MaxImages   = 600     // of one request
	MaxTools    = 2_048   // of one request
	MaxCap      = 1<<31 - 1
	maxWord     = 64 // bytes of a type, a format, a tier
)

// Decode reads a request body into c, which it resets. Afterwards c refers to body;
// its strings are copies. The error names the field at fault.
func Decode(c *dialect.Call, t dialect.Target, body []byte) *dialect.Error {
	c.Reset()
	c.Endpoint, c.Model, c.Stream, c.Raw, c.N = t.Endpoint, t.Model, t.Stream, body, 1
	d := decoder{call: c, cur: jsonscan.Cursor{Doc: body}}
	err := d.request()
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*dialect.Error](err); ok {
		return refusal
	}
	return dialect.NewError(dialect.CodeInvalidJSON, "", "The request body is not valid JSON: %s.", err)
}

// decoder is the state of one decoding. path is where it is, for naming the field at
// fault.
type decoder struct {
	call   *dialect.Call
	cur    jsonscan.Cursor
	path   []step
	blocks int // content blocks met
}

// step is a member of an object or, where it has no name, an element of an array.
type step struct {
	name  string
	index int
}

// at names the value that is being read.
func (d *decoder) at() string {
	s := ""
	for _, p := range d.path {
		switch {
		case p.name == "":
			s += "[" + strconv.Itoa(p.index) + "]"
		case s == "":
			s = p.name
		default:
			s += "." + p.name
		}
	}
	return s
}

func (d *decoder) fail(code dialect.Code, format string, args ...any) error {
	at := d.at()
	return dialect.NewError(code, at, "%s: %s.", at, fmt.Sprintf(format, args...))
}

// fields are the members an object may have, and what reads the value of each.
type fields map[string]func(*decoder) error

// object reads an object that has no other members than f. A null is an absent one.
func (d *decoder) object(f fields) error {
	if d.cur.TakeNull() {
		return nil
	}
	if err := d.expect(jsonscan.Object, "an object"); err != nil {
		return err
	}
	seen := make(map[string]bool, len(f))
	return d.cur.EachMember(func(key jsonscan.Str) error {
		name := d.cur.Text(key)
		d.path = append(d.path, step{name: clip(name)})
		read := f[name]
		switch {
		case read == nil:
			return d.fail(dialect.CodeUnsupported, "this is not supported here, since nothing is known of what it costs")
		case seen[name]:
			return d.fail(dialect.CodeAmbiguous, "it is given twice")
		}
		seen[name] = true
		err := read(d)
		if err == nil {
			d.path = d.path[:len(d.path)-1]
		}
		return err
	})
}

// clip keeps a name that goes into an error short.
func clip(name string) string { return name[:min(len(name), maxWord)] }

// array reads an array; do reads each element.
func (d *decoder) array(do func() error) error {
	if d.cur.TakeNull() {
		return nil
	}
	if err := d.expect(jsonscan.Array, "an array"); err != nil {
		return err
	}
	return d.cur.EachElement(func(i int) error {
		d.path = append(d.path, step{index: i})
		err := do()
		if err == nil {
			d.path = d.path[:len(d.path)-1]
		}
		return err
	})
}

// expect checks that the value ahead is of the kind k.
func (d *decoder) expect(k jsonscan.Kind, what string) error {
	switch got := d.cur.Kind(); got {
	case k:
		return nil
	case jsonscan.Invalid:
		return d.cur.Skip() // for the reason
	default:
		return d.fail(dialect.CodeInvalidType, "it has to be %s", what)
	}
}

// word reads a short string that is compared.
func (d *decoder) word() (string, error) {
	if err := d.expect(jsonscan.String, "a string"); err != nil {
		return "", err
	}
	s, err := d.cur.String()
	if err == nil && s.Len > maxWord {
		err = d.fail(dialect.CodeLimit, "it is too long: the limit is %d bytes", maxWord)
	}
	if err != nil {
		return "", err
	}
	return d.cur.Text(s), nil
}

// passed reads over a value that bears on neither prompt nor cost.
func (d *decoder) passed() error { return d.cur.Skip() }

// text counts a string into the prompt.
func (d *decoder) text() error {
	if err := d.expect(jsonscan.String, "a string"); err != nil {
		return err
	}
	s, err := d.cur.String()
	if err == nil {
		d.call.AddText(s)
	}
	return err
}

// raw counts a value into the prompt by its JSON.
func (d *decoder) raw() error { return d.call.AddRaw(&d.cur) }
