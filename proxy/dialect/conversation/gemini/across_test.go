package gemini

import (
	"encoding/json"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/conversation/chat"
	"purser/proxy/dialect/conversation/responses"
	"purser/proxy/dialect/openai"
)

// clients are other dialects, and how a client of each goes on with a conversation:
// with what it was told, and with the result of the call in it.
var clients = map[string]struct {
	dialect.Format
	conversation.Client
	endpoint dialect.Endpoint
	goOn     func(told []byte) string
}{
	"chat": {openai.Format{}, chat.Dialect{}, dialect.Chat, func(told []byte) string {
		var a struct {
			Choices []struct {
				Message struct {
					Calls []json.RawMessage `json:"tool_calls"`
				}
			}
		}
		var c struct{ ID string }
		if json.Unmarshal(told, &a) != nil || json.Unmarshal(a.Choices[0].Message.Calls[0], &c) != nil {
			return ""
		}
		return `{"model":"gemini-3-pro","messages":[{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[` + string(a.Choices[0].Message.Calls[0]) + `]},{"role":"tool","tool_call_id":"` + c.ID + `","content":"blue"}]}`
	}},
	"responses": {openai.ResponsesFormat{}, responses.Client{}, dialect.Responses, func(told []byte) string {
		var a struct{ Output []json.RawMessage }
		var c struct {
			ID string `json:"call_id"`
		}
		if json.Unmarshal(told, &a) != nil || json.Unmarshal(a.Output[0], &c) != nil {
			return ""
		}
		return `{"model":"gemini-3-pro","store":false,"input":[{"role":"user","content":"hi"},` + string(a.Output[0]) + `,{"type":"function_call_output","call_id":"` + c.ID + `","output":"blue"}]}`
	}},
}

// TestSignaturesThroughOtherClients: a client of another dialect calls a function
// for Gemini and goes on, and Gemini gets its signature back.
func TestSignaturesThroughOtherClients(t *testing.T) {
	signature := strings.Repeat("c2ln", 1000)
	a, err := Dialect{}.ReadAnswer([]byte(answer(`{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"`+signature+`"}`, "STOP")))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range clients {
		t.Run(name, func(t *testing.T) {
			set := &conversation.Setting{Call: &dialect.Call{Model: "gemini-3-pro"}, ID: "req"}
			body := []byte(c.goOn(c.AppendAnswer(nil, a, set, report())))
			var call dialect.Call
			to := dialect.Target{Endpoint: c.endpoint}
			if e := c.Decode(&call, to, body); e != nil {
				t.Fatalf("%v in %s", e, body)
			}
			q, e := c.ReadRequest(body, to)
			if e != nil {
				t.Fatalf("%v in %s", e, body)
			}
			out, e := Dialect{}.AppendRequest(nil, q)
			if e != nil || !strings.Contains(string(out), `{"functionCall":{"id":"call_r_0","name":"f","args":{"a":1}},"thoughtSignature":"`+signature+`"}`) || !strings.Contains(string(out), `{"functionResponse":{"id":"call_r_0","name":"f","response":{"output":"blue"}}}`) {
				t.Errorf("%v %s", e, out)
			}
		})
	}
}
