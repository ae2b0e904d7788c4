package question

import (
	"slices"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// Shape is how a dialect writes a conversation.
type Shape struct {
	List    string   // the member with the messages
	Content string   // the member of a message with its text, or with its parts
	Types   []string // of parts that are text, and nothing else; none: parts have no type
	Alone   bool     // the list may be one text
	Unsaid  bool     // a message without a role is the user's
}

// Why a call has no question.
const (
	WhyEndpoint = "endpoint" // it is not a conversation
	WhyTools    = "tools"    // tools are defined, or were called
	WhyMedia    = "media"    // pictures, files, or anything else that is no text
	WhyAnswers  = "answers"  // it asks for several
	WhyHidden   = "hidden"   // it takes up what is not in the request
	WhyRole     = "role"     // the last message is not the user's
	WhyForm     = "form"     // it is not written as conversations are
)

// Of finds the question of c. Where there is none, why is the reason.
func Of(c *dialect.Call, s *Shape) (q dialect.Question, why string) {
	switch {
	case c.Endpoint != dialect.Chat && c.Endpoint != dialect.Responses:
		return q, WhyEndpoint
	case c.Tools > 0 || c.ToolCalls > 0 || len(c.Paid) > 0:
		return q, WhyTools
	case len(c.Images) > 0 || c.Files > 0 || c.TokenInputs > 0:
		return q, WhyMedia
	case c.N > 1:
		return q, WhyAnswers
	case len(c.References) > 0 || c.HiddenContext != "":
		return q, WhyHidden
	}
	f := finder{Shape: s, cur: jsonscan.Cursor{Doc: c.Raw}}
	found, why, err := f.document()
	if err != nil {
		return q, WhyForm
	}
	if why != "" {
		return q, why
	}
	return dialect.Question{Span: dialect.Span{Start: found.Start, End: found.End}, Text: f.cur.Text(found)}, ""
}

// finder walks one body.
type finder struct {
	*Shape
	cur jsonscan.Cursor
}

// document finds the list, whose last element is read once its place is known.
func (f *finder) document() (found jsonscan.Str, why string, err error) {
	why = WhyForm
	err = f.cur.EachMember(func(key jsonscan.Str) error {
		if string(f.cur.Name(key)) != f.List {
			return f.cur.Skip()
		}
		var err error
		switch f.cur.Kind() {
		case jsonscan.String:
			if !f.Alone {
				return f.cur.Skip()
			}
			found, err = f.cur.String()
			why = ""
		case jsonscan.Array:
			found, why, err = f.list()
		default:
			return f.cur.Skip()
		}
		return err
	})
	return found, why, err
}

func (f *finder) list() (found jsonscan.Str, why string, err error) {
	last := jsonscan.Cursor{}
	err = f.cur.EachElement(func(int) error {
		last = f.cur
		return f.cur.Skip()
	})
	if err != nil || last.Doc == nil {
		return found, WhyForm, err
	}
	if last.Kind() != jsonscan.Object {
		return found, WhyForm, nil
	}
	m := finder{Shape: f.Shape, cur: last}
	return m.message()
}

// message reads the last message.
func (f *finder) message() (found jsonscan.Str, why string, err error) {
	user, said, text := f.Unsaid, false, false
	why = WhyForm
	err = f.cur.EachMember(func(key jsonscan.Str) error {
		switch name := string(f.cur.Name(key)); {
		case name == "role" && f.cur.Kind() == jsonscan.String:
			role, err := f.cur.String()
			user = string(f.cur.Name(role)) == "user"
			return err
		case name == "type" && f.cur.Kind() == jsonscan.String:
			kind, err := f.cur.String()
			said = string(f.cur.Name(kind)) != "message"
			return err
		case name == f.Content:
			var err error
			found, text, err = f.content()
			return err
		}
		return f.cur.Skip()
	})
	switch {
	case err != nil || said:
		return found, WhyForm, err
	case !user:
		return found, WhyRole, nil
	case !text:
		return found, WhyMedia, nil
	}
	return found, "", nil
}

// content is a text, or parts that are all texts; text is false for others.
func (f *finder) content() (found jsonscan.Str, text bool, err error) {
	switch f.cur.Kind() {
	case jsonscan.String:
		found, err = f.cur.String()
		return found, len(f.Types) > 0, err // where parts have no type, there are only parts
	case jsonscan.Array:
	default:
		return found, false, f.cur.Skip()
	}
	text = true
	any := false
	err = f.cur.EachElement(func(int) error {
		s, ok, err := f.part()
		found, any, text = s, true, text && ok
		return err
	})
	return found, text && any, err
}

// part reads one part of a content. It is a text if it has one, and is of a type that
// is text; or has nothing else in it, where parts have no type.
func (f *finder) part() (found jsonscan.Str, text bool, err error) {
	if f.cur.Kind() != jsonscan.Object {
		return found, false, f.cur.Skip()
	}
	typed, other := false, false
	err = f.cur.EachMember(func(key jsonscan.Str) error {
		switch name := string(f.cur.Name(key)); {
		case name == "text" && f.cur.Kind() == jsonscan.String:
			var err error
			found, err = f.cur.String()
			text = true
			return err
		case name == "type" && f.cur.Kind() == jsonscan.String:
			kind, err := f.cur.String()
			typed = slices.Contains(f.Types, string(f.cur.Name(kind)))
			return err
		}
		other = true
		return f.cur.Skip()
	})
	if len(f.Types) == 0 {
		return found, text && !other, err
	}
	return found, text && typed, err
}
