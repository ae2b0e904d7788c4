package compress

import (
	"bytes"
	"fmt"
	"slices"

	"purser/proxy/dialect/jsonscan"
)

// Dialect is the form of a client's body.
type Dialect uint8

// The dialects.
const (
	Chat Dialect = iota // OpenAI's chat completions
	Responses
	Messages // Anthropic's
	Gemini
	dialects
)

var dialectNames = [dialects]string{"chat", "responses", "messages", "gemini"}

// String names the dialect.
func (d Dialect) String() string {
	if d < dialects {
		return dialectNames[d]
	}
	return fmt.Sprintf("dialect(%d)", uint8(d))
}

// voice is whose a text is.
type voice uint8

const (
	system voice = iota
	user
	model  // what it said
	calls  // arguments of a call, that the model wrote
	result // of a tool
)

// text is one string of the prompt.
type text struct {
	voice voice
	turn  int          // index of its message; -1 for the system prompt
	tool  string       // of arguments and results
	call  string       // a result's tool and arguments: equal for equal calls
	str   jsonscan.Str // in the body; of arguments within a string, nowhere
	in    []byte       // as the client sent it
	out   []byte       // as it is to be
	exact bool         // a result whose spelling stays
	noted bool         // has the opening of a note in it
}

// changeable says whether a pass may change it.
func (t *text) changeable() bool { return t.voice == user || t.voice == result }

// turn is a message, or an item of a list of them.
type turn struct {
	node    *node
	voice   voice    // of its author: what has a result in it is a result
	texts   []*text  // those that may change, or be referred to
	calls   []string // ids of calls made, and of those answered, in it
	answers []string
	fixed   bool // has what is never left out: a cache marker, media, or what is not known
}

// talk is a conversation as a body has it.
type talk struct {
	doc     []byte
	list    *node  // of turns
	turns   []turn // in order
	texts   []*text
	schemas []*node
	made    map[string]*made // calls by their ids

	asked, answered map[string]int // calls and results without ids, by their tools
}

// made is a call of a tool.
type made struct {
	tool, args string
}

// converse reads a body. A body in which nothing is known gives a conversation
// without turns.
func converse(doc []byte, d Dialect) (*talk, error) {
	root, err := parse(doc)
	if err != nil {
		return nil, fmt.Errorf("reading the body: %w", err)
	}
	t := &talk{doc: doc, made: map[string]*made{}, asked: map[string]int{}, answered: map[string]int{}}
	if root.twice {
		return t, nil
	}
	switch d {
	case Chat:
		t.chat(root)
	case Responses:
		t.responses(root)
	case Messages:
		t.messages(root)
	case Gemini:
		t.gemini(root)
	default:
		return nil, fmt.Errorf("no dialect %d", d)
	}
	for i := range t.turns {
		t.texts = append(t.texts, t.turns[i].texts...)
	}
	return t, nil
}

// opening begins every note.
const opening = "[purser: "

// add adds a string of the body to a turn.
func (t *talk) add(u *turn, v voice, n *node) *text {
	if !n.is(jsonscan.String) || n.str.Len == 0 {
		return nil
	}
	in := n.bytes(t.doc)
	x := &text{voice: v, turn: len(t.turns), str: n.str, in: in, out: in, noted: bytes.Contains(in, []byte(opening))}
	u.texts = append(u.texts, x)
	return x
}

// prompt adds the texts of the system prompt.
func (t *talk) prompt(n *node) {
	u := turn{}
	t.parts(&u, system, n)
	for _, x := range u.texts {
		x.turn = -1
	}
	t.texts = append(t.texts, u.texts...)
}

// parts adds content: a string, or a list of parts with texts.
func (t *talk) parts(u *turn, v voice, content *node) {
	if content.is(jsonscan.String) {
		t.add(u, v, content)
		return
	}
	for _, p := range content.each() {
		switch p.get("type").text(t.doc) {
		case "text", "input_text", "output_text":
			t.add(u, v, p.get("text"))
		default:
			u.fixed = true
		}
	}
}

// minRemembered is the least text of arguments worth remembering, since no shorter
// one can be referred to.
const minRemembered = minRepeat

// calling notes a call. args is an object, or a string that has one in it.
func (t *talk) calling(u *turn, id, tool string, args *node) {
	u.calls = append(u.calls, id)
	m := &made{tool: tool}
	defer func() { t.made[id] = m }()
	if args == nil {
		return
	}
	doc, n := t.doc, args
	if args.is(jsonscan.String) {
		doc = args.bytes(t.doc)
		inner, err := parse(doc)
		if err != nil {
			m.args = string(doc)
			if len(doc) >= minRemembered {
				u.texts = append(u.texts, &text{voice: calls, turn: len(t.turns), tool: tool, in: doc, out: doc})
			}
			return
		}
		n = inner
	}
	m.args = string(n.shortest(nil, doc))
	n.strings(func(s *node) {
		if s.str.Len >= minRemembered {
			in := s.bytes(doc)
			u.texts = append(u.texts, &text{voice: calls, turn: len(t.turns), tool: tool, in: in, out: in})
		}
	})
}

// resulting gives the texts from index from on, which a result has, to the call it is of.
func (t *talk) resulting(u *turn, id string, from int) {
	u.voice = result
	u.answers = append(u.answers, id)
	m := t.made[id]
	if m == nil {
		return
	}
	for _, x := range u.texts[from:] {
		x.tool, x.call = m.tool, m.tool+"\x00"+m.args
	}
}

// settle marks what keeps its spelling.
func (t *talk) settle(s *Settings) {
	known := map[string]bool{}
	for _, x := range t.texts {
		if x.voice != result {
			continue
		}
		is, ok := known[x.tool]
		if !ok {
			is = s.exact(x.tool)
			known[x.tool] = is
		}
		x.exact = is
	}
}

// edit puts bytes in the place of others.
type edit struct {
	start, end int
	with       []byte
}

// edits are those of the texts that have changed.
func (t *talk) edits(into []edit) []edit {
	for _, x := range t.texts {
		if x.str.End > 0 && !bytes.Equal(x.in, x.out) {
			quoted := jsonscan.AppendValid(make([]byte, 0, len(x.out)+len(x.out)/16+2), x.out)
			into = append(into, edit{x.str.Start - 1, x.str.End + 1, quoted})
		}
	}
	return into
}

// apply gives doc with edits; of those that overlap, the outer one, which begins
// first, counts.
func apply(doc []byte, edits []edit) []byte {
	slices.SortStableFunc(edits, func(a, b edit) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return b.end - a.end
	})
	size := len(doc)
	for _, e := range edits {
		size += len(e.with)
	}
	out, at := make([]byte, 0, size), 0
	for _, e := range edits {
		if e.start < at {
			continue
		}
		out = append(append(out, doc[at:e.start]...), e.with...)
		at = e.end
	}
	return append(out, doc[at:]...)
}
