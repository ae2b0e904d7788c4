package gist

import (
	"errors"
	"slices"
	"strconv"

	"purser/proxy/dialect/jsonscan"
)

// Shape is how a dialect writes a conversation.
type Shape struct {
	Before  []string // members that stand before the conversation, in the order they are hashed in
	List    string   // the member with the messages, or with one text
	Content string   // the member of a message with its text, or its parts
	Roles   []string // of messages that belong to what stands before, if they lead
}

// Gist is what a request is recognised by. Asked and Prefix are 0 where there is no
// conversation in it.
type Gist struct {
	Asked, Prefix uint64
	Temperature   float64 // that the request names, 0 for none
}

// Read reads a body that was decoded without error.
func Read(s *Shape, body []byte, tenant string) (g Gist) {
	r := reader{shape: s, cur: jsonscan.Cursor{Doc: body, LoneSurrogates: true}}
	if r.cur.Kind() != jsonscan.Object || r.document() != nil || r.last.empty() {
		return g
	}
	seed := sum(0, []byte(tenant))
	h, size := seed, 0
	for _, at := range r.before {
		h = sum(h, r.cur.Doc[at.start:at.end])
		size += at.end - at.start
	}
	for _, at := range r.lead {
		h = sum(h, r.cur.Doc[at.start:at.end])
		size += at.end - at.start
	}
	said := sum(seed+1, r.cur.Doc[r.list.start:r.last.start])
	return Gist{askedOf(r.texts(), said), h&^sizeMask | sizeOf(size), r.temperature}
}

type span struct{ start, end int }

func (s span) empty() bool { return s.start == s.end }

// mostBefore is how many members may stand before; no shape has more.
const mostBefore = 6

type reader struct {
	shape  *Shape
	cur    jsonscan.Cursor
	before [mostBefore]span
	lead   []span // messages at the front
	list   span   // from after those
	last   span   // message, or the text
	room   [4]span

	temperature float64
}

func (r *reader) document() error {
	r.lead = r.room[:0]
	return r.cur.EachMember(func(key jsonscan.Str) error {
		name := r.cur.Name(key)
		if string(name) == r.shape.List {
			return r.conversation()
		}
		switch string(name) {
		case "temperature":
			return r.number()
		case "generationConfig", "generation_config": // Gemini's
			if r.cur.Kind() == jsonscan.Object {
				return r.cur.EachMember(func(key jsonscan.Str) error {
					if string(r.cur.Name(key)) == "temperature" {
						return r.number()
					}
					return r.cur.Skip()
				})
			}
		}
		for i, b := range r.shape.Before {
			if string(name) == b {
				var err error
				r.before[i].start, r.before[i].end, err = r.cur.Value()
				return err
			}
		}
		return r.cur.Skip()
	})
}

func (r *reader) number() error {
	start, end, err := r.cur.Value()
	if n, not := strconv.ParseFloat(string(r.cur.Doc[start:end]), 64); err == nil && not == nil {
		r.temperature = max(r.temperature, n)
	}
	return err
}

func (r *reader) conversation() error {
	if r.cur.Kind() != jsonscan.Array {
		start, end, err := r.cur.Value()
		r.list, r.last = span{start, start}, span{start, end}
		return err
	}
	leads := len(r.shape.Roles) > 0
	r.list.start = r.cur.Pos
	return r.cur.EachElement(func(int) error {
		start, end, err := r.cur.Value()
		if err != nil {
			return err
		}
		if leads = leads && slices.Contains(r.shape.Roles, string(r.role(start))); leads {
			r.lead, r.list.start = append(r.lead, span{start, end}), end
			return nil
		}
		r.last = span{start, end}
		return nil
	})
}

var errEnough = errors.New("the rest is not read")

// role is that of the message at a place.
func (r *reader) role(start int) (role []byte) {
	c := jsonscan.Cursor{Doc: r.cur.Doc, Pos: start, LoneSurrogates: true}
	if c.Kind() != jsonscan.Object {
		return nil
	}
	_ = c.EachMember(func(key jsonscan.Str) error { // it was read before
		if string(c.Name(key)) == "role" && c.Kind() == jsonscan.String {
			s, err := c.String()
			if role = c.Name(s); err == nil {
				err = errEnough
			}
			return err
		}
		return c.Skip()
	})
	return role
}

// longMessage is too long for a question to be compared by its words, in bytes.
const longMessage = 4 * maxText

// texts are the insides of the strings that the last message says; where it says none,
// as a result of a tool does, the message itself.
func (r *reader) texts() [][]byte {
	c := jsonscan.Cursor{Doc: r.cur.Doc, Pos: r.last.start, LoneSurrogates: true}
	if r.last.end-r.last.start > longMessage {
		return [][]byte{c.Doc[r.last.start:r.last.end]}
	}
	var list [][]byte
	add := func() error {
		s, err := c.String()
		list = append(list, c.Doc[s.Start:s.End])
		return err
	}
	switch c.Kind() {
	case jsonscan.String:
		_ = add() // all of it was read before
		return list
	case jsonscan.Object:
	default:
		return [][]byte{c.Doc[r.last.start:r.last.end]}
	}
	plain := true
	_ = c.EachMember(func(key jsonscan.Str) error {
		switch name := string(c.Name(key)); {
		case name != r.shape.Content:
			return c.Skip()
		case c.Kind() == jsonscan.String:
			return add()
		case c.Kind() != jsonscan.Array:
			return c.Skip()
		}
		return c.EachElement(func(int) error {
			if c.Kind() != jsonscan.Object {
				plain = false
				return c.Skip()
			}
			said := false
			err := c.EachMember(func(key jsonscan.Str) error {
				if string(c.Name(key)) == "text" && c.Kind() == jsonscan.String {
					said = true
					return add()
				}
				return c.Skip()
			})
			plain = plain && said
			return err
		})
	})
	if !plain || len(list) == 0 { // a picture, a result: compared as it is
		return [][]byte{c.Doc[r.last.start:r.last.end]}
	}
	return list
}
