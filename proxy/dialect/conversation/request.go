package conversation

import "slices"

// Request is a call in no dialect.
type Request struct {
	Model  string // as the client named it
	Stream bool

	System []Part // texts, before the first turn
	Turns  []Turn
	Tools  []Tool
	Choice Choice
	// Groups are the groups that tools stand in, by the names of the tools, which begin
	// with that of the group: see [Grouped]. Only a client's dialect knows them.
	Groups map[string]string

	// Parallel says whether the model may call several tools at once.
	Parallel Switch
	Format   Format

	MaxOutput Number // cap in tokens, reasoning included
	// UsualOutput is the cap for a call that has none, in dialects which require one;
	// 0 leaves it to them. Reasoning with a budget comes on top.
	UsualOutput int64
	Stop        []string
	StopAt      string // where Stop stands

	Temperature      Number
	TopP             Number
	TopK             Number
	Seed             Number
	PresencePenalty  Number
	FrequencyPenalty Number

	Reasoning Reasoning

	// Verbosity is how long an answer is wished for: "low", "medium" or "high".
	Verbosity Word

	// Tier is the service tier as OpenAI names them; "" and "auto" leave it open.
	Tier Word
	// User stands for the end user, for the provider's abuse detection.
	User Word

	// Left are the places of hints that are left out, the first of them where there
	// are many. Whoever reads or writes adds to it; the client is told.
	Left []string
}

// maxLeft bounds the places that are noted: agents mark each of thousands of blocks.
const maxLeft = 64

// Leave notes that the hint at a place is left out, once.
func (r *Request) Leave(at string) {
	if len(r.Left) < maxLeft && !slices.Contains(r.Left, at) {
		r.Left = append(r.Left, at)
	}
}

// LeaveWord and LeaveNumber note that a wish is left out, if the client had it.
func (r *Request) LeaveWord(w Word) {
	if w.Text != "" {
		r.Leave(w.At)
	}
}

// LeaveNumber is LeaveWord for a number.
func (r *Request) LeaveNumber(n Number) {
	if n.Set() {
		r.Leave(n.At)
	}
}

// Number is a number as the client wrote it, and where; unset where Digits is "".
type Number struct{ Digits, At string }

// Set says that the client gave one.
func (n Number) Set() bool { return n.Digits != "" }

// Word is a short text and where it stands; unset where Text is "".
type Word struct{ Text, At string }

// Switch is a boolean that may be unset, and where it stands.
type Switch struct {
	Set, On bool
	At      string
}

// Role is who speaks.
type Role uint8

// The roles. A system turn is one that comes after the conversation has begun;
// those before it are in [Request.System].
const (
	User Role = iota + 1
	Assistant
	System
)

// Turn is what one side says. Results of tools are parts of a user's turn.
// Neighbouring turns may have the same role: dialects which want them joined join
// them.
type Turn struct {
	Role  Role
	Parts []Part
	Name  string // of the participant, where one is given
	At    string
}

// PartKind is what a part is.
type PartKind uint8

// The kinds.
const (
	Text       PartKind = iota + 1
	Image               // Media
	Document            // Media: PDF and the like, or plain text
	Audio               // Media, always Data
	ToolUse             // Call
	ToolResult          // Result
	Thought             // Text, and Seal: reasoning
	Refusal             // Text: what the model says where it declines
)

// Part is one piece of a turn.
type Part struct {
	Kind   PartKind
	Text   string
	Media  Media
	Call   Call
	Result Result
	// Seal is what a provider wants back unread with its own reasoning: a signature,
	// or the reasoning encrypted. It begins with the name of the dialect that made
	// it and a colon; any other dialect leaves the thought out.
	Seal  string
	Cache Lifetime // the prompt up to here may be cached so long
	At    string
}

// Lifetime is how long a provider is asked to keep a part of the prompt.
type Lifetime uint8

// The lifetimes. Briefly is the provider's shortest.
const (
	NotCached Lifetime = iota
	Briefly
	Hour
)

// Media is the content of an image, a document or a sound: Data in base64, or a URL,
// or, of a document alone, Plain text.
type Media struct {
	Type   string // such as "image/png", "" where a URL does not say
	Data   string
	URL    string
	Plain  string
	Name   string // of a file
	Detail string // of an image: "low", "high" or "auto"; "" for the same as auto
}

// Call is the use of a tool by the model.
type Call struct {
	ID, Name  string
	Arguments []byte // a JSON object
}

// Result is what a tool gave: Parts are texts, images and documents.
type Result struct {
	ID     string // of the call
	Name   string // of the tool, where known: see [Request.NameResults]
	Parts  []Part
	Failed bool
}

// Tool is a function that the client runs.
type Tool struct {
	Name, Description string
	Schema            []byte // JSON Schema of the arguments, an object; nil for none
	Strict            Switch // arguments must fit the schema
	Cache             Lifetime
	At                string
}

// ChoiceKind says which tools the model may use.
type ChoiceKind uint8

// The kinds. Unset leaves it to the dialect's own default, which is Auto in each.
const (
	Unset ChoiceKind = iota
	Auto
	None
	Required // any, but one
	Named    // the one named
)

// Choice says which tools the model may use.
type Choice struct {
	Kind ChoiceKind
	Name string
	At   string
}

// FormatKind is the form of the answer.
type FormatKind uint8

// The forms.
const (
	Prose FormatKind = iota
	JSONObject
	JSONSchema
)

// Format is the form of the answer.
type Format struct {
	Kind        FormatKind
	Name        string // of the schema
	Description string
	Schema      []byte // an object
	Strict      Switch
	At          string
}

// Reasoning says how much the model is to think before it answers.
type Reasoning struct {
	Kind   ReasoningKind
	Effort string // "minimal", "low", "medium", "high", "xhigh" or "max"
	Budget int64  // tokens
	Shown  bool   // the client asks to see it, or a summary of it
	At     string
}

// ReasoningKind is how reasoning is asked for.
type ReasoningKind uint8

// The kinds.
const (
	ReasoningUnset   ReasoningKind = iota // as the model does by itself
	ReasoningOff                          // not at all
	ReasoningEffort                       // Effort
	ReasoningBudget                       // Budget, at most
	ReasoningByModel                      // as much as the model sees fit
)
