package body

import (
	"encoding/json"
	"testing"

	"purser/proxy/redaction"
	"purser/proxy/redaction/labelled"
)

// BenchmarkRequest redacts a chat of twenty messages, 16 KiB in all.
func BenchmarkRequest(b *testing.B) {
	set, err := redaction.Compile([]redaction.Spec{{ID: "s", Action: redaction.Tokenise}}, redaction.Options{})
	if err != nil {
		b.Fatal(err)
	}
	plan := set.Plan(nil, redaction.Input)
	for _, c := range []struct {
		name  string
		every int
	}{{"nothing", 0}, {"value_in_20_sentences", 20}, {"value_in_5_sentences", 5}} {
		b.Run(c.name, func(b *testing.B) {
			type message struct {
				Role    string `json:"role"`
				Content string `json:"content"`
			}
			var q struct {
				Model    string    `json:"model"`
				Messages []message `json:"messages"`
			}
			for i := range 20 {
				q.Messages = append(q.Messages, message{"user", labelled.Prompt(uint64(i), 800, c.every)})
			}
			doc, err := json.Marshal(q)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			defer labelled.PerCPU(b, len(doc))()
			for b.Loop() {
				if _, err := NewRequest(plan, redaction.Hasher{}, redaction.NewValues(""), nil).Request(doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
