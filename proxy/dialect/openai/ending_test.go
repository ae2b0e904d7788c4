package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/responses"

	"purser/proxy/dialect"
	"purser/proxy/dialect/sse"
	"purser/proxy/price"
)

// cuts gives a stream ended after each of its events, before the last ones.
func cuts(t *testing.T, stream string, c *dialect.Call, e dialect.Ending, until string) (all []string) {
	t.Helper()
	var scan sse.Scanner
	scan.Feed([]byte(stream))
	e.Reset(c)
	so := ""
	for {
		x, ok, err := scan.Next()
		if err != nil || !ok {
			t.Fatal("the stream has no end", err)
		}
		if strings.Contains(string(x.Data), until) {
			return all
		}
		so += string(x.Raw)
		if x.Lines > 0 {
			e.See(x.Data)
			all = append(all, so+string(e.Append(nil, 11, 500)))
		}
	}
}

// client is OpenAI's own, which reads the stream given.
func client(t *testing.T, stream string) *openai.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte(stream))
	}))
	t.Cleanup(server.Close)
	c := openai.NewClient(option.WithBaseURL(server.URL), option.WithAPIKey("k"))
	return &c
}

func each[T any](t *testing.T, events *ssestream.Stream[T], do func(T)) {
	t.Helper()
	for events.Next() {
		do(events.Current())
	}
	if err := events.Err(); err != nil {
		t.Fatal(err)
	}
}

const toolStream = "data: " + chunkHead + `[{"index":0,"delta":{"role":"assistant","content":"x"}}],"usage":null}` + "\n\n" +
	"data: " + chunkHead + `[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"look","arguments":""}}]}}],"usage":null}` + "\n\n" +
	"data: " + chunkHead + `[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}}]}}],"usage":null}` + "\n\n" +
	"data: " + chunkHead + `[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"look","arguments":"{}"}}]}}],"usage":null}` + "\n\n" +
	"data: " + chunkHead + `[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"usage":null}` + "\n\n"

// TestACutChatIsAWholeAnswer: wherever a stream is ended, it is one that was ended
// for its length, to the meter, to the fold and to OpenAI's own client.
func TestACutChatIsAWholeAnswer(t *testing.T) {
	for _, stream := range []string{aStream, toolStream} {
		for i, cut := range cuts(t, stream, &dialect.Call{IncludeUsage: true}, &Ending{}, `"finish_reason":"`) {
			for size := 1; size < len(cut); size += 1 + len(cut)/3 {
				_, r := pump(t, true, cut, size)
				if !r.Complete() || r.Finish != "length" || r.Usage[price.InputText] != 11 || r.Usage[price.OutputText] != 500 || r.ID != "chatcmpl-1" {
					t.Fatalf("cut %d: %+v\n%s", i, r, cut)
				}
			}
			answer, err := Fold(nil, []byte(cut))
			if err != nil || !json.Valid(answer) {
				t.Errorf("cut %d: %v\n%s", i, err, cut)
			}
			acc := openai.ChatCompletionAccumulator{}
			each(t, client(t, cut).Chat.Completions.NewStreaming(context.Background(), openai.ChatCompletionNewParams{Model: "m"}), func(c openai.ChatCompletionChunk) {
				if !acc.AddChunk(c) {
					t.Errorf("cut %d: the client does not take %s", i, c.RawJSON())
				}
			})
			if c := acc.Choices[0]; c.FinishReason != "length" || acc.Usage.TotalTokens != 511 || acc.Model != "gpt-4o-2024-11-20" {
				t.Errorf("cut %d: the client read %+v", i, acc.ChatCompletion)
			}
			// A client that did not ask for usage sees none.
			if out, _ := pump(t, false, cut, 50); strings.Contains(out, "usage") || !strings.HasSuffix(out, "data: [DONE]\n\n") {
				t.Errorf("cut %d: without usage: %s", i, out)
			}
		}
	}
}

func TestACutCompletionIsAWholeAnswer(t *testing.T) {
	stream := ""
	for _, text := range []string{"a", "b"} {
		stream += fmt.Sprintf("data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"text\":%q,\"index\":0,\"logprobs\":null,\"finish_reason\":null}]}\n\n", text)
	}
	call := &dialect.Call{Endpoint: dialect.Completions, IncludeUsage: true}
	for _, cut := range cuts(t, stream+"data: [DONE]\n\n", call, &Ending{}, "[DONE]") {
		var m Meter
		m.Reset(call)
		if _, err := m.Feed([]byte(cut)); err != nil || !m.Report().Complete() || m.Report().Finish != "length" {
			t.Errorf("%v, %+v\n%s", err, m.Report(), cut)
		}
		each(t, client(t, cut).Completions.NewStreaming(context.Background(), openai.CompletionNewParams{Model: "m"}), func(c openai.Completion) {
			if c.ID != "cmpl-1" || c.Object != "text_completion" {
				t.Errorf("the client read %s", c.RawJSON())
			}
		})
	}
}

// TestCallsOfToolsAreParts: each has a frame that is billed and not shown.
func TestCallsOfToolsAreParts(t *testing.T) {
	e := &Ending{}
	cuts(t, toolStream, &dialect.Call{}, e, `"finish_reason":"`)
	if e.Frames() != 3*dialect.FrameTokens {
		t.Errorf("%d tokens, want those of the message and two calls", e.Frames())
	}
}

// TestACutResponseIsAWholeAnswer: wherever the stream of a response is ended, its
// events are numbered in a row, each item that was begun is done, and the last
// event has all that was written.
func TestACutResponseIsAWholeAnswer(t *testing.T) {
	stream, err := os.ReadFile("testdata/response.events")
	if err != nil {
		t.Fatal(err)
	}
	for i, cut := range cuts(t, string(stream), &dialect.Call{}, &ResponsesEnding{}, `"response.completed"`) {
		var m ResponsesMeter
		m.Reset(&dialect.Call{})
		if _, err := m.Feed([]byte(cut)); err != nil {
			t.Fatal(err)
		}
		if r := m.Report(); !r.Complete() || r.Finish != "max_output_tokens" || r.Usage[price.OutputText] != 500 || r.Usage[price.InputText] != 11 || r.ID != "resp_1" {
			t.Fatalf("cut %d: %+v\n%s", i, r, cut)
		}
		number, begun, done := int64(0), 0, 0
		said := map[string]string{}
		told := map[string]int{}
		var last responses.Response
		each(t, client(t, cut).Responses.NewStreaming(context.Background(), responses.ResponseNewParams{Model: "m"}), func(e responses.ResponseStreamEventUnion) {
			if e.SequenceNumber != number {
				t.Errorf("cut %d: event %d is numbered %d", i, number, e.SequenceNumber)
			}
			number++
			switch e.Type {
			case "response.output_item.added":
				begun++
			case "response.output_item.done":
				done++
			case "response.output_text.done", "response.function_call_arguments.done":
				told[e.ItemID]++
			}
			said[e.ItemID] += e.Delta
			last = e.Response
		})
		if last.Status != "incomplete" || last.IncompleteDetails.Reason != "max_output_tokens" || last.Usage.TotalTokens != 511 {
			t.Errorf("cut %d: the client read %s", i, last.RawJSON())
		}
		if begun != done || len(last.Output) != begun || last.OutputText() != said["msg_1"] {
			t.Errorf("cut %d: %d items, %d done, %d in the response; text %q of %q", i, begun, done, len(last.Output), last.OutputText(), said["msg_1"])
		}
		for id, n := range told {
			if n != 1 {
				t.Errorf("cut %d: %s was done %d times", i, id, n)
			}
		}
	}
}

// FuzzEnding: whatever came before, what ends a stream is events of valid JSON, or [DONE].
func FuzzEnding(f *testing.F) {
	f.Add([]byte(aStream + toolStream))
	if stream, err := os.ReadFile("testdata/response.events"); err != nil {
		f.Error(err)
	} else {
		for n := 500; n < len(stream); n += 500 {
			f.Add(stream[:n])
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		for _, e := range []dialect.Ending{&Ending{}, &ResponsesEnding{}} {
			var scan sse.Scanner
			scan.Feed(stream)
			e.Reset(&dialect.Call{IncludeUsage: true})
			for {
				x, ok, err := scan.Next()
				if err != nil || !ok {
					break
				}
				if x.Lines > 0 {
					e.See(x.Data)
				}
			}
			var end sse.Scanner
			end.Feed(e.Append(nil, 1, 2))
			for {
				x, ok, err := end.Next()
				if err != nil || !ok {
					break
				}
				if x.Lines != 1 || !json.Valid(x.Data) && string(x.Data) != "[DONE]" {
					t.Fatalf("%T: %q", e, x.Raw)
				}
			}
			if rest, ok := end.Rest(); ok {
				t.Fatalf("%T: %q has no end", e, rest.Raw)
			}
		}
	})
}
