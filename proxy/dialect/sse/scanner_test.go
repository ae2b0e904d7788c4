package sse

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// seen is one event as a test compares it.
type seen struct {
	Raw, Data, Type string
	Lines           int
}

// scan feeds the stream in pieces and gives its events, the unclosed one last.
func scan(t failer, pieces ...[]byte) []seen {
	t.Helper()
	var s Scanner
	var out []seen
	note := func(e Event) {
		if e.DataAt >= 0 && string(e.Raw[e.DataAt:e.DataAt+len(e.Data)]) != string(e.Data) {
			t.Fatalf("data is not at %d", e.DataAt)
		}
		out = append(out, seen{string(e.Raw), string(e.Data), string(e.Type), e.Lines})
	}
	for _, piece := range pieces {
		own := append([]byte(nil), piece...)
		s.Feed(own)
		for {
			e, ok, err := s.Next()
			if err != nil {
				t.Fatalf("%v", err)
			}
			if !ok {
				break
			}
			note(e)
		}
		clear(own) // the caller reads the next piece into the same memory
	}
	if e, ok := s.Rest(); ok {
		note(e)
	}
	return out
}

type failer interface {
	Helper()
	Fatalf(string, ...any)
}

// plain is the standard's parser read naively: all bytes at once, line by line.
func plain(stream string) (data, types []string) {
	stream = strings.TrimPrefix(stream, "\ufeff")
	stream = strings.ReplaceAll(strings.ReplaceAll(stream, "\r\n", "\n"), "\r", "\n")
	var lines []string
	kind := ""
	for line := range strings.SplitSeq(stream, "\n") {
		if line == "" {
			if lines != nil {
				data, types = append(data, strings.Join(lines, "\n")), append(types, kind)
			}
			lines, kind = nil, ""
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "data":
			lines = append(lines, value)
		case "event":
			kind = value
		}
	}
	return data, types
}

// check compares with the plain parser, and every byte with the stream's.
func check(t failer, stream string, pieces ...[]byte) {
	t.Helper()
	events := scan(t, pieces...)
	wantData, wantTypes := plain(stream + "\n\n")
	var raw strings.Builder
	var data, types []string
	for _, e := range events {
		raw.WriteString(e.Raw)
		if e.Lines > 0 {
			data, types = append(data, e.Data), append(types, e.Type)
		}
	}
	if raw.String() != stream {
		t.Fatalf("bytes %q of %q", raw.String(), stream)
	}
	if fmt.Sprintf("%q", data) != fmt.Sprintf("%q", wantData) || fmt.Sprintf("%q", types) != fmt.Sprintf("%q", wantTypes) {
		t.Fatalf("data %q of types %q, want %q of %q in %q", data, types, wantData, wantTypes, stream)
	}
}

var streams = []string{
	"data: one\n\ndata: two\n\n",
	"data: one\r\n\r\ndata:two\r\n\r\n",
	"data: one\r\rdata: two\r\r",
	"\ufeffdata: bom\n\n",
	": comment\n\ndata: after\n\n: more\n",
	"event: error\ndata: {}\nid: 7\nretry: 10\n\n",
	"data: a\ndata: b\ndata\ndata:  c\n\n",
	"data: naïve 漢字 🙂\n\n",
	"data: [DONE]\n\n",
	"data: not closed",
	"data: closed by a line\n",
	"data: half\r",
	"\n\n\ndata: x\n\n\n\n",
	"data: x\r\n\n\rdata: y\n\r\n",
	"dataset: no\ndata : no\n data: no\n\n",
	"event:\ndata:\n\n",
	"",
	"\xef\xbb",
}

func TestEveryCut(t *testing.T) {
	for _, stream := range streams {
		check(t, stream, []byte(stream))
		for i := range stream {
			check(t, stream, []byte(stream[:i]), []byte(stream[i:]))
		}
		check(t, stream, bytes.SplitAfter([]byte(stream), nil)...)
	}
}

func TestEveryTwoCuts(t *testing.T) {
	stream := "\ufeff: c\r\n\r\ndata: é\r\ndata: b\r\r\nevent: x\ndata: c\n\n"
	for i := range stream {
		for j := i; j < len(stream); j++ {
			check(t, stream, []byte(stream[:i]), []byte(stream[i:j]), []byte(stream[j:]))
		}
	}
}

func TestRandomStreams(t *testing.T) {
	part := rapid.SampledFrom([]string{"data:", "data: ", "event: e", "id: 1", ":", "x", "é", "\n", "\r", "\r\n", "\n\n", "\r\n\r\n", " "})
	rapid.Check(t, func(t *rapid.T) {
		stream := strings.Join(rapid.SliceOfN(part, 0, 30).Draw(t, "stream"), "")
		var pieces [][]byte
		for rest := stream; ; {
			n := rapid.IntRange(0, len(rest)).Draw(t, "cut")
			pieces = append(pieces, []byte(rest[:n]))
			if rest = rest[n:]; rest == "" {
				break
			}
			if len(pieces) > 20 {
				pieces = append(pieces, []byte(rest))
				break
			}
		}
		check(t, stream, pieces...)
	})
}

// An event is given as soon as its blank line is there, not a byte later.
func TestEventsAreNotHeldBack(t *testing.T) {
	for _, stream := range []string{"data: x\n\n", "data: x\r\n\r\n", "data: x\r\r"} {
		var s Scanner
		s.Feed([]byte(stream[:len(stream)-1]))
		_, early, _ := s.Next()
		s.Feed([]byte(stream[len(stream)-1:]))
		e, ok, _ := s.Next()
		if !early && (!ok || string(e.Data) != "x") {
			t.Errorf("%q is held back", stream)
		}
	}
}

func TestEventTooLarge(t *testing.T) {
	s := Scanner{Max: 100}
	for range 50 {
		s.Feed([]byte("data: 12345"))
		if _, _, err := s.Next(); err != nil {
			if !errors.Is(err, ErrTooLarge) {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("no limit")
}

func TestResetForgets(t *testing.T) {
	var s Scanner
	s.Feed([]byte("event: old\ndata: old\ndata: o"))
	s.Next()
	s.Reset()
	s.Feed([]byte("data: new\n\n"))
	if e, ok, _ := s.Next(); !ok || string(e.Data) != "new" || e.Type != nil || e.Lines != 1 {
		t.Errorf("%+v", e)
	}
}

func TestWholePiecesAreNotCopied(t *testing.T) {
	var s Scanner
	piece := []byte("data: one\n\ndata: two\n\n")
	n := testing.AllocsPerRun(100, func() {
		s.Feed(piece)
		for ok := true; ok; {
			_, ok, _ = s.Next()
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzScanner(f *testing.F) {
	for _, s := range streams {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		var pieces [][]byte
		for rest := stream; len(rest) > 0; {
			n := min(int(size)%7+1, len(rest))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		check(t, string(stream), pieces...)
		check(t, string(stream), stream)
	})
}

// TestTaken: the whole events of all pieces, and the rest, are the stream, byte for
// byte, wherever it was cut.
func TestTaken(t *testing.T) {
	const stream = "\xef\xbb\xbfdata: a\r\n\r\n: comment\n\nevent: x\rdata: b\r\rdata: c\ndata: d\n\n\ndata: the end is missing\nid: 7"
	for size := 1; size <= len(stream); size++ {
		var s Scanner
		var all []byte
		for rest := []byte(stream); len(rest) > 0; {
			n := min(size, len(rest))
			s.Feed(rest[:n])
			rest = rest[n:]
			events := 0
			for {
				_, ok, err := s.Next()
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				events++
			}
			if got := s.Taken(); (len(got) > 0) != (events > 0) {
				t.Errorf("by %d: %d events are %q", size, events, got)
			}
			all = append(all, s.Taken()...)
		}
		if e, ok := s.Rest(); ok {
			all = append(all, e.Raw...)
		}
		if string(all) != stream {
			t.Errorf("by %d: %q", size, all)
		}
	}
}
