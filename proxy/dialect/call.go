package dialect

import "purser/proxy/price"

// Endpoint is one of the operations the gateway understands.
type Endpoint uint8

// The endpoints.
const (
	Chat Endpoint = iota + 1
	Embeddings
	CountTokens // counts a prompt's tokens, for nothing
)

// Span is a part of a call's Raw bytes: Raw[Start:End].
type Span struct {
	Start, End int
}

// Empty says whether the span has no bytes, as that of an absent field has.
func (s Span) Empty() bool { return s.Start == s.End }

// TextKind says how a span of text is to be read.
type TextKind uint8

// The kinds of text.
const (
	// PlainText is the inside of a JSON string without any escape.
	PlainText TextKind = iota
	// EscapedText is the inside of a JSON string with escapes in it.
	EscapedText
	// RawJSON is a JSON value that the provider renders into the prompt in a
	// form of its own: tool definitions, schemas, fields unknown to us.
	RawJSON
)

// Text is a span of Raw that becomes part of the prompt.
type Text struct {
	Span
	Kind TextKind
}

// Detail is the resolution an image is asked to be read at.
type Detail uint8

// The details. DetailAuto is also what an absent field means.
const (
	DetailAuto Detail = iota
	DetailLow
	DetailHigh
	DetailOriginal
)

// Image is one image of the prompt. Width and Height are pixels, both zero when
// they could not be known (a link, or a format we do not read).
type Image struct {
	Detail        Detail
	Width, Height int
	Bytes         int  // encoded size as sent, zero for a link
	Link          bool // fetched by the provider, so its content may change
}

// Field is one name and value the client sent.
type Field struct {
	Name, Value string
}

// Call is a request in canonical form. Raw and the spans into it belong to the
// caller of the decoder; the strings are copies. A Call may be decoded into
// again and again, keeping its slices' memory.
type Call struct {
	Endpoint     Endpoint
	Operation    string // the dialect's own name of it, where an endpoint has several; "" else
	Model        string // as the client named it
	Stream       bool
	StreamType   string // content type of the client's stream; "" is text/event-stream
	IncludeUsage bool   // the client itself asked for usage in its stream
	MaxOutput    int64  // the client's cap in tokens for each of N answers; 0 when unset
	N            int64  // answers asked for, at least 1

	Messages  int // messages, or inputs of an embedding
	Names     int // messages that carry a name
	Tools     int // tools and functions defined
	ToolCalls int // earlier tool calls repeated in the messages

	// TextBytes counts prompt text in UTF-8 bytes after unescaping, ToolBytes
	// the raw JSON of definitions and schemas, and RawMembers how many members
	// and elements that JSON has. Together they cover everything in Texts.
	TextBytes  int64
	ToolBytes  int64
	RawMembers int64

	// TokenInputs is how many tokens came ready made (embeddings of token
	// arrays): they count exactly.
	TokenInputs int64

	// Meters are what the call can be counted on, where the dialect knows; 0 where
	// it does not.
	Meters price.Set

	// Thinks says that reasoning may be billed beside MaxOutput and not within
	// it; NoThinking, that the request turns it off where a model can do without.
	Thinks, NoThinking bool

	// PredictionBytes is the predicted output, which is billed as output where
	// it is rejected. It is not part of Texts.
	PredictionBytes int64

	Texts  []Text
	Images []Image
	Files  int // file parts with their content in the request

	ServiceTier string // as asked, "" when unset

	// HiddenContext names the first field that pulls in content which is not in
	// the request, such as "messages[0].content[1].file.file_id"; "" when there
	// is none. Such a prompt is bounded only by the model's context window.
	HiddenContext string

	Store    bool // the provider is asked to keep the answer
	User     string
	Metadata []Field

	Raw   []byte
	Sites Sites
	// ModelSites are the values that name the model, in order, in a dialect whose
	// body may do so in several places.
	ModelSites []Span
}

// Sites are where a dialect found the fields that the gateway may set, for that
// dialect's rewriting. An empty span means the field is absent; a field that is
// null has a span.
type Sites struct {
	Model         Span // value
	CapParent     Span // value of the object that the cap belongs into, where that is not the body
	CapKey        Span // key with its quotes
	CapValue      Span
	CapNull       Span // value, null, of a cap under the other name
	StreamOptions Span // value
	IncludeUsage  Span // value
	Close         int  // index of the body's last brace
}

// Reset empties the call for another decoding, keeping its memory.
func (c *Call) Reset() {
	*c = Call{
		Texts: c.Texts[:0], Images: c.Images[:0], Metadata: c.Metadata[:0],
		ModelSites: c.ModelSites[:0],
	}
}
