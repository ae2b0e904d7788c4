package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"

	"purser/api/admin"
	"purser/internal/record"
	"purser/ledger"
)

// TestResponsesGoSDK asks of /v1/responses and the legacy routes what TestClients
// does not.
func TestResponsesGoSDK(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.budget(usd("cap", "50"))
	client := openai.NewClient(option.WithBaseURL(r.url+"/v1"), option.WithAPIKey(r.key(admin.NewKey{Name: "sdk"}).Secret))
	ctx := context.Background()
	asking := func(text string) responses.ResponseNewParams {
		return responses.ResponseNewParams{Model: "gpt-5-mini", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(text)}}
	}

	t.Run("stream", func(t *testing.T) {
		stream := client.Responses.NewStreaming(ctx, asking("What is a purser?"))
		var text strings.Builder
		var last responses.Response
		number := int64(-1)
		for stream.Next() {
			e := stream.Current()
			if number++; e.SequenceNumber != number {
				t.Errorf("event %d has the number %d", number, e.SequenceNumber)
			}
			if e.Type == "response.output_text.delta" {
				text.WriteString(e.Delta)
			}
			last = e.Response
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		if text.Len() == 0 || last.OutputText() != text.String() || last.Usage.TotalTokens == 0 {
			t.Errorf("streamed %q, the last event %s", text.String(), last.RawJSON())
		}
	})
	t.Run("a stream from the cache", func(t *testing.T) {
		params := asking("What is stored?")
		params.Store = openai.Bool(false)
		whole, err := client.Responses.New(ctx, params)
		if err != nil {
			t.Fatal(err)
		}
		var res *http.Response
		stream := client.Responses.NewStreaming(ctx, params, option.WithResponseInto(&res))
		text := ""
		for stream.Next() {
			text += stream.Current().Delta
		}
		if stream.Err() != nil || text != whole.OutputText() || res.Header.Get("x-purser-cache") != "hit" {
			t.Errorf("streamed %q of %q, %v, %v", text, whole.OutputText(), res.Header, stream.Err())
		}
	})
	t.Run("a search of the provider's is metered", func(t *testing.T) {
		params := asking("search for it")
		params.Model = "gpt-4o-mini"
		params.MaxToolCalls = openai.Int(1)
		params.Tools = []responses.ToolUnionParam{{OfWebSearch: &responses.WebSearchToolParam{Type: responses.WebSearchToolTypeWebSearch}}}
		res, err := client.Responses.New(ctx, params)
		if err != nil || res.Output[0].Type != "web_search_call" {
			t.Fatalf("%v: %+v", err, res)
		}
	})
	t.Run("compact", func(t *testing.T) {
		c, err := client.Responses.Compact(ctx, responses.ResponseCompactParams{Model: "gpt-5-mini", Input: responses.ResponseCompactParamsInputUnion{OfString: openai.String("a long talk")}})
		if err != nil || c.Usage.OutputTokens == 0 {
			t.Errorf("%+v, %v", c, err)
		}
	})
	t.Run("a kept response is read and deleted at no charge, by its key alone", func(t *testing.T) {
		res, err := client.Responses.New(ctx, asking("Keep this."))
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.Responses.Get(ctx, res.ID, responses.ResponseGetParams{})
		if err != nil || got.OutputText() != res.OutputText() {
			t.Errorf("read: %v", err)
		}
		other := openai.NewClient(option.WithBaseURL(r.url+"/v1"), option.WithAPIKey(r.key(admin.NewKey{Name: "other"}).Secret))
		var refused *openai.Error
		if _, err := other.Responses.Get(ctx, res.ID, responses.ResponseGetParams{}); !errors.As(err, &refused) || refused.StatusCode != 404 || refused.Code != "response_not_found" {
			t.Errorf("another key reads it: %v", err)
		}
		params := asking("What did they say?")
		params.PreviousResponseID = openai.String(res.ID)
		if _, err := other.Responses.New(ctx, params); !errors.As(err, &refused) || refused.Code != "previous_response_not_found" {
			t.Errorf("another key goes on from it: %v", err)
		}
		if err := client.Responses.Delete(ctx, res.ID); err != nil {
			t.Errorf("deleting: %v", err)
		}
	})
	t.Run("legacy completions", func(t *testing.T) {
		params := openai.CompletionNewParams{Model: "gpt-3.5-turbo-instruct", N: openai.Int(2), Prompt: openai.CompletionNewParamsPromptUnion{OfArrayOfStrings: []string{"Once", "Twice"}}}
		res, err := client.Completions.New(ctx, params)
		if err != nil || len(res.Choices) != 4 || res.Usage.CompletionTokens == 0 {
			t.Fatalf("%+v, %v", res, err)
		}
		stream := client.Completions.NewStreaming(ctx, params)
		text, usage := "", false
		for stream.Next() {
			for _, c := range stream.Current().Choices {
				text += c.Text
			}
			usage = usage || stream.Current().JSON.Usage.Valid()
		}
		if stream.Err() != nil || text == "" || usage {
			t.Errorf("stream: %q, usage %v, %v", text, usage, stream.Err())
		}
	})
	t.Run("moderations", func(t *testing.T) {
		res, err := client.Moderations.New(ctx, openai.ModerationNewParams{Input: openai.ModerationNewParamsInputUnion{OfString: openai.String("calm")}})
		if err != nil || len(res.Results) != 1 {
			t.Errorf("%+v, %v", res, err)
		}
	})
	t.Run("what has no meter is named", func(t *testing.T) {
		var refused *openai.Error
		_, err := client.Images.Generate(ctx, openai.ImageGenerateParams{Model: "gpt-image-1", Prompt: "a ship"})
		if !errors.As(err, &refused) || refused.StatusCode != 403 || refused.Code != "route_not_priced" {
			t.Errorf("a picture: %v", err)
		}
		params := asking("x")
		params.Background = openai.Bool(true)
		if _, err := client.Responses.New(ctx, params); !errors.As(err, &refused) || refused.StatusCode != 400 || refused.Param != "background" {
			t.Errorf("in the background: %v", err)
		}
	})
	r.settled("cap")
	r.stopNode()
	got := compare(t, r.billRows(), r.records())
	if got.billed == 0 || got.billed != got.recorded {
		t.Errorf("records and bill differ: %+v", got)
	}
}

// TestResponsesThroughNastyModes: whatever the provider does to a response, what
// it bills is at most what is recorded, and equal where its usage arrived.
func TestResponsesThroughNastyModes(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.budget(usd("cap", "50"))
	key := r.key(admin.NewKey{Name: "nasty"}).Secret
	billed := []string{"ok", "split=byte", "split=rune", "crlf", "comments", "burst", "gzip", "huge=100000", "dup-usage", "no-usage", "null-usage",
		"no-done", "error-event", "tokens=5", "close", "idle-close", "cut", "bad-json"}
	for _, mode := range append(billed, "429", "200", "502", "500", "bill-reset") {
		for _, stream := range []bool{false, true} {
			body := fmt.Sprintf(`{"model":"gpt-5-mini","input":"about %s","store":false,"stream":%v,"max_output_tokens":400}`, mode, stream)
			_, _, _, _ = r.try("/v1/responses", key, body, "x-sim-mode", mode, "x-purser-cache", "off")
		}
	}
	r.settled("cap")
	r.stopNode()
	rows, records := r.billRows(), r.records()
	compare(t, rows, records)
	if len(rows) < 2*len(billed) {
		t.Errorf("%d calls billed, of %d that should be", len(rows), 2*len(billed))
	}
	for _, row := range rows {
		rec := records[row.ClientRequestID]
		if rec == nil {
			t.Errorf("mode %q: no record", row.Mode)
			continue
		}
		lost := strings.Contains("no-usage null-usage no-done error-event cut bad-json bill-reset", row.Mode) && row.Mode != ""
		switch {
		case rec.Cost < row.Cost:
			t.Errorf("mode %q, stream %v: %d billed, %d recorded", row.Mode, row.Stream, row.Cost, rec.Cost)
		case lost && rec.Basis != record.FullHold && !(row.Mode == "no-done" && !row.Stream) && !(row.Mode == "bad-json" && row.Stream) && !(row.Mode == "error-event" && !row.Stream):
			t.Errorf("mode %q, stream %v: settled by %v", row.Mode, row.Stream, rec.Basis)
		case !lost && rec.Cost != row.Cost:
			t.Errorf("mode %q, stream %v: %d billed, %d recorded", row.Mode, row.Stream, row.Cost, rec.Cost)
		}
	}
}

// TestAResponseIsDrained: a client that hangs up in mid-stream is settled by the
// usage at the end.
func TestAResponseIsDrained(t *testing.T) {
	r := newRig(t, rigOptions{provider: []string{"--chunk-gap", "1ms"}})
	r.budget(usd("cap", "50"))
	key := r.key(admin.NewKey{Name: "gone"}).Secret
	const body = `{"model":"gpt-5-mini","input":"a long story","stream":true,"max_output_tokens":800}`
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/v1/responses", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() && !strings.Contains(lines.Text(), "output_text.delta") {
	}
	cancel()
	res.Body.Close()
	r.eventually("the stream is drained", func() error {
		if n := r.holds(); n != 0 {
			return fmt.Errorf("%d holds", n)
		}
		return nil
	})
	r.settled("cap")
	r.stopNode()
	rows, records := r.billRows(), r.records()
	if len(rows) != 1 {
		t.Fatalf("%d rows", len(rows))
	}
	rec := records[rows[0].ClientRequestID]
	if rec == nil || rec.Basis != record.Reported || rec.Outcome != record.Disconnected || rec.Cost != rows[0].Cost || rec.Cost == ledger.Amount(0) {
		t.Errorf("billed %+v, recorded %+v", rows[0], rec)
	}
}

// TestCodexIsRefusedInItsForm: Codex tries a 402 again; it stops on this.
func TestCodexIsRefusedInItsForm(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.budget(usd("empty", "0.000000001"))
	key := r.key(admin.NewKey{Name: "codex"}).Secret
	status, body, _ := r.post("/v1/responses", key, `{"model":"gpt-5-mini","input":"hello","stream":true}`, "originator", "codex_cli_rs")
	var e struct {
		Error struct{ Type, Message string }
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil || status != 429 || e.Error.Type != "usage_limit_reached" || e.Error.Message == "" {
		t.Errorf("%d %s", status, body)
	}
}
