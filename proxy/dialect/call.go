package dialect

import "purser/proxy/price"

// Endpoint is one of the operations the gateway understands.
type Endpoint uint8

// The endpoints.
const (
	Chat Endpoint = iota + 1
	Embeddings
	CountTokens // counts a prompt's tokens
	Completions
	Responses
	Compact // a conversation made shorter by the model
	Moderations
	Lookup // what the provider keeps of an earlier answer: read, deleted or stopped
)

// Generates says whether the model writes an answer, billed as output.
func (e Endpoint) Generates() bool {
	switch e {
	case Chat, Completions, Responses, Compact:
		return true
	default:
		return false
	}
}

// Free says whether the provider charges nothing for it.
func (e Endpoint) Free() bool { return e == CountTokens || e == Moderations || e == Lookup }

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

// PaidTool is a tool that the provider runs and charges by the call.
type PaidTool struct {
	Meter price.Meter
	Param string // where the request asks for it, such as "tools[2].type"
}

// Reference is an id by which a request takes up what the provider keeps of an
// earlier answer, and where it stands.
type Reference struct {
	ID, Param string
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

	// UsualOutput is the cap that the endpoint's own definition gives a call which
	// names none; 0 where it gives none.
	UsualOutput int64

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

	// TokenInputs is how many tokens came ready made (arrays of tokens), and how
	// many those parts can be at most that only the provider can read. They count
	// as they are.
	TokenInputs int64

	// Paid are the tools the provider may run, in the order met. Each call of one
	// makes the model read its prompt again, with what the tool has found.
	Paid      []PaidTool
	MaxCalls  int64 // the client's limit of such calls; 0 when unset
	NoCalls   bool  // the client's limit is zero
	CapPerRun bool  // MaxOutput caps what the model writes between two of them, not all of it

	// References are the earlier answers it takes up. Whether they are the
	// caller's is not known here.
	References []Reference

	// Thinks says that reasoning may be billed beside MaxOutput and not within
	// it; NoThinking, that the request turns it off where a model can do without.
	Thinks, NoThinking bool

	// Conceals says that the request sets how the model reasons, or how much, or
	// that it asks for media: output may be billed that does not show as text.
	Conceals bool

	// PredictionBytes is the predicted output, which is billed as output where
	// it is rejected. It is not part of Texts.
	PredictionBytes int64

	Texts  []Text
	Images []Image
	Files  int // file parts with their content in the request

	ServiceTier string // as asked, "" when unset

	// Features are what the client's headers switch on, as sent; "" for none.
	Features string

	// Regions are where the provider may process the call, by the catalogue's names:
	// the price of each may apply. None means the price for any.
	Regions []string

	// Meters are what the call can be counted on, where the dialect knows; 0 where
	// it does not.
	Meters price.Set

	// NoOutput says that no answer is asked for, only what the provider remembers
	// of the prompt. MaxOutput is 0 then too.
	NoOutput bool

	// Added bounds the tokens that the provider adds to the prompt for what the call
	// asks for, beyond those for messages and tools.
	Added int64

	// Window is a larger context window that the client switched on, in tokens; 0
	// for the model's own.
	Window int64

	// Compacts says that the provider may sum the prompt up in a run of the model
	// that comes beside the answer and that no cap of the request bounds.
	Compacts bool

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
	CallsValue    Span // of the limit of tool calls
	StreamOptions Span // value
	IncludeUsage  Span // value
	Close         int  // index of the body's last brace
}

// CacheLifetime is the meter for cache writes of unstated lifetime: the longest
// that the call asked for.
func (c *Call) CacheLifetime() price.Meter {
	for _, m := range [...]price.Meter{price.CacheWrite12h, price.CacheWrite1h, price.CacheWrite30m, price.CacheWrite5m} {
		if c.Meters.Has(m) {
			return m
		}
	}
	return price.CacheWriteOther
}

// Reset empties the call for another decoding, keeping its memory.
func (c *Call) Reset() {
	*c = Call{
		Texts: c.Texts[:0], Images: c.Images[:0], Metadata: c.Metadata[:0],
		Paid: c.Paid[:0], References: c.References[:0], ModelSites: c.ModelSites[:0],
	}
}
