package anthropic

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"purser/proxy/dialect/pieces"

	"pgregory.net/rapid"
)

const folded = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-4-8","content":[` +
	`{"type":"thinking","thinking":"Häm \ud83d\ude00","signature":"c2ln"},` +
	`{"type":"text","text":"It is \"so.\n","citations":[{"type":"char_location","cited_text":"x"}]},` +
	`{"type":"tool_use","id":"toolu_1","name":"look_up","input":{"word": "p\u00fc"}}],` +
	`"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":30,"cache_read_input_tokens":40,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":77,"service_tier":"priority","inference_geo":"us","output_tokens_details":{"thinking_tokens":9}}}`

func TestFold(t *testing.T) {
	got, err := Fold([]byte("x"), []byte(aStream))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != "x"+folded {
		t.Errorf("got  %s\nwant %s", got, folded)
	}
}

func TestReplay(t *testing.T) {
	got, err := Replay(nil, []byte(`{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"hi","citations":null},{"type":"tool_use","id":"t","name":"n","input":{"a":"\""}},{"type":"web_search_tool_result","content":[]}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := event("message_start", `,"message":{"id":"msg_1","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2}}`) +
		event("content_block_start", `,"index":0,"content_block":{"type":"text","text":"","citations":null}`)
	rest := event("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"hi"}`) + event("content_block_stop", `,"index":0`) +
		event("content_block_start", `,"index":1,"content_block":{"type":"tool_use","id":"t","name":"n","input":{}}`) +
		event("content_block_delta", `,"index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":\"\\\"\"}"}`) + event("content_block_stop", `,"index":1`) +
		event("content_block_start", `,"index":2,"content_block":{"type":"web_search_tool_result","content":[]}`) + event("content_block_stop", `,"index":2`) +
		event("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":1,"output_tokens":2}`) + event("message_stop", "")
	if string(got) != want+rest {
		t.Errorf("got  %s\nwant %s", got, want+rest)
	}
}

// TestReplayAndFoldAreInverse: whatever an answer says, its stream folds to it,
// and is metered as it.
func TestReplayAndFoldAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		var content []any
		for range rapid.IntRange(0, 4).Draw(t, "blocks") {
			switch rapid.IntRange(0, 4).Draw(t, "kind") {
			case 0:
				content = append(content, map[string]any{"type": "text", "text": text.Draw(t, "text")})
			case 1:
				content = append(content, map[string]any{"type": "text", "text": text.Draw(t, "text"), "citations": []any{map[string]any{"a": text.Draw(t, "c")}, map[string]any{}}})
			case 2:
				content = append(content, map[string]any{"type": "thinking", "thinking": text.Draw(t, "text"), "signature": text.Draw(t, "s")})
			case 3:
				content = append(content, map[string]any{"type": "tool_use", "id": text.Draw(t, "id"), "name": "n", "input": rapid.MapOf(text, text).Draw(t, "input")})
			default:
				content = append(content, map[string]any{"type": "redacted_thinking", "data": text.Draw(t, "data")})
			}
		}
		if content == nil {
			content = []any{}
		}
		answer, err := json.Marshal(map[string]any{"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
			"stop_reason": "end_turn", "stop_sequence": nil, "stop_details": map[string]any{"a": 1}, "usage": map[string]any{"input_tokens": 3, "output_tokens": 4}})
		if err != nil {
			t.Fatal(err)
		}
		stream, err := Replay(nil, answer)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Fold(nil, stream)
		if err != nil {
			t.Fatalf("%v: %s", err, stream)
		}
		var want, got any
		if json.Unmarshal(answer, &want) != nil || json.Unmarshal(back, &got) != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("answer %s\nback   %s", answer, back)
		}
		again, err := Replay(nil, back)
		if err != nil || string(again) != string(stream) {
			t.Fatalf("%v\n%s\n%s", err, stream, again)
		}
	})
}

func TestWhatCannotBeFolded(t *testing.T) {
	cut := func(from string) string { return aStream[:strings.Index(aStream, from)] }
	for name, stream := range map[string]string{
		"nothing":           "",
		"no message_stop":   cut("event: message_stop"),
		"no stop reason":    strings.Replace(aStream, `"stop_reason":"tool_use"`, `"stop_reason":null`, 1),
		"an open block":     strings.Replace(aStream, event("content_block_stop", `,"index":1`), "", 1),
		"out of order":      strings.Replace(aStream, `"content_block_start","index":1`, `"content_block_start","index":2`, 1),
		"a closed block":    strings.Replace(aStream, `"content_block_delta","index":1`, `"content_block_delta","index":0`, 1),
		"another delta":     strings.Replace(aStream, "text_delta", "brand_new_delta", 1),
		"another event":     strings.Replace(aStream, `"ping"`, `"brand_new"`, 1),
		"an error":          strings.Replace(aStream, event("message_stop", ""), event("error", `,"error":{}`), 1),
		"after the end":     aStream + event("content_block_stop", `,"index":2`),
		"two beginnings":    aStream[:strings.Index(aStream, "event: content_block")] + aStream,
		"broken input":      strings.Replace(aStream, `{\"wo`, `{wo`, 1),
		"a key twice":       strings.Replace(aStream, `"id":"msg_1"`, `"id":"msg_1","id":"msg_2"`, 1),
		"half a surrogate":  strings.Replace(aStream, `\ude00`, ``, 1),
		"events without it": "data: {}\n\n" + aStream,
	} {
		if got, err := Fold(nil, []byte(stream)); !errors.Is(err, pieces.ErrNotFoldable) {
			t.Errorf("%s: %v %s", name, err, got)
		}
	}
	for _, answer := range []string{``, `[]`, `{}`, `{"type":"error"}`, strings.Replace(folded, `"stop_reason":"tool_use"`, `"stop_reason":null`, 1), folded + "x", strings.Replace(folded, `"content":[`, `"content":[5,`, 1)} {
		if answer == folded {
			t.Fatal("not changed")
		}
		if got, err := Replay(nil, []byte(answer)); !errors.Is(err, pieces.ErrNotFoldable) {
			t.Errorf("%s: %v %s", answer, err, got)
		}
	}
}

func FuzzFoldAndReplay(f *testing.F) {
	f.Add([]byte(aStream))
	f.Add([]byte(folded))
	f.Fuzz(func(t *testing.T, raw []byte) {
		answer, err := Fold(nil, raw)
		if err != nil {
			answer = raw
		} else if !json.Valid(answer) {
			t.Fatalf("folded to %s", answer)
		}
		stream, err := Replay(nil, answer)
		if err != nil {
			return
		}
		back, err := Fold(nil, stream)
		if err != nil {
			return // an answer may have in it what no stream tells
		}
		again, err := Replay(nil, back)
		if err != nil || string(again) != string(stream) {
			t.Fatalf("%v\n%s\n%s", err, stream, again)
		}
	})
}
