package compress

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// step is one turn of a conversation, whatever the dialect: what a user writes, what
// the model says with its calls, or what these gave.
type step struct {
	User    string
	Said    string
	Calls   []callOf
	Results []string // of Calls
}

type callOf struct {
	ID, Tool string
	Args     map[string]any
}

type talkOf struct {
	System string
	Tools  []map[string]any // schemas
	Steps  []step
}

// prefix is the conversation's first n steps.
func (c talkOf) prefix(n int) talkOf {
	c.Steps = c.Steps[:n]
	return c
}

type object = map[string]any

// body writes the conversation in a dialect. Bodies of prefixes begin alike up to the
// end of the last turn, but for Gemini's and Anthropic's system prompt, which comes first.
func (c talkOf) body(d Dialect) []byte {
	var list []any
	tools := make([]any, len(c.Tools))
	switch d {
	case Chat:
		list = append(list, object{"role": "system", "content": c.System})
		for _, s := range c.Steps {
			list = append(list, s.chat()...)
		}
		for i, schema := range c.Tools {
			tools[i] = object{"type": "function", "function": object{"name": toolAt(i), "parameters": schema}}
		}
		return marshalled(object{"messages": list, "model": "gpt-4o", "tools": tools})
	case Responses:
		for _, s := range c.Steps {
			list = append(list, s.responses()...)
		}
		for i, schema := range c.Tools {
			tools[i] = object{"type": "function", "name": toolAt(i), "parameters": schema}
		}
		return marshalled(object{"input": list, "instructions": c.System, "model": "gpt-4o", "tools": tools})
	case Messages:
		for _, s := range c.Steps {
			list = append(list, s.messages()...)
		}
		for i, schema := range c.Tools {
			tools[i] = object{"name": toolAt(i), "input_schema": schema}
		}
		return marshalled(object{"max_tokens": 100, "messages": list, "model": "claude-haiku-4-5", "system": c.System, "tools": tools})
	default:
		for _, s := range c.Steps {
			list = append(list, s.gemini()...)
		}
		functions := make([]any, len(c.Tools))
		for i, schema := range c.Tools {
			functions[i] = object{"name": toolAt(i), "parametersJsonSchema": schema}
		}
		return marshalled(object{"contents": list, "systemInstruction": object{"parts": []any{object{"text": c.System}}}, "tools": []any{object{"functionDeclarations": functions}}})
	}
}

func marshalled(o object) []byte {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return b
}

func toolAt(i int) string { return []string{"read_file", "http_get", "run"}[i%3] }

func (s step) chat() (list []any) {
	if s.User != "" {
		return append(list, object{"role": "user", "content": s.User})
	}
	var calls []any
	for _, c := range s.Calls {
		calls = append(calls, object{"id": c.ID, "type": "function", "function": object{"name": c.Tool, "arguments": string(marshalled(c.Args))}})
	}
	m := object{"role": "assistant", "content": s.Said}
	if calls != nil {
		m["tool_calls"] = calls
	}
	list = append(list, m)
	for i, r := range s.Results {
		list = append(list, object{"role": "tool", "tool_call_id": s.Calls[i].ID, "content": r})
	}
	return list
}

func (s step) responses() (list []any) {
	if s.User != "" {
		return append(list, object{"type": "message", "role": "user", "content": []any{object{"type": "input_text", "text": s.User}}})
	}
	if s.Said != "" {
		list = append(list, object{"type": "message", "role": "assistant", "content": []any{object{"type": "output_text", "text": s.Said}}})
	}
	for _, c := range s.Calls {
		list = append(list, object{"type": "function_call", "call_id": c.ID, "name": c.Tool, "arguments": string(marshalled(c.Args))})
	}
	for i, r := range s.Results {
		list = append(list, object{"type": "function_call_output", "call_id": s.Calls[i].ID, "output": r})
	}
	return list
}

func (s step) messages() (list []any) {
	if s.User != "" {
		return append(list, object{"role": "user", "content": s.User})
	}
	blocks := []any{object{"type": "thinking", "thinking": "I think.", "signature": "c2ln"}, object{"type": "text", "text": "So: " + s.Said}}
	for _, c := range s.Calls {
		blocks = append(blocks, object{"type": "tool_use", "id": c.ID, "name": c.Tool, "input": c.Args})
	}
	list = append(list, object{"role": "assistant", "content": blocks})
	var results []any
	for i, r := range s.Results {
		results = append(results, object{"type": "tool_result", "tool_use_id": s.Calls[i].ID, "content": []any{object{"type": "text", "text": r}}})
	}
	if results != nil {
		list = append(list, object{"role": "user", "content": results})
	}
	return list
}

func (s step) gemini() (list []any) {
	if s.User != "" {
		return append(list, object{"role": "user", "parts": []any{object{"text": s.User}}})
	}
	parts := []any{object{"text": "So: " + s.Said, "thoughtSignature": "c2ln"}}
	for _, c := range s.Calls {
		parts = append(parts, object{"functionCall": object{"name": c.Tool, "args": c.Args}})
	}
	list = append(list, object{"role": "model", "parts": parts})
	var results []any
	for i, r := range s.Results {
		results = append(results, object{"functionResponse": object{"name": s.Calls[i].Tool, "response": object{"output": r}}})
	}
	if results != nil {
		list = append(list, object{"role": "user", "parts": results})
	}
	return list
}

// pool are texts that stand in several places, so that there is something to find.
var pool = func() (list []string) {
	for i := range 6 {
		var b strings.Builder
		for l := range 30 + 10*i {
			fmt.Fprintf(&b, "\tline %d of the file %d := call(%d)  \n", l, i, l*i)
		}
		list = append(list, b.String())
	}
	var rows []object
	for i := range 12 {
		rows = append(rows, object{"id": i, "name": "né <b>", "html": "a & b", "nested": object{"n": json.Number("1.50e3"), "empty": []any{}}})
	}
	pretty, err := json.MarshalIndent(object{"rows": rows, "total": 12}, "", "    ")
	if err != nil {
		panic(err)
	}
	list = append(list, string(pretty),
		strings.Repeat("2026-01-02T15:04:05.123Z INFO waiting for the leader\n", 7)+"done\n",
		"a\n"+strings.Repeat("retrying\n", 40)+"b\n",
		"before "+strings.Repeat("Ab1+", 300)+" after",
		strings.Repeat("\x1b[32mok\x1b[0m \x1b[1mpackage\x1b[0m\n", 10),
		"5 %\r10 %\r100 %\ndone\r\n",
		"[purser: 7 lines, 900 bytes, left out here: the same as above in the result of run]\nmore\n",
		"# Title\n\nText.   \nmore\t\n\n\n\n\nafter\n```\ncode  \n\n\n\n\n```\n  indented  \n\n\n\n\nend \n",
		"{\"a\": 1, \"a\": 2, \"b\": [\n\n\n 1 ]      }",
		strings.Repeat("word, ", 3000),
		strings.Repeat("x", 9000),
		"short",
	)
	return list
}()

func genText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		n := rapid.IntRange(1, 3).Draw(t, "parts")
		var b strings.Builder
		for range n {
			if rapid.IntRange(0, 5).Draw(t, "own") == 0 {
				b.WriteString(rapid.StringMatching(`[a-z {}"\n\t\x1b\r\[\]:`+"`"+`-]{1,60}`).Draw(t, "text"))
			} else {
				b.WriteString(rapid.SampledFrom(pool).Draw(t, "pooled"))
			}
		}
		return b.String()
	})
}

func genTalk(most int) *rapid.Generator[talkOf] {
	return rapid.Custom(func(t *rapid.T) talkOf {
		c := talkOf{System: rapid.SampledFrom(pool).Draw(t, "system")}
		for i := range 3 {
			c.Tools = append(c.Tools, schemaOf(i))
		}
		id := 0
		c.Steps = append(c.Steps, step{User: "The task."})
		for range rapid.IntRange(1, most).Draw(t, "steps") {
			if last := c.Steps[len(c.Steps)-1]; last.User == "" && rapid.IntRange(0, 2).Draw(t, "who") == 0 {
				c.Steps = append(c.Steps, step{User: genText().Draw(t, "asked")})
				continue
			}
			s := step{Said: rapid.SampledFrom([]string{"Yes.", pool[0], "No."}).Draw(t, "said")}
			for range rapid.IntRange(0, 2).Draw(t, "calls") {
				id++
				s.Calls = append(s.Calls, callOf{ID: fmt.Sprintf("call_%d", id), Tool: toolAt(rapid.IntRange(0, 2).Draw(t, "tool")),
					Args: object{"path": rapid.SampledFrom([]string{"a", "b", pool[1]}).Draw(t, "path")}})
				s.Results = append(s.Results, genText().Draw(t, "result"))
			}
			c.Steps = append(c.Steps, s)
		}
		return c
	})
}

func schemaOf(i int) object {
	return object{
		"$schema": "http://json-schema.org/draft-07/schema#", "$comment": "generated", "type": "object", "additionalProperties": i%2 == 0, "title": "Read",
		"properties": object{"path": object{"type": "string", "title": "Path", "minLength": 0, "description": "of the file"}, "$comment": object{"type": "string"}},
		"required":   []any{"path"},
	}
}

func genSettings(l Level) *rapid.Generator[*Settings] {
	return rapid.Custom(func(t *rapid.T) *Settings {
		s := &Settings{Level: l, KeepTurns: rapid.IntRange(1, 4).Draw(t, "keep"), StepTurns: rapid.IntRange(1, 4).Draw(t, "step"), ResultBytes: rapid.SampledFrom([]int{0, 1024, 3000}).Draw(t, "bytes")}
		for _, p := range Passes() {
			if rapid.IntRange(0, 9).Draw(t, "skip") == 0 {
				s.Skip = append(s.Skip, p)
			}
		}
		return s
	})
}

func applied(t interface{ Fatal(...any) }, body []byte, d Dialect, s *Settings) Result {
	r, err := Apply(body, d, s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// rapidT is what a property is checked with.
type rapidT struct{ *rapid.T }

// everySeed runs a property in dialects that are drawn.
func everySeed(t *testing.T, check func(t rapidT, d Dialect)) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		check(rapidT{t}, Dialect(rapid.IntRange(0, int(dialects)-1).Draw(t, "dialect")))
	})
}

// everywhere is everySeed, at levels that are drawn.
func everywhere(t *testing.T, check func(t *rapid.T, d Dialect, l Level)) {
	t.Helper()
	everySeed(t, func(t rapidT, d Dialect) {
		check(t.T, d, Level(rapid.IntRange(int(Lossless), int(Aggressive)).Draw(t.T, "level")))
	})
}
