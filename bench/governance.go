package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"purser/api/admin"
	"purser/proxy/redaction/labelled"
)

// What governs the requests to the governed node, beside the chain of four budgets
// that both nodes have: two limits more, so that a request is charged to six accounts,
// ten policies, a redaction, a rule about loops and a receiver of alerts. Nothing of it
// stops a request: the cost of saying yes is measured.
var (
	moreBudgets = []admin.Budget{
		{ID: "rate", Each: []string{"key"}, Unit: "requests", Limit: "100000000", Window: "minute"},
		{ID: "at-once", Each: []string{"key"}, Unit: "slots", Limit: "100000", Window: "total"},
	}

	// policies are seven of the ready forms and three in CEL. The last is in shadow and
	// would deny: each request gets its ruling. Limits of cost are far off, so that the
	// cheapest bound tells: a request near one is counted by the tokenizer.
	policies = map[string]string{
		"addresses": `{"rules":[{"id":"office","outcome":"deny","unless":{"addresses":["10.0.0.0/8","127.0.0.0/8","192.168.0.0/16","2001:db8::/32"]}}]}`,
		"models":    `{"rules":[{"id":"list","outcome":"deny","unless":{"models":["gpt-4.1*","claude-*","gemini-*"]}}]}`,
		"hours":     `{"rules":[{"id":"never","outcome":"deny","when":{"times":[{"days":["mon-sun"],"from":"00:00","to":"24:00","zone":"Europe/Berlin"}],"models":["o3*"]}}]}`,
		"size":      `{"rules":[{"id":"large","outcome":"deny","when":{"over":{"max_output_tokens":20000,"tools":100,"input_bytes":1000000}}}]}`,
		"cost":      `{"rules":[{"id":"dear","outcome":"deny","when":{"over":{"cost_usd":1}}}]}`,
		"tags":      `{"rules":[{"id":"untagged","outcome":"deny","when":{"missing":["customer","agent"]}}]}`,
		"caps":      `{"rules":[{"id":"short","outcome":"rewrite","set":{"max_output_tokens":16384,"n":4}}]}`,
		"cel-body":  `{"rules":[{"id":"wide","outcome":"deny","when":{"cel":"request.messages > 500 || request.input_bytes > 4000000 && !request.stream"}}]}`,
		"cel-cost":  `{"rules":[{"id":"dear","outcome":"deny","when":{"cel":"cost.usd > 1.0 || tokens.input_max > 1000000 && dims.team != 'research'"}}]}`,
		"cel-tags":  `{"mode":"shadow","rules":[{"id":"all","outcome":"deny","when":{"cel":"dims.customer.startsWith('customer-') && model.startsWith('gpt-')"}}]}`,
	}

	otherObjects = []struct{ kind, id, spec string }{
		{"redactions", "all", `{"detectors":["secrets","personal"],"action":"tokenise"}`},
		{"loops", "all", `{"mode":"watch","repeats":100}`},
		{"webhooks", "nobody", `{"url":"http://127.0.0.1:9/alerts","allow_http":true,"form":"slack"}`},
	}
)

// govern puts all of it on the governed node.
func (r *rig) govern(ctx context.Context) error {
	client := r.client(r.governed)
	for _, b := range moreBudgets {
		if _, err := client.PutBudget(ctx, b); err != nil {
			return fmt.Errorf("making the budget %s: %w", b.ID, err)
		}
	}
	put := func(kind, id, spec string) error {
		if _, err := client.PutObject(ctx, kind, id, nil, json.RawMessage(spec)); err != nil {
			return fmt.Errorf("making %s of the %s: %w", id, kind, err)
		}
		return nil
	}
	for id, spec := range policies {
		if err := put("policies", id, spec); err != nil {
			return err
		}
	}
	for _, o := range otherObjects {
		if err := put(o.kind, o.id, o.spec); err != nil {
			return err
		}
	}
	return nil
}

// Prompts of the cells that compare both nodes. A value is of any kind that is looked
// for, and nothing is the first that a request asks.
const (
	promptBytes   = 4 << 10
	promptsOfKind = 64
	valuesEvery   = 20 // sentences
)

// prompts are user texts, as they stand in JSON, without or with values.
type prompts []string

func newPrompts(every int) (list prompts) {
	for i := range promptsOfKind {
		text, err := json.Marshal(labelled.Prompt(uint64(i+1), promptBytes, every))
		if err != nil {
			panic(err) // a string
		}
		list = append(list, string(text[1:len(text)-1]))
	}
	return list
}

// append appends a chat request with one of the prompts that was never sent before.
func (p prompts) append(b []byte, stream bool) []byte {
	n := serial.Add(1)
	b = appendOpening(b, stream)
	b = append(b, `"},{"role":"user","content":"Question `...)
	b = strconv.AppendInt(b, n, 10)
	b = append(b, ": "...)
	b = append(b, p[n%promptsOfKind]...)
	return append(b, `"}]}`...)
}

// Counters of a node that show what governs it to be at work.
const (
	ruledMeter = `purser_policy_rulings_total{effect="denied",mode="shadow",policy="cel-tags",rule="all"} `
	foundMeter = "purser_redaction_findings_total{"
)
