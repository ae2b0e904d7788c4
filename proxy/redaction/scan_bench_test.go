package redaction

import (
	"strings"
	"testing"

	"purser/proxy/redaction/labelled"
)

// BenchmarkScan searches prompts with all of Purser's own recognizers.
func BenchmarkScan(b *testing.B) {
	set, err := Compile([]Spec{{ID: "all"}}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct{ name, text string }{
		{"prose/nothing", labelled.Prompt(1, 16<<10, 0)},
		{"prose/value_in_20_sentences", labelled.Prompt(1, 16<<10, 20)},
		{"prose/value_in_5_sentences", labelled.Prompt(1, 16<<10, 5)},
		{"uuids", strings.Repeat("f47ac10b-58cc-4372-a567-0e02b2c3d479\n", 400)},
		{"digits", strings.Repeat("0123456789", 1600)},
		{"short", "What is the capital of France?"},
	} {
		b.Run(c.name, func(b *testing.B) {
			text := []byte(c.text)
			sc := set.Plan(nil, Input).NewScanner()
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			defer labelled.PerCPU(b, len(text))()
			for b.Loop() {
				sc.Scan(text)
			}
		})
	}
}
