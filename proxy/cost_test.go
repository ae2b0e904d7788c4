package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

// withCost answers with a usage that has more members, such as a cost.
func withCost(members string) http.HandlerFunc {
	usage := `{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10` + members + `}`
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("x-want") == "stream" {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\n")
			fmt.Fprintf(w, "data: {\"id\":\"c\",\"choices\":[],\"usage\":%s}\n\ndata: [DONE]\n\n", usage)
			return
		}
		fmt.Fprintf(w, `{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":%s}`, usage)
	}
}

// listCost is what the usage of withCost costs by the catalogue, at the dearest
// tier that question leaves open.
func listCost(t *testing.T, c *price.Catalogue) ledger.Amount {
	t.Helper()
	rate, ok := c.Find("openai", "gpt-4o-mini", 1_790_000_000*ledger.Second)
	if !ok {
		t.Fatal("no rate")
	}
	return rate.Cost(&price.Usage{price.InputText: 8, price.OutputText: 2, price.Requests: 1}, price.Auto)
}

func TestWhoseCostIsCharged(t *testing.T) {
	priced := listCost(t, price.Embedded())
	for _, x := range []struct {
		name, members string
		costs         CostSource
		basis         record.Basis
		cost          ledger.Amount // 0 stands for the hold
	}{
		{"the catalogue's", `,"cost":0.5`, ByCatalogue, record.Reported, priced},
		{"the catalogue's, whatever is under the name", `,"cost":{"total_cost":1}`, ByCatalogue, record.Reported, priced},
		{"the provider's", `,"cost":0.0000123`, ByProvider, record.ReportedCost, 12_300},
		{"the provider's, rounded up", `,"cost":1.2300000001e-5,"is_byok":false,"cost_details":{"upstream_inference_cost":0.7}`, ByProvider, record.ReportedCost, 12_301},
		{"the provider's, for a key of one's own", `,"cost":1e-6,"is_byok":true,"cost_details":{"upstream_inference_cost":0.000002}`, ByProvider, record.ReportedCost, 3_000},
		{"the hold, for a key of one's own whose inference is not known", `,"cost":1e-6,"is_byok":true,"cost_details":{"upstream_inference_cost":null}`, ByProvider, record.FullHold, 0},
		{"the catalogue's, as the provider says none", ``, ByProvider, record.Reported, priced},
		{"the catalogue's, as the provider says null", `,"cost":null,"cost_details":null`, ByProvider, record.Reported, priced},
		{"the hold, for a cost that is none", `,"cost":-1`, ByProvider, record.FullHold, 0},
		{"the hold, for a text", `,"cost":"0.1"`, ByProvider, record.FullHold, 0},
		{"the hold, for an object", `,"cost":{"total_cost":1}`, ByProvider, record.FullHold, 0},
		{"the hold, for two costs", `,"cost":1e-6,"cost":2e-6`, ByProvider, record.FullHold, 0},
		{"the hold, for a cost beyond all money", `,"cost":1e12`, ByProvider, record.FullHold, 0},
	} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprint(x.name, stream), func(t *testing.T) {
				w := newWorld(t, withCost(x.members), nil)
				w.gateway.upstreams[0].Costs = x.costs
				body, want := question, x.cost
				var headers []string
				if stream {
					body, headers = strings.TrimSuffix(question, "}")+`,"stream":true}`, []string{"x-want", "stream"}
				}
				if a, text := w.ask(body, headers...); a.Status != 200 {
					t.Fatalf("%d %s", a.Status, text)
				}
				r := w.last()
				if want == 0 {
					want = r.Hold
				}
				if r.Basis != x.basis || r.Cost != want || w.purse.spent != want || r.Overrun != 0 {
					t.Errorf("basis %v, cost %d, spent %d, want %v and %d", r.Basis, r.Cost, w.purse.spent, x.basis, want)
				}
				if x.basis == record.FullHold {
					priced = r.Hold
				} else {
					priced = listCost(t, price.Embedded())
				}
				if r.Priced != priced || r.List != priced {
					t.Errorf("by the catalogue %d, at list %d, want %d", r.Priced, r.List, priced)
				}
			})
		}
	}
}

// TestACostAboveTheHoldIsOverrun: it is charged, all of it, and counted apart.
func TestACostAboveTheHoldIsOverrun(t *testing.T) {
	w := newWorld(t, withCost(`,"cost":0.25`), nil)
	w.gateway.upstreams[0].Costs = ByProvider
	w.ask(question)
	r := w.last()
	if r.Cost != 250_000_000 || r.Hold >= r.Cost || r.Overrun != r.Cost-r.Hold || w.purse.spent != r.Cost {
		t.Errorf("cost %d, hold %d, overrun %d, spent %d", r.Cost, r.Hold, r.Overrun, w.purse.spent)
	}
}

func TestAContractIsHeldAndCharged(t *testing.T) {
	half, err := price.Embedded().WithDiscounts([]price.Discount{{Provider: "openai", Percent: "50"}})
	if err != nil {
		t.Fatal(err)
	}
	var holds [2]ledger.Amount
	for i, prices := range []*price.Catalogue{price.Embedded(), half} {
		w := newWorld(t, answerJSON, nil)
		w.gateway.prices = prices
		w.ask(question)
		r := w.last()
		holds[i] = r.Hold
		list := listCost(t, price.Embedded())
		if r.Cost != listCost(t, prices) || r.Priced != r.Cost || r.List != list || w.purse.spent != r.Cost || r.Cost > r.Hold || r.Prices != prices.Hash() {
			t.Errorf("cost %d, priced %d, list %d, spent %d, hold %d", r.Cost, r.Priced, r.List, w.purse.spent, r.Hold)
		}
		if strings.HasSuffix(r.RateID, "%1") != (i == 1) {
			t.Errorf("the rate is %s", r.RateID)
		}
	}
	if holds[1] != (holds[0]+1)/2 {
		t.Errorf("the hold is %d at list prices and %d at half of them", holds[0], holds[1])
	}
}

// TestAnUpstreamsRegionHasItsPrices: what a region costs more is held and charged.
func TestAnUpstreamsRegionHasItsPrices(t *testing.T) {
	var cost [2]ledger.Amount
	for i, region := range []string{"", "eu"} {
		w := newWorld(t, answerJSON, nil)
		w.gateway.upstreams[0].Region = region
		if a, body := w.ask(strings.Replace(question, "gpt-4o-mini", "gpt-5.4", 1)); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, body)
		}
		r := w.last()
		if cost[i] = r.Cost; r.Hold < r.Cost || r.Dims.Values[ledger.DimProvider] != "openai" {
			t.Errorf("%+v", r)
		}
		if want := map[string]string{"": "openai/gpt-5.4", "eu": "openai:eu/gpt-5.4"}[region]; r.RateID != want {
			t.Errorf("the rate in %q is %s", region, r.RateID)
		}
	}
	if cost[1]*10 != cost[0]*11 {
		t.Errorf("%d in the EU, %d elsewhere", cost[1], cost[0])
	}
}

// TestATranslatedCallTakesTheReportedCost: the cost is the upstream's word, in
// whatever dialect the client is told the answer.
func TestATranslatedCallTakesTheReportedCost(t *testing.T) {
	for _, stream := range []bool{false, true} {
		handler := withCost(`,"cost":0.0000123`)
		w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
			if stream {
				r.Header.Set("x-want", "stream")
			}
			handler(rw, r)
		}, nil)
		w.gateway.upstreams = w.gateway.upstreams[:1]
		w.gateway.upstreams[0].Costs = ByProvider
		path := "/v1beta/models/gpt-4o-mini:generateContent"
		if stream {
			path = "/v1beta/models/gpt-4o-mini:streamGenerateContent?alt=sse"
		}
		a, body := w.send("POST", path, `{"contents":[{"role":"user","parts":[{"text":"hello"}]}],"generationConfig":{"maxOutputTokens":50}}`)
		if r := w.last(); a.Status != 200 || !strings.Contains(body, `"text":"hi"`) || r.Basis != record.ReportedCost || r.Cost != 12_300 || w.purse.spent != 12_300 {
			t.Errorf("stream %v: %d %s: basis %v, cost %d, spent %d", stream, a.Status, body, r.Basis, r.Cost, w.purse.spent)
		}
	}
}
