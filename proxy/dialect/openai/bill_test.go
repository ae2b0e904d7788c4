package openai

import (
	"testing"

	"purser/ledger"
	"purser/proxy/dialect"
)

// TestCostsAreReadExactly: to the nano-dollar, rounded up, and never as a float.
func TestCostsAreReadExactly(t *testing.T) {
	for members, want := range map[string]struct {
		state dialect.CostState
		cost  ledger.Amount
	}{
		``:                      {dialect.CostMissing, 0},
		`"cost":null,`:          {dialect.CostMissing, 0},
		`"cost":0,`:             {dialect.CostReported, 0},
		`"cost":0.1,`:           {dialect.CostReported, 100_000_000},
		`"cost":0.000000001,`:   {dialect.CostReported, 1},
		`"cost":1e-10,`:         {dialect.CostReported, 1},
		`"cost":0.1000000001,`:  {dialect.CostReported, 100_000_001},
		`"cost":0.0033789,`:     {dialect.CostReported, 3_378_900},
		`"cost":1.1018E-4,`:     {dialect.CostReported, 110_180},
		`"cost":123.456789012,`: {dialect.CostReported, 123_456_789_012},
		`"cost":2,"is_byok":false,"cost_details":{"upstream_inference_cost":19},`:                                   {dialect.CostReported, 2_000_000_000},
		`"cost_details":{"upstream_inference_cost":19,"upstream_inference_prompt_cost":1},"is_byok":true,"cost":2,`: {dialect.CostReported, 21_000_000_000},
		`"cost_details":{"upstream_inference_cost":19},`:                                                            {dialect.CostMissing, 0},
		`"cost":1,"is_byok":true,"cost_details":null,`:                                                              {dialect.CostUnusable, 0},
		`"cost":-0.1,`:              {dialect.CostUnusable, 0},
		`"cost":1e300,`:             {dialect.CostUnusable, 0},
		`"cost":"1",`:               {dialect.CostUnusable, 0},
		`"cost":[1],`:               {dialect.CostUnusable, 0},
		`"cost":true,`:              {dialect.CostUnusable, 0},
		`"cost":1,"is_byok":"yes",`: {dialect.CostUnusable, 0},
		`"cost":1,"is_byok":true,"cost_details":{"upstream_inference_cost":"2"},`: {dialect.CostUnusable, 0},
		`"cost":1,"cost":1.0,`: {dialect.CostUnusable, 0},
		`"cost":1,"cost":1,`:   {dialect.CostReported, 1_000_000_000},
	} {
		var r dialect.Report
		ReadAnswer(&r, dialect.Chat, answerWith(`{`+members+`"prompt_tokens":10,"completion_tokens":5}`))
		if r.State != dialect.UsageReported || r.CostState != want.state || r.Cost != want.cost {
			t.Errorf("chat %s: usage %v, cost %v %d, want %v %d", members, r.State, r.CostState, r.Cost, want.state, want.cost)
		}
		ReadAnswer(&r, dialect.Responses, []byte(`{"id":"resp_1","object":"response","status":"completed","output":[],"usage":{`+members+`"input_tokens":10,"output_tokens":5,"total_tokens":15}}`))
		if r.State != dialect.UsageReported || r.CostState != want.state || r.Cost != want.cost {
			t.Errorf("response %s: usage %v, cost %v %d, want %v %d", members, r.State, r.CostState, r.Cost, want.state, want.cost)
		}
	}
}
