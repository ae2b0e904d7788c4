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

// BenchmarkExchange does for one request of 4 KiB what the request path does: it asks
// the set for both plans, redacts the request, and restores a short answer.
func BenchmarkExchange(b *testing.B) {
	set, err := redaction.Compile([]redaction.Spec{{ID: "s", Direction: redaction.Both, Action: redaction.Tokenise}}, redaction.Options{HashKey: []byte("k")})
	if err != nil {
		b.Fatal(err)
	}
	answer := []byte(`{"choices":[{"message":{"role":"assistant","content":"It was changed, and is to be tested next."}}]}`)
	for _, c := range []struct {
		name  string
		every int
	}{{"nothing", 0}, {"value_in_20_sentences", 20}} {
		b.Run(c.name, func(b *testing.B) {
			text, err := json.Marshal(labelled.Prompt(1, 4<<10, c.every))
			if err != nil {
				b.Fatal(err)
			}
			doc := append(append([]byte(`{"messages":[{"role":"user","content":`), text...), `}]}`...)
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			defer labelled.PerCPU(b, len(doc))()
			for b.Loop() {
				hasher, values := set.Hasher("tenant"), redaction.NewValues("")
				if _, err := NewRequest(set.Plan(nil, redaction.Input), hasher, values, nil).Request(doc); err != nil {
					b.Fatal(err)
				}
				if _, err := NewAnswer(set.Plan(nil, redaction.Output), hasher, values).Answer(answer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestSearchingAllocatesLittle: a request without a value costs its leaves and its
// scanners, and no plan of its own, which is hundreds. Under the race detector pools
// forget at random.
func TestSearchingAllocatesLittle(t *testing.T) {
	set, err := redaction.Compile([]redaction.Spec{{ID: "s", Direction: redaction.Both, Action: redaction.Tokenise}}, redaction.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(labelled.Prompt(1, 4<<10, 0))
	if err != nil {
		t.Fatal(err)
	}
	doc := append(append([]byte(`{"messages":[{"role":"user","content":`), text...), `}]}`...)
	n := testing.AllocsPerRun(100, func() {
		if _, err := NewRequest(set.Plan(nil, redaction.Input), set.Hasher("t"), redaction.NewValues(""), nil).Request(doc); err != nil {
			t.Fatal(err)
		}
	})
	if n > 100 {
		t.Errorf("a request without a value allocates %v times", n)
	}
}
