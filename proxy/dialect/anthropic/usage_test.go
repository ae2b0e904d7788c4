package anthropic

import (
	"fmt"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/price"
)

func answerWith(usage string) []byte {
	return []byte(`{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"hällo"},{"type":"advisor_tool_result","content":{"text":"x","stop_reason":"max_tokens"}}],"stop_reason":"end_turn","stop_sequence":null` + usage + `}`)
}

func TestUsage(t *testing.T) {
	for _, x := range []struct {
		usage string
		want  price.Usage
	}{
		{`{"input_tokens":10,"output_tokens":20}`, price.Usage{price.InputText: 10, price.OutputText: 20}},
		{`{"input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":null,"output_tokens":0}`, price.Usage{price.InputText: 10}},
		// The three of the input are additive, and thinking is a part of the output.
		{`{"input_tokens":10,"cache_creation_input_tokens":100,"cache_read_input_tokens":1000,"output_tokens":20,"output_tokens_details":{"thinking_tokens":15},"cache_creation":{"ephemeral_5m_input_tokens":60,"ephemeral_1h_input_tokens":40}}`,
			price.Usage{price.InputText: 10, price.CacheRead: 1000, price.CacheWrite5m: 60, price.CacheWrite1h: 40, price.OutputText: 5, price.OutputReasoning: 15}},
		{`{"input_tokens":10,"cache_creation_input_tokens":100,"output_tokens":20}`, price.Usage{price.InputText: 10, price.CacheWriteOther: 100, price.OutputText: 20}},
		{`{"input_tokens":10,"cache_creation":{"ephemeral_5m_input_tokens":60},"output_tokens":20}`, price.Usage{price.InputText: 10, price.CacheWrite5m: 60, price.OutputText: 20}},
		{`{"input_tokens":1,"output_tokens":2,"server_tool_use":{"web_search_requests":3,"web_fetch_requests":4}}`,
			price.Usage{price.InputText: 1, price.OutputText: 2, price.WebSearch: 3, price.WebFetch: 4}},
		// A compaction is beside the totals, a message within them.
		{`{"input_tokens":10,"output_tokens":20,"iterations":[{"type":"compaction","input_tokens":1000,"output_tokens":50,"cache_read_input_tokens":7,"cache_creation":{"ephemeral_1h_input_tokens":3},"cache_creation_input_tokens":3},{"type":"message","model":null,"input_tokens":10,"output_tokens":20}]}`,
			price.Usage{price.InputText: 1010, price.CacheRead: 7, price.CacheWrite1h: 3, price.OutputText: 70}},
		{`{"input_tokens":10,"output_tokens":20,"iterations":null,"fallback_credit":{"status":{"type":"redeemed"}},"brand_new":[{"a":1}]}`, price.Usage{price.InputText: 10, price.OutputText: 20}},
	} {
		x.want[price.Requests] = 1
		var r dialect.Report
		ReadAnswer(&r, answerWith(`,"usage":`+x.usage))
		if r.State != dialect.UsageReported || r.Usage != x.want || !r.Complete() || r.Finish != "end_turn" || r.ID != "msg_1" {
			t.Errorf("%s:\n%+v\nwant %v", x.usage, r, x.want)
		}
	}
}

func TestUsageThatCannotBe(t *testing.T) {
	for _, usage := range []string{
		`{}`, `{"input_tokens":1}`, `{"output_tokens":1}`, `{"input_tokens":-1,"output_tokens":1}`, `{"input_tokens":1.5,"output_tokens":1}`, `{"input_tokens":"1","output_tokens":1}`,
		`{"input_tokens":1,"output_tokens":99999999999999}`, `{"input_tokens":1,"input_tokens":1,"output_tokens":1}`,
		`{"input_tokens":1,"output_tokens":5,"output_tokens_details":{"thinking_tokens":6}}`,
		`{"input_tokens":1,"output_tokens":5,"cache_creation_input_tokens":9,"cache_creation":{"ephemeral_5m_input_tokens":5,"ephemeral_1h_input_tokens":5}}`,
		`{"input_tokens":1,"output_tokens":5,"iterations":[{"type":"advisor_message","model":"x","input_tokens":1,"output_tokens":1}]}`,
		`{"input_tokens":1,"output_tokens":5,"iterations":[{"type":"fallback_message","model":"x","input_tokens":1,"output_tokens":1}]}`,
		`{"input_tokens":1,"output_tokens":5,"iterations":[{"type":"brand_new","input_tokens":1,"output_tokens":1}]}`,
		`{"input_tokens":1,"output_tokens":5,"iterations":[{"type":"compaction","input_tokens":1}]}`, `{"input_tokens":1,"output_tokens":5,"iterations":[5]}`,
	} {
		var r dialect.Report
		ReadAnswer(&r, answerWith(`,"usage":`+usage))
		if r.State != dialect.UsageUnusable || r.Why == "" || r.Usage != (price.Usage{}) {
			t.Errorf("%s: %+v", usage, r)
		}
	}
	for _, usage := range []string{``, `,"usage":null`, `,"usage":[]`, `,"usage":7`} {
		var r dialect.Report
		if ReadAnswer(&r, answerWith(usage)); r.State != dialect.UsageMissing {
			t.Errorf("%q: %+v", usage, r)
		}
	}
}

func TestBilledTier(t *testing.T) {
	for _, x := range [][3]string{
		{"standard", "standard", "standard"}, {"standard", "fast", "fast"}, {"priority", "standard", "scale"}, {"batch", "", "batch"}, {"", "", ""},
	} {
		var r dialect.Report
		ReadAnswer(&r, answerWith(fmt.Sprintf(`,"usage":{"input_tokens":1,"output_tokens":1,"service_tier":%q,"speed":%q,"inference_geo":"us"}`, x[0], x[1])))
		if r.ServiceTier != x[2] || r.Region != "us" {
			t.Errorf("%v: %+v", x, r)
		}
		if tier, ok := price.ParseTier(r.ServiceTier); !ok || x[2] == "scale" && tier != price.Standard {
			t.Errorf("%v: the catalogue reads %v, %v", x, tier, ok)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for _, body := range []string{``, `{`, `[]`, `{"type":"message"} x`, `{"object":"chat.completion","usage":{"input_tokens":1,"output_tokens":1}}`} {
		r := dialect.Report{Done: true}
		if ReadAnswer(&r, []byte(body)); r.Done && body[0] == '{' && r.Complete() || r.State == dialect.UsageReported {
			t.Errorf("%s: %+v", body, r)
		}
	}
	var r dialect.Report
	ReadAnswer(&r, []byte(`{"type":"error","error":{"type":"api_error","message":"m"},"request_id":"r"}`))
	if r.Failed == nil || *r.Failed != (dialect.UpstreamError{Type: "api_error", Message: "m"}) || r.Done {
		t.Errorf("%+v", r)
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add(answerWith(`,"usage":{"input_tokens":1,"output_tokens":5,"iterations":[{"type":"compaction","input_tokens":1,"output_tokens":1}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r dialect.Report
		ReadAnswer(&r, body)
		checkUsage(t, &r)
	})
}
