package proxy

import (
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"purser/proxy/dialect"
)

// What reading input may allocate, whatever it is: a multiple of its length, and
// room for what does not depend on it.
const (
	memoryFactor = 128
	memoryRoom   = 64 << 10
)

// names are the kinds of requests in a fixed order.
func faithfulNames() []string {
	var names []string
	for name := range faithfuls {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// allocated is how many bytes f allocates. Others may allocate meanwhile, so the
// least of some runs counts.
func allocated(f func()) uint64 {
	least := ^uint64(0)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
		if least < memoryRoom {
			break
		}
	}
	return least
}

// readRequest reads input as a request's body.
func readRequest(f *faithful, input []byte) map[string]func() {
	format, call := formats[f.wire], new(dialect.Call)
	return map[string]func(){"decoding": func() {
		if format.Decode(call, f.target, input) != nil {
			return
		}
		format.AppendUpstream(nil, call, dialect.Change{Model: "up", MaxOutput: 5, IncludeUsage: true, MaxCalls: 3})
		_, _ = format.AppendCanonical(nil, call) // it may have no canonical form
	}}
}

// readAnswer reads input in every way that an answer is read.
func readAnswer(f *faithful, input []byte) map[string]func() {
	format, report := formats[f.wire], new(dialect.Report)
	meter := format.NewMeter()
	return map[string]func(){
		"reading an answer": func() { format.ReadAnswer(report, f.target.Endpoint, input) },
		"metering": func() {
			for _, asked := range []bool{true, false} {
				meter.Reset(&dialect.Call{Stream: true, IncludeUsage: asked})
				for rest := input; len(rest) > 0; {
					n := min(len(rest), 61)
					if _, err := meter.Feed(rest[:n]); err != nil {
						break
					}
					rest = rest[n:]
				}
				meter.Finish()
			}
		},
		"folding":   func() { _, _ = format.Fold(nil, input) },
		"replaying": func() { _, _ = format.Replay(nil, input, &dialect.Call{Stream: true}) },
	}
}

// unbounded is which of some ways to read input exceeds its memory, "" for none.
func unbounded(length int, ways map[string]func()) string {
	most := uint64(memoryFactor*length + memoryRoom)
	all := func() {
		for _, read := range ways {
			read()
		}
	}
	if allocated(all) <= most { // mostly so, and each measurement stops the world
		return ""
	}
	for what, read := range ways {
		if allocated(read) > most {
			return what
		}
	}
	return ""
}

// TestMemoryFollowsTheInput: bodies, answers and streams that are made to cost
// memory.
func TestMemoryFollowsTheInput(t *testing.T) {
	const size = 32 << 10
	times := func(s string) string { return strings.Repeat(s, size/len(s)) }
	list := func(s string) string { return strings.TrimSuffix(times(s+","), ",") }
	inputs := map[string]string{
		"deep lists":      times("["),
		"deep objects":    times(`{"a":`),
		"small members":   `{` + list(`"a":1`) + `}`,
		"known members":   `{` + list(`"model":"m"`) + `}`,
		"small messages":  `{"model":"m","max_tokens":1,"messages":[` + list(`{"role":"user","content":"x"}`) + `]}`,
		"small parts":     `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[` + list(`{"type":"text","text":"x"}`) + `]}]}`,
		"small tools":     `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"tools":[` + list(`{"type":"function","name":"f","function":{"name":"f"}}`) + `]}`,
		"small contents":  `{"contents":[` + list(`{"parts":[{"text":"x"}]}`) + `]}`,
		"small requests":  `{"requests":[` + list(`{"model":"models/`+faithfulModel+`","content":{"parts":[]}}`) + `]}`,
		"small inputs":    `{"model":"m","input":[` + list(`"x"`) + `]}`,
		"small items":     `{"model":"m","input":[` + list(`{"type":"message","role":"user","content":"x"}`) + `]}`,
		"metadata":        `{"model":"m","input":"x","metadata":{` + list(`"a":"b"`) + `}}`,
		"escapes":         `{"model":"m","input":"` + times(`\u0000`) + `"}`,
		"escaped keys":    `{"` + times(`\u0061`) + `":1,"model":"m","input":"x"}`,
		"long numbers":    `{"model":"m","input":"x","temperature":` + times("9") + `}`,
		"large exponents": `{"model":"m","input":"x","a":[` + list("1e999999999") + `]}`,
		"choices":         `{"choices":[` + list(`{"index":1}`) + `],"usage":{"prompt_tokens":1}}`,
		"output items":    `{"object":"response","status":"completed","output":[` + list(`{"id":"a","type":"x"}`) + `]}`,
		"iterations":      `{"type":"message","usage":{"iterations":[` + list(`{"type":"compaction"}`) + `]}}`,
		"candidates":      `{"candidates":[` + list(`{"index":9}`) + `]}`,
		"modalities":      `{"candidates":[],"usageMetadata":{"promptTokensDetails":[` + list(`{"modality":"TEXT","tokenCount":1}`) + `]}}`,
		"empty events":    times("data: {}\n\n"),
		"chunks":          times("data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\"}}],\"usage\":null}\n\n"),
		"tool chunks":     times("data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":9,\"function\":{\"arguments\":\"x\"}}]}}]}\n\n"),
		"blocks":          times("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"),
		"responses":       times("data: {\"type\":\"response.output_item.added\",\"output_index\":5,\"item\":{\"id\":\"a\",\"type\":\"message\"}}\n\n"),
		"one line":        "data: " + times("x"),
		"line ends":       times("\n"),
		"data lines":      times("data:\n"),
		"comments":        times(":\n"),
	}
	for _, name := range faithfulNames() {
		f := faithfuls[name]
		for kind, input := range inputs {
			ways := readRequest(&f, []byte(input))
			if f.target.Endpoint.Generates() { // the others' answers are read alike
				maps.Copy(ways, readAnswer(&f, []byte(input)))
			}
			if what := unbounded(len(input), ways); what != "" {
				t.Errorf("%s, %s: %s takes more than %d bytes for each of the input", name, kind, what, memoryFactor)
			}
		}
	}
}

// FuzzMemory looks for input that makes some reader panic, or use more memory
// than follows from its length.
func FuzzMemory(f *testing.F) {
	for i := range faithfulNames() {
		f.Add(uint8(i), `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"contents":[],"input":"x"}`)
		f.Add(uint8(i), "event: message_start\ndata: {\"type\":\"message_start\",\"choices\":[],\"usage\":{},\"usageMetadata\":{}}\n\n")
	}
	f.Fuzz(func(t *testing.T, which uint8, input string) {
		names := faithfulNames()
		kind := faithfuls[names[int(which)%len(names)]]
		ways := readRequest(&kind, []byte(input))
		maps.Copy(ways, readAnswer(&kind, []byte(input)))
		if what := unbounded(len(input), ways); what != "" {
			t.Fatalf("%s takes more than %d bytes for each of the input, and %d", what, memoryFactor, memoryRoom)
		}
	})
}
