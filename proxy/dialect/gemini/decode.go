package gemini

import (
	"errors"
	"fmt"
	"net/url"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// Limits of a request. They bound the work and memory one body can cause; each
// is well above what Google itself accepts or what agents send.
const (
	MaxModel    = 256    // bytes of a model's name
	MaxContents = 10_000 // of one request
	MaxParts    = 4_096  // of one content
	MaxImages   = 3_600  // of one request, Google's own limit
	MaxTools    = 2_048  // tools and function declarations of one request
	MaxAnswers  = 8      // candidateCount, Google's own limit
	MaxInputs   = 2_048  // requests of one batchEmbedContents
	MaxLabels   = 64
	MaxCap      = 1 << 30 // tokens; keeps cap times candidates far from overflow
	maxTier     = 64
)

// The operations, as they are in the path.
const (
	Generate   = "generateContent"
	Stream     = "streamGenerateContent"
	Count      = "countTokens"
	Embed      = "embedContent"
	EmbedBatch = "batchEmbedContents"
)

// Decode reads a request body into c, which it resets. Afterwards c refers to
// body; its strings are copies. The error names the field at fault.
func Decode(c *dialect.Call, t dialect.Target, body []byte) *dialect.Error {
	c.Reset()
	c.Endpoint, c.Operation, c.Model, c.Stream = t.Endpoint, t.Operation, t.Model, t.Stream
	c.Raw, c.N, c.IncludeUsage = body, 1, true
	d := decoder{call: c, cur: jsonscan.Cursor{Doc: body}}
	err := d.target(t)
	if err == nil {
		err = d.body()
	}
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*dialect.Error](err); ok {
		return refusal
	}
	return dialect.NewError(dialect.CodeInvalidJSON, "",
		"Invalid JSON payload received: %s. Send one JSON object in UTF-8.", err)
}

// decoder is the state of one decoding. content and part are the indices being
// read, and within names the list they are in, for naming the field at fault.
type decoder struct {
	call          *dialect.Call
	cur           jsonscan.Cursor
	within        string
	content, part int
	modalities    bool // the request says what the answer is made of
	media         bool // and that there may be pictures or sound in it
}

// target checks what the path and the query say.
func (d *decoder) target(t dialect.Target) error {
	if t.Model == "" || len(t.Model) > MaxModel {
		return invalidValue("model", "it must have 1 to %d bytes", MaxModel)
	}
	query, err := url.ParseQuery(t.Query)
	if err != nil {
		return invalidValue("query", "it cannot be read")
	}
	for _, name := range []string{"fields", "$fields", "callback", "$callback"} {
		if query.Has(name) {
			return unsupported(name, "it changes the form of the answer, which is needed whole to know its cost")
		}
	}
	alt := query["alt"]
	if more := query["$alt"]; len(alt)+len(more) > 1 {
		return ambiguous("alt", "is given twice")
	} else if len(more) == 1 {
		alt = more
	}
	switch {
	case len(alt) == 1 && alt[0] == "sse" && t.Stream:
	case len(alt) == 0 || alt[0] == "json":
		if t.Stream {
			d.call.StreamType = "application/json; charset=UTF-8"
		}
	default:
		return invalidValue("alt", "supported are 'json', and 'sse' for streams")
	}
	return nil
}

func (d *decoder) body() (err error) {
	switch d.call.Operation {
	case Generate, Stream:
		d.call.Thinks = true
		err = d.generate()
	case Count:
		err = d.countTokens()
	case Embed:
		err = d.embed()
	case EmbedBatch:
		err = d.embedBatch()
	default:
		panic(fmt.Sprintf("gemini: operation %q", d.call.Operation))
	}
	if err != nil {
		return err
	}
	d.call.Sites.Close = d.cur.Pos - 1
	return d.cur.End()
}

// place is where an object is: under a name, "" for the body, or where the decoder
// is anyway. It becomes text only in an error.
type place struct {
	name string
	of   level
}

type level uint8

const (
	named level = iota
	thisContent
	thisPart
)

// field names a field of the object at p, or the object itself.
func (d *decoder) field(p place, name string) string {
	switch p.of {
	case thisContent:
		return param(d.at(""), name)
	case thisPart:
		return param(d.atPart(p.name), name)
	case named:
	}
	return param(p.name, name)
}

// object reads an object: member is called with each field and its key, and reads
// the value.
func (d *decoder) object(n *names, at place, member func(field int, key []byte) error) (seen, error) {
	var met seen
	switch got := d.cur.Kind(); got {
	case jsonscan.Object:
	case jsonscan.Invalid:
		return met, d.cur.Skip() // for the reason
	default:
		return met, invalidType(d.field(at, ""), "an object", got)
	}
	if err := d.cur.Open(); err != nil {
		return met, err
	}
	for first := true; ; first = false {
		key, more, err := d.cur.Member(first)
		if !more || err != nil {
			return met, err
		}
		name := d.cur.Name(key)
		field, exact := n.find(name)
		switch {
		case !exact:
			return met, ambiguous(d.field(at, n.camel[field-1]), "is given in another spelling")
		case field != 0 && !met.add(field):
			return met, ambiguous(d.field(at, n.camel[field-1]), "is given twice")
		}
		if err := member(field, name); err != nil {
			return met, err
		}
	}
}

// param names a field: that of the object at, or the object itself.
func param(at, field string) string {
	switch {
	case at == "" && field == "":
		return "body"
	case at == "":
		return field
	case field == "":
		return at
	}
	return at + "." + field
}

// each reads a list of at most limit objects; one object alone is a list of it.
func (d *decoder) each(at string, limit int, read func(i int) error) error {
	switch k := d.cur.Kind(); k {
	case jsonscan.Object:
		return read(0)
	case jsonscan.Null:
		return d.cur.Null()
	case jsonscan.Array:
	case jsonscan.Invalid:
		return d.cur.Skip() // for the reason
	default:
		return invalidType(at, "an array of objects", k)
	}
	return d.cur.EachElement(func(i int) error {
		if i == limit {
			return tooMany(at, limit)
		}
		return read(i)
	})
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

// modelValue reads a field that names the model again.
func (d *decoder) modelValue(at string) error {
	if d.cur.TakeNull() {
		return nil
	}
	if err := d.expect(jsonscan.String, at, "a string"); err != nil {
		return err
	}
	start := d.cur.Pos
	name, err := d.short(at, MaxModel+len(modelPrefix))
	if err != nil {
		return err
	}
	if name != d.call.Model && name != modelPrefix+d.call.Model {
		return invalidValue(at, "it is not the model in the path")
	}
	d.call.ModelSites = append(d.call.ModelSites, dialect.Span{Start: start, End: d.cur.Pos})
	return nil
}

const modelPrefix = "models/"
