package openai

import (
	"bytes"
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestReplayedResponseIsThatOfTheGolden: the events that tell the stored answer
// testdata/response.json are those of testdata/response.events, in their order,
// and OpenAI's own client reads them.
func TestReplayedResponseIsThatOfTheGolden(t *testing.T) {
	answer, err := os.ReadFile("testdata/response.json")
	if err != nil {
		t.Fatal(err)
	}
	stream, err := replayResponse(nil, answer)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/response.events", stream, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/response.events")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stream, want) {
		t.Errorf("the events are others than testdata/response.events; `go test ./proxy/dialect/openai -run Golden -update` writes them anew:\n%s", stream)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		if _, err := w.Write(stream); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	client := openai.NewClient(option.WithBaseURL(server.URL), option.WithAPIKey("k"))
	events := client.Responses.NewStreaming(context.Background(), responses.ResponseNewParams{Model: "m"})
	said := map[string]string{}
	var last responses.Response
	for events.Next() {
		e := events.Current()
		said[e.ItemID] += e.Delta
		last = e.Response
	}
	if err := events.Err(); err != nil {
		t.Fatal(err)
	}
	if said["msg_1"] != "A purser keeps the books." || said["msg_1"] != last.OutputText() || said["fc_1"] != `{"word":"purser"}` || said["rs_1"] != "Think." || last.Usage.TotalTokens != 41 {
		t.Errorf("the client read %v and %s", said, last.RawJSON())
	}
}
