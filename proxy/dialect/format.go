package dialect

import "bytes"

// Target is what a request says outside its body: the operation, and what some
// dialects put into the path or headers.
type Target struct {
	Endpoint  Endpoint
	Operation string // the dialect's own name of it, where the path has one
	Model     string // of the path, "" where the body names it
	Stream    bool   // the path asks for a stream
	Query     string // of the URL, as sent; a credential in it is none of the dialect's business
	Features  string // what the client's headers switch on; they bear on the cost and the answer
}

// Change is what the gateway sets in the body it sends upstream.
type Change struct {
	Model     string // the upstream's name of the model; "" keeps the client's
	MaxOutput int64  // cap in tokens of each answer; 0 keeps the client's
	// CapField is the cap's name upstream, where a dialect has several. "" keeps
	// the client's choice, and means the dialect's newest where it chose none.
	CapField     string
	IncludeUsage bool // make a stream end with its usage
	// NoStreamOptions leaves the client's stream_options out: the upstream refuses
	// them, and reports usage without.
	NoStreamOptions bool
	// MaxCalls limits the calls of tools that the provider runs; 0 keeps the
	// client's limit.
	MaxCalls int64
}

// Meter reads one streamed answer as it passes and gives the bytes that go on to
// the client. It may be used again after Reset.
type Meter interface {
	// Reset readies the meter for the stream that answers c.
	Reset(c *Call)
	// Feed takes the next bytes of the upstream and gives those for the client:
	// whole events, so that what an event says is known before any of it goes on. It
	// is a part of chunk or memory of the meter's, valid until the next call. After
	// an error the stream cannot go on.
	Feed(chunk []byte) ([]byte, error)
	// Finish says that the upstream has no more bytes, and gives the last ones.
	Finish() []byte
	// Report is what the stream has said until now. It belongs to the meter.
	Report() *Report
}

// Listed is one entry of a list of models.
type Listed struct {
	ID, Owner  string
	Translated bool // its upstream speaks another dialect: it can be talked to, and nothing else
}

// Requests are the calls of a dialect.
type Requests interface {
	// Decode reads a body into c, which it resets. Afterwards c refers to body; its
	// strings are copies.
	Decode(c *Call, t Target, body []byte) *Error
	// AppendUpstream appends the body to send upstream: the client's, byte for byte,
	// but for what ch sets. c was decoded without error, and its Raw is unchanged.
	AppendUpstream(dst []byte, c *Call, ch Change) []byte
	// Path is where the call goes, below the upstream's base URL, with the
	// upstream's name of the model.
	Path(c *Call, model string) string
}

// Answers are the answers of a dialect.
type Answers interface {
	// ReadAnswer reads a whole answer of status 200 into r, which it resets. A body
	// that is no such answer gives a report that is not Done and has no usage.
	ReadAnswer(r *Report, e Endpoint, body []byte)
	NewMeter() Meter
}

// Errors are what a dialect's clients are told that get no answer.
type Errors interface {
	// ErrorAnswer gives the status, headers and body that tell e to the client.
	ErrorAnswer(e *Error, c Client) (status int, header []Header, body []byte)
}

// Limits are what clients are told of limits of a rate.
type Limits interface {
	// AppendRateLimit appends the dialect's headers of a limit of requests or tokens,
	// if it has any; resetMillis is until it opens again.
	AppendRateLimit(dst []Header, b *Budget, resetMillis int64) []Header
}

// Stored are the forms an answer is kept in.
type Stored interface {
	// Cacheable says whether a stored answer may serve this call, and if not, why.
	Cacheable(c *Call) (ok bool, why string)
	// AppendCanonical appends the canonical form of the call's body, for hashing.
	AppendCanonical(dst []byte, c *Call) ([]byte, error)
	// Fold appends the whole answer that a stream amounts to.
	Fold(dst, stream []byte) ([]byte, error)
	// Replay appends the stream that tells a whole answer to c.
	Replay(dst, answer []byte, c *Call) ([]byte, error)
}

// Question is the text that a call ends with, and where it is.
type Question struct {
	Span Span // of the inside of the string, in the call's Raw
	Text string
}

// Questions say what a conversation asks, and what it was answered.
type Questions interface {
	// Question is the last text of the user's, of a call that ends with one and is
	// about texts alone; where it is not, why says so in a word of package question.
	Question(c *Call) (q Question, why string)
	// Answered is the text of a whole answer of status 200. whole says that there is
	// nothing else in it, and that the model came to its own end.
	Answered(answer []byte) (text string, whole bool)
}

// Lists are the lists of models of a dialect.
type Lists interface {
	AppendModels(dst []byte, list []Listed) []byte
	AppendModel(dst []byte, m Listed) []byte
}

// Ending follows one stream of a provider, so that the stream can be ended in the
// middle, as the provider itself ends an answer that has reached its cap. It may
// be used again after Reset.
type Ending interface {
	// Reset readies it for the stream that answers c.
	Reset(c *Call)
	// See takes the data of the stream's next event.
	See(data []byte)
	// Frames bounds the tokens that are billed and are not in the text that the
	// stream's meter counts: [FrameTokens] for each part of the answer that has
	// begun, such as a message or the call of a tool, and the names of tools.
	Frames() int64
	// Append appends the events that end the stream now, as the provider would
	// send them, with the tokens that it came to.
	Append(dst []byte, in, out int64) []byte
}

// FrameTokens bounds what is billed for a part of an answer beside its text. The
// formats that models are known to write have at most half a dozen.
const FrameTokens = 16

// Endings are the ends that a stream of a dialect can be given, where it is one of
// server-sent events.
type Endings interface {
	NewEnding() Ending
}

// Provider is one wire format as an upstream speaks it.
type Provider interface {
	Requests
	Answers
}

// Format is one wire format: how clients ask, and how providers answer them.
type Format interface {
	Provider
	Errors
	Limits
	Stored
	Questions
	Lists
}

// Client tells apart the clients that want a refusal in a form of their own.
type Client uint8

// The clients.
const (
	AnyClient Client = iota
	Codex            // retries a 402, stops on its own 429
	Opencode         // retries what has the digits of a status in its text
)

// ClientOf names the client from its User-Agent and originator headers.
func ClientOf(userAgent, originator []byte) Client {
	switch {
	case isNamed(userAgent, "codex") || isNamed(originator, "codex"):
		return Codex
	case isNamed(userAgent, "opencode"):
		return Opencode
	}
	return AnyClient
}

func isNamed(header []byte, name string) bool {
	return len(header) >= len(name) && bytes.EqualFold(header[:len(name)], []byte(name))
}
