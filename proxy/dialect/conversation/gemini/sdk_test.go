package gemini

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/conversation/conversationtest"
	wire "purser/proxy/dialect/gemini"

	"google.golang.org/genai"
)

// sdk is Google's client before a handler that reads what it sends and answers with
// what another dialect's upstream has said.
type sdk struct {
	client *genai.Client
	got    *request
	says   conversation.Answer
	fails  *dialect.UpstreamError
}

func newSDK(t *testing.T) *sdk {
	t.Helper()
	s := &sdk{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, operation, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1beta/models/"), ":")
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		to := dialect.Target{Endpoint: dialect.Chat, Operation: operation, Model: name, Stream: operation == wire.Stream, Query: r.URL.RawQuery}
		var c dialect.Call
		e := wire.Decode(&c, to, body)
		if e == nil {
			s.got, e = Dialect{}.ReadRequest(body, to)
		}
		if e != nil {
			status, _, answer := wire.ErrorAnswer(e, dialect.AnyClient)
			w.WriteHeader(status)
			_, _ = w.Write(answer)
			return
		}
		_, _ = w.Write(s.answer(&c))
	}))
	t.Cleanup(server.Close)
	var err error
	s.client, err = genai.NewClient(context.Background(), &genai.ClientConfig{APIKey: "pk_1", Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sdk) answer(c *dialect.Call) []byte {
	set := &conversation.Setting{Call: c, ID: "req", Unix: 1}
	if !c.Stream {
		return Dialect{}.AppendAnswer(nil, &s.says, set, report())
	}
	w := Dialect{}.NewWriter()
	events := inPieces(&s.says)
	if s.fails != nil {
		return conversationtest.Write(w, set, append(events[:3:3], conversation.Event{Kind: conversation.Fail, Failed: s.fails}), nil)
	}
	return conversationtest.Write(w, set, events, func(dst []byte) []byte { return w.End(dst, report()) })
}

// TestTheSDKKeepsAConversation: Google's own chat sends back what it was given, so
// that the upstream gets its own thought with its seal, however it was told.
func TestTheSDKKeepsAConversation(t *testing.T) {
	ctx := context.Background()
	for _, streamed := range []bool{false, true} {
		s := newSDK(t)
		chat, err := s.client.Chats.Create(ctx, "the-model", &genai.GenerateContentConfig{
			SystemInstruction: genai.NewContentFromText("be brief", genai.RoleUser),
			Tools:             []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{Name: "f", Parameters: &genai.Schema{Type: genai.TypeObject, Properties: map[string]*genai.Schema{"a": {Type: genai.TypeInteger, Nullable: genai.Ptr(true)}}}}}}},
			ThinkingConfig:    &genai.ThinkingConfig{ThinkingLevel: genai.ThinkingLevelLow},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		send := func(p genai.Part) (calls []*genai.FunctionCall, text string) {
			if !streamed {
				res, err := chat.SendMessage(ctx, p)
				if err != nil {
					t.Fatal(err)
				}
				return res.FunctionCalls(), res.Text()
			}
			for res, err := range chat.SendMessageStream(ctx, p) {
				if err != nil {
					t.Fatal(err)
				}
				calls, text = append(calls, res.FunctionCalls()...), text+res.Text()
			}
			return calls, text
		}
		s.says = conversation.Answer{ID: "a", Model: "m", Stop: conversation.StopTools, Parts: []conversation.Part{
			{Kind: conversation.Thought, Text: "well, well", Seal: "anthropic:abc"}, text("I'll look."), use("toolu_1", "f", `{"a":1}`),
		}}
		calls, said := send(genai.Part{Text: "hi"})
		if len(calls) != 1 || calls[0].ID != "toolu_1" || said != "I'll look." {
			t.Fatalf("%+v %q", calls, said)
		}
		if q := s.got; q.System[0].Text != "be brief" || string(q.Tools[0].Schema) != `{"type":"object","properties":{"a":{"type":["integer","null"]}}}` || q.Reasoning.Effort != "low" {
			t.Errorf("%+v", q)
		}
		s.says = told["text"]
		if _, said := send(genai.Part{FunctionResponse: &genai.FunctionResponse{ID: calls[0].ID, Name: "f", Response: map[string]any{"output": "blue"}}}); said != "Hello \"you\"\n" {
			t.Errorf("%q", said)
		}
		turns := s.got.Turns
		if want := `model: thought well, well <anthropic:abc> text I'll look. call toolu_1 f{"a":1}`; len(turns) != 3 || history(&request{Turns: turns[:2]}) != want {
			t.Fatalf("streamed %v: %s", streamed, history(&request{Turns: turns[:2]}))
		}
		if r := turns[2].Parts[0].Result; r.ID != "toolu_1" || r.Parts[0].Text != "blue" || s.got.NameResults() != nil {
			t.Errorf("%+v", r)
		}
	}
}

// TestTheSDKSeesFailures: in a stream, and before an answer.
func TestTheSDKSeesFailures(t *testing.T) {
	s, ctx := newSDK(t), context.Background()
	s.says, s.fails = told["text"], &dialect.UpstreamError{Type: "overloaded_error", Message: "busy"}
	var failed error
	for _, err := range s.client.Models.GenerateContentStream(ctx, "m", genai.Text("hi"), nil) {
		if err != nil {
			failed = err
		}
	}
	if e, ok := failed.(genai.APIError); !ok || e.Code != 503 || e.Status != "UNAVAILABLE" || e.Message != "busy" {
		t.Errorf("%v", failed)
	}
	_, failed = s.client.Models.GenerateContent(ctx, "m", genai.Text("hi"), &genai.GenerateContentConfig{CandidateCount: 2})
	if e, ok := failed.(genai.APIError); !ok || e.Code != 400 || !strings.Contains(e.Message, "generationConfig.candidateCount") {
		t.Errorf("%v", failed)
	}
}
