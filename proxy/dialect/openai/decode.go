package openai

import (
	"errors"
	"fmt"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// Limits of a request. They bound the work and memory one body can cause; each
// is well above what OpenAI itself accepts or what agents send.
const (
	MaxModel      = 256    // bytes of a model's name
	MaxMessages   = 10_000 // of one request
	MaxParts      = 4_096  // content parts of one message
	MaxImages     = 1_500  // of one request, OpenAI's own limit
	MaxTools      = 2_048  // tools and functions of one request
	MaxAnswers    = 128    // n, OpenAI's own limit
	MaxInputs     = 2_048  // inputs of one embedding call, OpenAI's own limit
	MaxTokenIDs   = 4 << 20
	MaxMetadata   = 64
	MaxCap        = 1 << 30 // tokens; keeps cap times n far from overflow
	MaxUser       = 1_024
	MaxCalls      = 1_000 // tool calls of the provider in one response
	MaxID         = 256   // bytes of an id
	MaxReferences = 1_024 // earlier answers and their parts that one request takes up
	maxTier       = 64
)

// Decode reads a request body into c, which it resets. Afterwards c refers to
// body; its strings are copies. The error names the field at fault as OpenAI does.
func Decode(c *dialect.Call, e dialect.Endpoint, body []byte) *dialect.Error {
	return decode(c, dialect.Target{Endpoint: e}, body)
}

// decode is Decode where the path may name the model, as it does at Azure: then
// the path's counts, and the body needs none.
func decode(c *dialect.Call, t dialect.Target, body []byte) *dialect.Error {
	c.Reset()
	c.Endpoint, c.Raw, c.N = t.Endpoint, body, 1
	d := decoder{call: c, cur: jsonscan.Cursor{Doc: body}, named: t.Model != ""}
	var err error
	switch e := t.Endpoint; e {
	case dialect.Chat:
		err = d.chat()
	case dialect.Embeddings:
		err = d.embeddings()
	case dialect.Completions:
		err = d.completions()
	case dialect.Responses, dialect.Compact, dialect.CountTokens:
		err = d.responses()
	case dialect.Moderations:
		err = d.moderations()
	default:
		panic(fmt.Sprintf("openai: endpoint %d", e))
	}
	if err == nil {
		if d.named {
			c.Model = t.Model
		}
		return nil
	}
	if refusal, ok := errors.AsType[*dialect.Error](err); ok {
		return refusal
	}
	return dialect.NewError(dialect.CodeInvalidJSON, "",
		"We could not parse the JSON body of your request: %s. Send one JSON object in UTF-8.", err)
}

// decoder is the state of one decoding. message and part are the indices being
// read, of list and within its holder, for naming the field at fault.
type decoder struct {
	call          *dialect.Call
	cur           jsonscan.Cursor
	message, part int
	list, holder  string
	template      bool // the request takes up a stored prompt
	named         bool // the path names the model
}

// fields is a set of the fields met in one object.
type fields uint64

// add puts f into the set, or refuses a field that was there before: the
// upstream could read the other one.
func (s *fields) add(f int, name []byte) error {
	bit := fields(1) << f
	if *s&bit != 0 {
		return ambiguous(string(name), "is given twice")
	}
	*s |= bit
	return nil
}

func (s fields) has(f int) bool { return s&(1<<f) != 0 }

func ambiguous(param, how string) error {
	return dialect.NewError(dialect.CodeAmbiguous, param,
		"'%s' %s. Send it once, in lower case.", param, how)
}

// lookalike refuses a key that some parsers take for one of names.
func lookalike(key []byte, names ...string) error {
	if name, ok := jsonscan.Lookalike(key, names...); ok {
		return ambiguous(name, "is given in another case")
	}
	return nil
}

// expect checks that the value ahead is of the kind k.
func (d *decoder) expect(k jsonscan.Kind, param, what string) error {
	switch got := d.cur.Kind(); got {
	case k:
		return nil
	case jsonscan.Invalid:
		return d.cur.Skip() // for the reason
	default:
		return invalidType(param, what, got)
	}
}

func invalidType(param, what string, got jsonscan.Kind) error {
	return dialect.NewError(dialect.CodeInvalidType, param,
		"Invalid type for '%s': expected %s, but got %s instead.", param, what, got)
}

func invalidValue(param, format string, args ...any) error {
	return dialect.NewError(dialect.CodeInvalidValue, param,
		"Invalid value for '%s': %s.", param, fmt.Sprintf(format, args...))
}

func tooMany(param string, limit int) error {
	return dialect.NewError(dialect.CodeLimit, param, "'%s' has too many entries: the limit is %d.", param, limit)
}

func missing(param string) error {
	return dialect.NewError(dialect.CodeMissingField, param, "Missing required parameter: '%s'.", param)
}

func (d *decoder) string(param string) (jsonscan.Str, error) {
	if err := d.expect(jsonscan.String, param, "a string"); err != nil {
		return jsonscan.Str{}, err
	}
	return d.cur.String()
}

// short reads a string of at most limit bytes into a new string; null gives "".
func (d *decoder) short(param string, limit int) (string, error) {
	if d.cur.TakeNull() {
		return "", nil
	}
	s, err := d.string(param)
	if err != nil {
		return "", err
	}
	if s.Len > limit {
		return "", dialect.NewError(dialect.CodeLimit, param, "'%s' is too long: the limit is %d bytes.", param, limit)
	}
	return d.cur.Text(s), nil
}

func (d *decoder) bool(param string) (bool, error) {
	if d.cur.TakeNull() {
		return false, nil
	}
	if err := d.expect(jsonscan.Bool, param, "a boolean"); err != nil {
		return false, err
	}
	return d.cur.Bool()
}

// count reads a whole number from low to high.
func (d *decoder) count(param string, low, high int64) (int64, error) {
	if err := d.expect(jsonscan.Number, param, "an integer"); err != nil {
		return 0, err
	}
	n, whole, err := d.cur.Int()
	switch {
	case err != nil:
		return 0, err
	case !whole:
		return 0, dialect.NewError(dialect.CodeInvalidType, param,
			"Invalid type for '%s': expected an integer from %d to %d, without fraction or exponent.", param, low, high)
	case n < low || n > high:
		return 0, invalidValue(param, "%d is not in the range from %d to %d", n, low, high)
	}
	return n, nil
}

// deepText counts every key, string and number inside a value into the prompt, as
// [dialect.Call.AddStrings] does, and sealed text apart from them.
func (d *decoder) deepText() error {
	switch d.cur.Kind() {
	case jsonscan.String:
		s, err := d.cur.String()
		if err == nil {
			d.call.AddText(s)
		}
		return err
	case jsonscan.Number:
		return d.call.AddNumber(&d.cur)
	case jsonscan.Object:
		return d.cur.EachMember(func(key jsonscan.Str) error {
			d.call.AddText(key)
			d.call.RawMembers++
			if string(d.cur.Name(key)) == sealedField {
				return d.sealed()
			}
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

// sealedField is the name of what only the provider can read.
const sealedField = "encrypted_content"

// sealed counts text that the provider alone can read: each of its bytes may be
// a token.
func (d *decoder) sealed() error {
	if d.cur.Kind() != jsonscan.String {
		return d.deepText()
	}
	s, err := d.cur.String()
	d.call.TokenInputs += int64(s.Len)
	return err
}

// model reads the model's name and where it is.
func (d *decoder) model() error {
	if err := d.expect(jsonscan.String, "model", "a string"); err != nil {
		return err
	}
	start := d.cur.Pos
	name, err := d.short("model", MaxModel)
	if err != nil {
		return err
	}
	if name == "" {
		return invalidValue("model", "it is empty")
	}
	d.call.Model = name
	d.call.Sites.Model = dialect.Span{Start: start, End: d.cur.Pos}
	return nil
}

func (d *decoder) user() (err error) {
	d.call.User, err = d.short("user", MaxUser)
	return err
}
