package anthropic

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/price"
)

// Limits of a request. They bound the work and memory one body can cause.
const (
	MaxModel    = 256     // bytes of a model's name
	MaxMessages = 100_000 // of one request, Anthropic's own limit
	MaxBlocks   = 100_000 // content blocks of one request, nested ones included
	MaxImages   = 600     // of one request, Anthropic's own limit
	MaxTools    = 2_048   // of one request
	MaxUses     = 64      // of all server tools of one request
	MaxCap      = 1 << 30 // tokens
	MaxUser     = 1_024   // bytes of metadata.user_id
	maxWord     = 64      // bytes of a type, a tier, a region
)

// Decode reads a request body into c, which it resets. Afterwards c refers to
// body; its strings are copies. The error names the field at fault as Anthropic
// does: "messages.0.content.1.source".
func Decode(c *dialect.Call, t dialect.Target, body []byte) *dialect.Error {
	c.Reset()
	c.Endpoint, c.Raw, c.N, c.Features = t.Endpoint, body, 1, t.Features
	d := decoder{call: c, cur: jsonscan.Cursor{Doc: body}}
	var err error
	switch t.Endpoint {
	case dialect.Chat, dialect.CountTokens:
		err = d.request()
	default:
		panic(fmt.Sprintf("anthropic: endpoint %d", t.Endpoint))
	}
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*dialect.Error](err); ok {
		return refusal
	}
	return dialect.NewError(dialect.CodeInvalidJSON, "", "The request body is not valid JSON: %s. Send one JSON object in UTF-8.", err)
}

// decoder is the state of one decoding. list is what is being read, message and
// block its indices, -1 where there is none: for naming the field at fault.
type decoder struct {
	call           *dialect.Call
	cur            jsonscan.Cursor
	list           string // "messages", "system" or "tools"
	message, block int
	blocks         int // content blocks met
}

// at names a field. One that begins with a dot, or is empty, is of what is being
// read now.
func (d *decoder) at(field string) string {
	if field != "" && field[0] != '.' {
		return field
	}
	name := d.list
	if d.message >= 0 {
		name += "." + strconv.Itoa(d.message)
	}
	if d.block >= 0 && d.list == "messages" {
		name += ".content"
	}
	if d.block >= 0 {
		name += "." + strconv.Itoa(d.block)
	}
	return strings.TrimPrefix(name+field, ".")
}

// fields is a set of the fields met in one object.
type fields uint64

// once puts f into the set, or refuses a field that was there before: the
// upstream could read the other one.
func (d *decoder) once(s *fields, f int, field string) error {
	bit := fields(1) << f
	if *s&bit != 0 {
		return ambiguous(d.at(field), "is given twice")
	}
	*s |= bit
	return nil
}

func (s fields) has(f int) bool { return s&(1<<f) != 0 }

func ambiguous(param, how string) error {
	return dialect.NewError(dialect.CodeAmbiguous, param, "%s: it %s. Send it once, in lower case.", param, how)
}

// lookalike refuses a key that some parsers take for one of names.
func lookalike(key []byte, names ...string) error {
	if name, ok := jsonscan.Lookalike(key, names...); ok {
		return ambiguous(name, "is given in another case")
	}
	return nil
}

// expect checks that the value ahead is of the kind k.
func (d *decoder) expect(k jsonscan.Kind, field, what string) error {
	switch got := d.cur.Kind(); got {
	case k:
		return nil
	case jsonscan.Invalid:
		return d.cur.Skip() // for the reason
	default:
		param := d.at(field)
		return dialect.NewError(dialect.CodeInvalidType, param, "%s: Input should be %s, not %s.", param, what, got)
	}
}

func invalid(param, format string, args ...any) error {
	return dialect.NewError(dialect.CodeInvalidValue, param, "%s: %s.", param, fmt.Sprintf(format, args...))
}

func tooMany(param string, limit int) error {
	return dialect.NewError(dialect.CodeLimit, param, "%s: there are too many, the limit is %d.", param, limit)
}

func missing(param string) error {
	return dialect.NewError(dialect.CodeMissingField, param, "%s: Field required.", param)
}

// unbounded refuses a feature whose cost the request does not bound.
func unbounded(param, why string) error {
	return dialect.NewError(dialect.CodeUnsupported, param, "%s: this is not supported here: %s.", param, why)
}

// members reads the object ahead and calls do with each key; do reads the value.
func (d *decoder) members(field string, do func(key jsonscan.Str, name []byte) error) error {
	if err := d.expect(jsonscan.Object, field, "an object"); err != nil {
		return err
	}
	return d.cur.EachMember(func(key jsonscan.Str) error { return do(key, d.cur.Name(key)) })
}

// elements reads the array ahead and calls do for each element, which reads it.
func (d *decoder) elements(field string, do func() error) error {
	if err := d.expect(jsonscan.Array, field, "an array"); err != nil {
		return err
	}
	return d.cur.EachElement(func(int) error { return do() })
}

// word reads a short string that the gateway compares; null gives "".
func (d *decoder) word(field string, limit int) (string, error) {
	if d.cur.TakeNull() {
		return "", nil
	}
	if err := d.expect(jsonscan.String, field, "a string"); err != nil {
		return "", err
	}
	s, err := d.cur.String()
	if err != nil {
		return "", err
	}
	if s.Len > limit {
		param := d.at(field)
		return "", dialect.NewError(dialect.CodeLimit, param, "%s: it is longer than %d bytes.", param, limit)
	}
	return known(d.cur.Name(s)), nil
}

// known gives a string without an allocation for the words that are met most.
func known(name []byte) string {
	switch string(name) {
	case "user":
		return "user"
	case "assistant":
		return "assistant"
	case "text":
		return "text"
	case "tool_use":
		return "tool_use"
	case "tool_result":
		return "tool_result"
	case "thinking":
		return "thinking"
	case "image":
		return "image"
	case "ephemeral":
		return "ephemeral"
	case "5m":
		return "5m"
	case "1h":
		return "1h"
	case "base64":
		return "base64"
	case "custom":
		return "custom"
	}
	return string(name)
}

// count reads a whole number from low to high.
func (d *decoder) count(field string, low, high int64) (int64, error) {
	if err := d.expect(jsonscan.Number, field, "an integer"); err != nil {
		return 0, err
	}
	n, whole, err := d.cur.Int()
	switch {
	case err != nil:
		return 0, err
	case !whole:
		param := d.at(field)
		return 0, dialect.NewError(dialect.CodeInvalidType, param, "%s: Input should be an integer from %d to %d, without fraction or exponent.", param, low, high)
	case n < low || n > high:
		return 0, invalid(d.at(field), "%d is not in the range from %d to %d", n, low, high)
	}
	return n, nil
}

// cacheControl reads a cache_control: the lifetime it asks for may be billed.
func (d *decoder) cacheControl() error {
	if d.cur.TakeNull() {
		return nil
	}
	lifetime := price.CacheWrite5m
	var seen fields
	err := d.members(".cache_control", func(_ jsonscan.Str, name []byte) error {
		if string(name) != "ttl" {
			return d.other(name, "ttl")
		}
		if err := d.once(&seen, 0, ".cache_control.ttl"); err != nil {
			return err
		}
		ttl, err := d.word(".cache_control.ttl", maxWord)
		switch {
		case err != nil:
			return err
		case ttl == "1h":
			lifetime = price.CacheWrite1h
		case ttl != "" && ttl != "5m":
			return invalid(d.at(".cache_control.ttl"), "supported lifetimes are '5m' and '1h'")
		}
		return nil
	})
	d.call.Meters |= price.Meters(lifetime)
	return err
}

// other reads over the value of a member that must not pass for one of names.
func (d *decoder) other(name []byte, names ...string) error {
	if err := lookalike(name, names...); err != nil {
		return err
	}
	return d.cur.Skip()
}
