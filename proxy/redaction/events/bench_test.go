package events

import (
	"testing"
	"unicode/utf8"

	"purser/proxy/redaction"
	"purser/proxy/redaction/labelled"
)

// BenchmarkFeed passes a stream of 16 KiB of text in events of about four characters.
func BenchmarkFeed(b *testing.B) {
	set, err := redaction.Compile([]redaction.Spec{{ID: "s", Direction: redaction.Both, Action: redaction.Tokenise}}, redaction.Options{})
	if err != nil {
		b.Fatal(err)
	}
	values := redaction.NewValues("")
	if _, err := values.Token("EMAIL", []byte("a@b.de")); err != nil {
		b.Fatal(err)
	}
	text := labelled.Prompt(1, 16<<10, 20)
	var pieces []string
	for rest := text; rest != ""; {
		n := min(4, len(rest))
		for n < len(rest) && !utf8.RuneStart(rest[n]) {
			n++
		}
		pieces, rest = append(pieces, rest[:n]), rest[n:]
	}
	w := wires["chat"]
	var stream [][]byte
	for _, e := range w.events(pieces, nil) {
		stream = append(stream, []byte("data: "+e+"\n\n"))
	}
	for name, s := range map[string]Setting{
		"restored": {Values: values},
		"searched": {Plan: set.Plan(nil, redaction.Output)},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			defer labelled.PerCPU(b, len(text))()
			for b.Loop() {
				x := New(s)
				for _, e := range stream {
					if _, err := x.Feed(e); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := x.Finish(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
