package chat

import "purser/proxy/dialect/conversation"

// sides is how many turns at the beginning are one side's. Results have to follow the
// message that has all calls which they answer.
func sides(turns []conversation.Turn) int {
	n := 1
	for n < len(turns) && turns[n].Role == turns[0].Role && turns[0].Role != conversation.System &&
		(turns[0].Role == conversation.User || turns[n].Name == turns[0].Name) {
		n++
	}
	return n
}

// user writes the results of turns, each a message of its own and next to the
// calls, then what results have beside text, which the dialect takes from the user
// alone, and then what else each turn says.
func (w *writing) user(turns []conversation.Turn) {
	var shown []conversation.Part
	for i := range turns {
		for j := range turns[i].Parts {
			if p := &turns[i].Parts[j]; p.Kind == conversation.ToolResult {
				shown = append(shown, w.result(p)...)
			}
		}
	}
	if len(shown) > 0 {
		w.message("user", "", shown)
	}
	for i := range turns {
		t := &turns[i]
		var said []conversation.Part
		for _, p := range t.Parts {
			if p.Kind != conversation.ToolResult {
				said = append(said, p)
			}
		}
		if len(said) > 0 || len(t.Parts) == 0 {
			w.message("user", t.Name, said)
		}
	}
}

// maxCallID is the longest id of a call that OpenAI takes.
const maxCallID = 40

func callID(id string) string { return conversation.ShortID(id, maxCallID) }

// result writes the texts of a result, and gives what else it has, with a text that
// says what it is of.
func (w *writing) result(p *conversation.Part) (shown []conversation.Part) {
	w.uncached(p.Cache, p.At)
	if p.Result.Failed {
		w.q.Leave(p.At + ".is_error") // a tool that failed says so in its text as well
	}
	id := callID(p.Result.ID)
	var texts []conversation.Part
	for _, part := range p.Result.Parts {
		if part.Kind == conversation.Text {
			texts = append(texts, part)
			continue
		}
		if len(shown) == 0 {
			shown = append(shown, conversation.Part{Kind: conversation.Text, Text: "The result of the tool call " + id + " has this:"})
		}
		shown = append(shown, part)
	}
	if len(shown) > 0 && len(texts) == 0 {
		texts = []conversation.Part{{Kind: conversation.Text, Text: "The result is in the message that follows."}}
	}
	w.Object(func() {
		w.Field("role", "tool")
		w.Field("tool_call_id", id)
		w.content(texts, true)
	})
	return shown
}

// assistant writes turns as one message, unless they have nothing in them that the
// dialect has a place for.
func (w *writing) assistant(turns []conversation.Turn) {
	var said, calls []conversation.Part
	refusal := ""
	for i := range turns {
		for _, p := range turns[i].Parts {
			switch p.Kind {
			case conversation.ToolUse:
				calls = append(calls, p)
			case conversation.Thought:
				w.q.Leave(p.At)
			case conversation.Refusal:
				refusal += p.Text
			default:
				said = append(said, p)
			}
		}
	}
	if len(said) == 0 && len(calls) == 0 && refusal == "" {
		return
	}
	w.Object(func() {
		w.Field("role", "assistant")
		w.Optional("name", turns[0].Name)
		if len(said) > 0 {
			w.content(said, true)
		}
		w.Optional("refusal", refusal)
		if len(calls) > 0 {
			w.Key("tool_calls").Array(func() {
				for i := range calls {
					w.call(&calls[i])
				}
			})
		}
	})
}

func (w *writing) call(p *conversation.Part) {
	w.uncached(p.Cache, p.At)
	w.Object(func() {
		w.Field("id", callID(p.Call.ID))
		w.Field("type", "function")
		w.Key("function").Object(func() {
			w.Field("name", p.Call.Name)
			w.Field("arguments", string(p.Call.Arguments))
		})
	})
}
