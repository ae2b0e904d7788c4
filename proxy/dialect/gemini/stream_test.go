package gemini

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/price"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fataler is a test of any kind.
type fataler interface {
	Helper()
	Fatal(...any)
}

// meter feeds a stream in pieces of size bytes and gives what the client gets.
func meter(t fataler, m *Meter, array bool, stream []byte, size int) string {
	t.Helper()
	c := dialect.Call{}
	if array {
		c.StreamType = "application/json"
	}
	m.Reset(&c)
	var out []byte
	for len(stream) > 0 {
		piece := bytes.Clone(stream[:min(size, len(stream))])
		got, err := m.Feed(piece)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, got...)
		for i := range piece { // the caller's memory is its own again
			piece[i] = '#'
		}
		stream = stream[min(size, len(stream)):]
	}
	return string(append(out, m.Finish()...))
}

func event(data string) string { return "data: " + data + "\r\n\r\n" }

// streams are sequences of events as Google sends them.
var streams = map[string]string{
	"text": event(`{"candidates":[{"content":{"parts":[{"text":"Hel"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":8,"totalTokenCount":8},"modelVersion":"gemini-2.5-flash","responseId":"r1"}`) +
		event(`{"candidates":[{"content":{"parts":[{"text":"lo wörld"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":3,"totalTokenCount":11},"modelVersion":"gemini-2.5-flash","responseId":"r1"}`),
	"thoughts": event(`{"candidates":[{"content":{"parts":[{"text":"Hm.","thought":true}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":8,"thoughtsTokenCount":20,"totalTokenCount":28},"modelVersion":"m","responseId":"r2"}`) +
		event(`{"candidates":[{"content":{"parts":[{"text":" So."},{"text":"Yes","thought":false}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":8,"thoughtsTokenCount":20,"totalTokenCount":28},"modelVersion":"m","responseId":"r2"}`) +
		event(`{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"c2ln"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":1,"thoughtsTokenCount":20,"totalTokenCount":29},"modelVersion":"m","responseId":"r2"}`),
	"calls": event(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":1}}}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":8,"totalTokenCount":8},"responseId":"r3"}`) +
		event(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"g","args":{}}}],"role":"model"},"finishReason":"STOP","index":0,"safetyRatings":[{"category":"X"}]}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":9,"totalTokenCount":17},"responseId":"r3"}`),
	"candidates": event(`{"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"index":1}],"responseId":"r4"}`) +
		event(`{"candidates":[{"content":{"parts":[{"text":"b"}],"role":"model"},"finishReason":"STOP"}],"responseId":"r4"}`) +
		event(`{"candidates":[{"content":{"parts":[{"text":"c"}],"role":"model"},"finishReason":"MAX_TOKENS","index":1}],"responseId":"r4"}`) +
		event(`{"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":3,"totalTokenCount":7},"responseId":"r4","novel":{"x":1}}`),
	"other lines": ": a comment\n\ndata: {\"candidates\":[{\"content\":\ndata: {\"parts\":[{\"text\":\"x\"}]},\"finishReason\":\"STOP\"}],\ndata: \"usageMetadata\":{\"promptTokenCount\":4}}\n\n",
}

// TestGoldenStreams: what is read of each sequence, what the client gets that
// wants an array, and the answer it amounts to.
func TestGoldenStreams(t *testing.T) {
	for name, stream := range streams {
		t.Run(name, func(t *testing.T) {
			var m Meter
			array := meter(t, &m, true, []byte(stream), 1<<20)
			folded, err := Fold(nil, []byte(stream))
			if err != nil {
				t.Fatal(err)
			}
			r := m.Report()
			report := fmt.Sprintf("id %s, model %s, finish %s, %d of %d finished, done %v", r.ID, r.Model, r.Finish, r.Finished, r.Choices, r.Done)
			for m, n := range r.Usage {
				if n > 0 {
					report += fmt.Sprintf("\n%v %d", price.Meter(m), n)
				}
			}
			got := "events\n" + stream + "\narray\n" + array + "\n\nfolded\n" + string(folded) + "\n\nreport\n" + report + "\n"
			file := filepath.Join("testdata", "stream-"+strings.ReplaceAll(name, " ", "-")+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s\n(go test ./proxy/dialect/gemini -update writes it anew)", got, want)
			}
		})
	}
}

// TestAnyCutIsTheSame: however the bytes come, the report is the same, a client
// of events gets exactly them, and a client of an array gets the same array.
func TestAnyCutIsTheSame(t *testing.T) {
	for name, stream := range streams {
		var whole Meter
		array := meter(t, &whole, true, []byte(stream), len(stream))
		if !json.Valid([]byte(array)) {
			t.Errorf("%s: not JSON: %s", name, array)
		}
		want := *whole.Report()
		if !want.Complete() || want.State != dialect.UsageReported {
			t.Errorf("%s: %+v", name, want)
		}
		var m Meter
		for size := 1; size < len(stream); size++ {
			if got := meter(t, &m, false, []byte(stream), size); got != stream {
				t.Fatalf("%s in pieces of %d: the client got %q", name, size, got)
			}
			if !reflect.DeepEqual(*m.Report(), want) {
				t.Fatalf("%s in pieces of %d: %+v", name, size, m.Report())
			}
			if got := meter(t, &m, true, []byte(stream), size); got != array || !reflect.DeepEqual(*m.Report(), want) {
				t.Fatalf("%s in pieces of %d: the client got %s", name, size, got)
			}
		}
	}
}

// TestBrokenOffStreams: a stream cut anywhere before its last event has no end,
// or no usage that could be taken for the bill.
func TestBrokenOffStreams(t *testing.T) {
	for name, stream := range streams {
		if name == "other lines" { // is one event
			continue
		}
		var m Meter
		last := strings.LastIndex(stream, "data: ")
		for cut := range last + len("data: ") {
			meter(t, &m, false, []byte(stream[:cut]), len(stream))
			if r := m.Report(); r.Done && r.State == dialect.UsageReported {
				t.Fatalf("%s cut at %d passes for whole: %+v", name, cut, r)
			}
		}
		if _, err := Fold(nil, []byte(stream[:last])); err == nil && name != "candidates" {
			t.Errorf("%s without its last event is folded", name)
		}
	}
}

func TestOddStreams(t *testing.T) {
	end := event(`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":4}}`)
	for name, x := range map[string]struct {
		stream string
		done   bool
		state  dialect.UsageState
		failed bool
	}{
		"usage twice":           {end + end, true, dialect.UsageReported, false},
		"the last counts":       {event(`{"usageMetadata":{"promptTokenCount":9}}`) + end, true, dialect.UsageReported, false},
		"goes on after usage":   {end + event(`{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}`), true, dialect.UsageUnusable, false},
		"no usage":              {event(`{"candidates":[{"finishReason":"STOP"}]}`), true, dialect.UsageMissing, false},
		"impossible at last":    {end + event(`{"usageMetadata":{"promptTokenCount":-1}}`), true, dialect.UsageUnusable, false},
		"an error at last":      {end + event(`{"error":{"code":500,"message":"m","status":"INTERNAL"}}`), false, dialect.UsageReported, true},
		"another kind of event": {"event: ping\ndata: 1\n\n" + end, true, dialect.UsageReported, false},
		"an event not JSON":     {event(`{"candidates":[{"conte`) + end, true, dialect.UsageReported, false},
		"blocked":               {event(`{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":4}}`), true, dialect.UsageReported, false},
		"unclosed":              {strings.TrimSpace(end), true, dialect.UsageReported, false},
		"empty":                 {"", false, dialect.UsageMissing, false},
	} {
		var m Meter
		meter(t, &m, false, []byte(x.stream), 7)
		r := m.Report()
		if r.Done != x.done || r.State != x.state || (r.Failed != nil) != x.failed {
			t.Errorf("%s: %+v", name, r)
		}
		if r.State == dialect.UsageReported && r.Usage[price.InputText] != 4 {
			t.Errorf("%s: %v", name, r.Usage)
		}
	}
	if got := meter(t, new(Meter), true, nil, 1); got != "[]" {
		t.Errorf("an empty array: %s", got)
	}
}

func FuzzMeter(f *testing.F) {
	for _, s := range streams {
		f.Add(s, uint16(5))
	}
	f.Fuzz(func(t *testing.T, stream string, size uint16) {
		var m Meter
		n := int(size)%64 + 1
		if got := meter(t, &m, false, []byte(stream), n); got != stream {
			t.Fatalf("%q became %q", stream, got)
		}
		report := *m.Report()
		meter(t, &m, true, []byte(stream), len(stream)+1)
		if !reflect.DeepEqual(*m.Report(), report) {
			t.Fatalf("in pieces of %d %+v, whole %+v", n, report, *m.Report())
		}
	})
}
