package simprovider

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// TestTheReportedCostIsTheBill: where costs are reported, every usage that OpenAI's
// surface gives has what the row says, digit for digit.
func TestTheReportedCostIsTheBill(t *testing.T) {
	p, addr := start(t, quick(func(c *Config) { c.ReportCost = true }))
	for path, body := range map[string]string{
		"/v1/chat/completions": `{"model":"gpt-4o","messages":[{"role":"user","content":"hello there"}]}`,
		"/v1/completions":      `{"model":"gpt-3.5-turbo-instruct","prompt":"hello there"}`,
		"/v1/responses":        `{"model":"gpt-4o","input":"hello there"}`,
		"/v1/embeddings":       `{"model":"text-embedding-3-small","input":"hello there"}`,
	} {
		for _, stream := range []bool{false, true} {
			asked := body
			if stream {
				if path == "/v1/embeddings" {
					continue
				}
				asked = strings.TrimSuffix(body, "}") + `,"stream":true`
				if path != "/v1/responses" {
					asked += `,"stream_options":{"include_usage":true}`
				}
				asked += "}"
			}
			for _, mode := range []string{"ok", "percent=130"} {
				r, answer := post(t, addr, path, asked, "x-sim-mode", mode)
				if r.StatusCode != 200 {
					t.Fatalf("%s: %d %s", path, r.StatusCode, answer)
				}
				rows := p.Bill().Rows()
				row := rows[len(rows)-1]
				want := fmt.Sprintf("0.%09d", row.Cost)
				got := costsIn(answer)
				if len(got) == 0 || got[len(got)-1] != want || row.Cost == 0 {
					t.Errorf("%s, stream %v, %s: usage says %v, the bill %s", path, stream, mode, got, want)
				}
			}
		}
	}
}

// costsIn finds the costs in a JSON answer or in the events of a stream.
func costsIn(body string) (found []string) {
	for _, line := range strings.Split(body, "\n") {
		line = strings.TrimPrefix(line, "data: ")
		for _, at := range []string{"usage.cost", "response.usage.cost"} {
			if c := gjson.Get(line, at); c.Exists() && gjson.Valid(line) {
				found = append(found, c.Raw)
			}
		}
	}
	return found
}
