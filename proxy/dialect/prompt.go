package dialect

import "purser/proxy/dialect/jsonscan"

// AddText counts a string of the body into the prompt.
func (c *Call) AddText(s jsonscan.Str) {
	if s.Len == 0 {
		return
	}
	kind := PlainText
	if s.Escaped {
		kind = EscapedText
	}
	c.TextBytes += int64(s.Len)
	c.Texts = append(c.Texts, Text{Span: Span{Start: s.Start, End: s.End}, Kind: kind})
}

// AddNumber counts a number of the body into the prompt, which cur reads.
func (c *Call) AddNumber(cur *jsonscan.Cursor) error {
	start, end, err := cur.Number()
	if err == nil {
		c.AddText(jsonscan.Str{Start: start, End: end, Len: end - start})
	}
	return err
}

// AddStrings counts every key, string and number inside a value, which cur reads,
// into the prompt.
func (c *Call) AddStrings(cur *jsonscan.Cursor) error {
	switch cur.Kind() {
	case jsonscan.String:
		s, err := cur.String()
		if err == nil {
			c.AddText(s)
		}
		return err
	case jsonscan.Number:
		return c.AddNumber(cur)
	case jsonscan.Object:
		return cur.EachMember(func(key jsonscan.Str) error {
			c.AddText(key)
			c.RawMembers++
			return c.AddStrings(cur)
		})
	case jsonscan.Array:
		return cur.EachElement(func(int) error {
			c.RawMembers++
			return c.AddStrings(cur)
		})
	}
	return cur.Skip()
}

// AddRaw counts a value, which cur reads, into the prompt by its JSON, as the
// provider renders it in a way of its own.
func (c *Call) AddRaw(cur *jsonscan.Cursor) error {
	before := cur.Members
	start, end, err := cur.Value()
	if err != nil {
		return err
	}
	c.AddSpan(Span{Start: start, End: end}, cur.Members-before)
	return nil
}

// AddSpan is AddRaw for a value that was read, and had that many members and
// elements.
func (c *Call) AddSpan(value Span, members int) {
	c.RawMembers += int64(members)
	c.ToolBytes += int64(value.End - value.Start)
	c.Texts = append(c.Texts, Text{Span: value, Kind: RawJSON})
}

// Hide notes a field that refers to content outside the request.
func (c *Call) Hide(param string) {
	if c.HiddenContext == "" {
		c.HiddenContext = param
	}
}
