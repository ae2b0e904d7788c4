package compress

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// only is the settings in which one pass runs.
func only(p Pass) *Settings {
	return &Settings{Level: Aggressive, Only: []Pass{p}, KeepTurns: 1, StepTurns: 1, ResultBytes: minResultBytes}
}

// given is what becomes of a text that a tool of that name gave, or that the user wrote
// where tool is "".
func given(t *testing.T, p Pass, tool, in string) string {
	t.Helper()
	c := talkOf{System: "s", Steps: []step{{User: in}}}
	if tool != "" {
		c.Steps = []step{{User: "Go."}, {Said: "Yes.", Calls: []callOf{{ID: "c1", Tool: tool, Args: object{"a": 1}}}, Results: []string{in}}}
	}
	var outs []string
	for d := range dialects {
		r := applied(t, c.body(d), d, only(p))
		back, err := converse(r.Body, d)
		if err != nil {
			t.Fatal(err)
		}
		last := back.texts[len(back.texts)-1]
		outs = append(outs, string(last.in))
	}
	if len(in) >= minGeminiText && len(slices.Compact(outs)) != 1 {
		t.Fatalf("dialects differ: %q", outs)
	}
	return outs[0]
}

func TestPasses(t *testing.T) {
	pretty := "{\n    \"id\": 12345678901234567890,\n    \"n\": 1.50e3,\n    \"s\": \"\\u003cb\\u003e caf\\u00e9 \\/ \\u0001\",\n    \"e\": [ ]\n}\n"
	b64 := strings.Repeat("QUJDMTI1cy", 80)
	wrapped := strings.Repeat(strings.Repeat("Ab1+", 19)+"\n", 12)
	for name, c := range map[string]struct {
		pass     Pass
		tool     string
		in, want string
	}{
		"JSON is spelled in its shortest form":      {JSON, "http_get", pretty, `{"id":12345678901234567890,"n":1.50e3,"s":"<b> café / \u0001","e":[]}`},
		"a file of JSON stays":                      {JSON, "read_file", pretty, pretty},
		"JSON with a key twice stays":               {JSON, "run", "{\"a\": 1,                      \"\\u0061\": 2}", "{\"a\": 1,                      \"\\u0061\": 2}"},
		"what is no JSON stays":                     {JSON, "run", "[1, 2,                                    ]", "[1, 2,                                    ]"},
		"a JSON string or number stays":             {JSON, "run", "   \"a               \"             ", "   \"a               \"             "},
		"JSON that a user writes stays":             {JSON, "", pretty, pretty},
		"white space of prose goes":                 {Space, "", "One.                  \n\n\n\n\nTwo.\t\t\nEnd", "One.\n\nTwo.\nEnd"},
		"Markdown's break stays":                    {Space, "", "One.  \nTwo\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\n\nEnd", "One.  \nTwo\n\nEnd"},
		"two blank lines stay":                      {Space, "", "def a\n\n\ndef b                              \n", "def a\n\n\ndef b\n"},
		"fenced code stays":                         {Space, "", "```\na                    \n\n\n\n\n\n\n\n```\nb", "```\na                    \n\n\n\n\n\n\n\n```\nb"},
		"indented code stays":                       {Space, "", "  a                        \n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\nb", "  a                        \n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\nb"},
		"a diff stays":                              {Space, "", "@@ -1 +1 @@\n a                          \n", "@@ -1 +1 @@\n a                          \n"},
		"white space of a result stays":             {Space, "run", "a                            \n\n\n\n\n\n\n\nb", "a                            \n\n\n\n\n\n\n\nb"},
		"colours go":                                {Terminal, "run", "\x1b[1;32mPASS\x1b[0m \x1b]0;title\x07\x1b]8;;x\x1b\\link\x1b \x1b[m\n", "PASS link \n"},
		"what a line was overwritten with stays":    {Terminal, "run", "10 % of it\r50 % of it\r100 %\r\ndone\r\n", "100 %\r\ndone\r\n"},
		"lines that repeat are counted":             {Noise, "run", "a\n" + strings.Repeat("retrying in a second\n", 30) + "b\n", "a\nretrying in a second\n[purser: the line above 29 more times]\nb\n"},
		"lines that differ in the time are counted": {Noise, "run", times(9), "2026-01-02T03:04:00.100Z waiting for it\n[purser: 7 lines like the one above and the one below but for the times]\n2026-01-02T03:04:08.108Z waiting for it\n"},
		"lines that differ in a number stay":        {Noise, "run", numbers(9), numbers(9)},
		"a few lines stay":                          {Noise, "run", strings.Repeat("retrying in a second\n", 3), strings.Repeat("retrying in a second\n", 3)},
		"repeated lines of a file stay":             {Noise, "read_file", strings.Repeat("retrying in a second\n", 30), strings.Repeat("retrying in a second\n", 30)},
		"base64 goes":                               {Blobs, "run", "data:image/png;base64," + b64 + "\nend", "data:image/png;base64,[purser: 800 characters of base64 left out here]\nend"},
		"base64 in lines goes":                      {Blobs, "run", "-----BEGIN-----\n" + wrapped + "-----END-----\n", "-----BEGIN-----\n[purser: 912 characters of base64 left out here]\n-----END-----\n"},
		"short base64 stays":                        {Blobs, "run", b64[:700], b64[:700]},
		"long words stay":                           {Blobs, "run", strings.Repeat("ab/cd/", 300), strings.Repeat("ab/cd/", 300)},
		"a result that is not long stays":           {Long, "run", rows(60), rows(60)},
		"a text of the user that is long stays":     {Long, "", rows(100), rows(100)},
	} {
		if got := given(t, c.pass, c.tool, c.in); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, c.want)
		}
	}
}

func times(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "2026-01-02T03:04:%02d.%dZ waiting for it\n", i, 100+i)
	}
	return b.String()
}

func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "--- PASS: Test%d (0.%02ds) and so on\n", i, i)
	}
	return b.String()
}

func rows(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "this is row %03d\n", i)
	}
	return b.String()
}

func TestTheMiddleOfALongResultIsCutBetweenLines(t *testing.T) {
	in := rows(100)
	got := given(t, Long, "run", in)
	head, rest, ok := strings.Cut(got, opening)
	_, tail, _ := strings.Cut(rest, "]\n")
	if !ok || len(got) > minResultBytes || !strings.HasPrefix(in, head) || !strings.HasSuffix(in, tail) || !strings.HasSuffix(head, "\n") || !strings.HasPrefix(tail, "this is row") {
		t.Fatalf("%q", got)
	}
	gone := in[len(head) : len(in)-len(tail)]
	if want := fmt.Sprintf("%d lines, %s bytes, left out here", strings.Count(gone, "\n"), thousands(len(gone))); !strings.HasPrefix(rest, want) {
		t.Errorf("%q, want %q", rest, want)
	}
	// Without lines or words, not within a character or a placeholder.
	for _, one := range []string{"é", "<EMAIL_1>", "[CREDIT_CARD:****1111]"} {
		got := given(t, Long, "run", strings.Repeat(one, 1000))
		head, rest, _ := strings.Cut(got, opening)
		_, tail, _ := strings.Cut(rest, "]\n")
		if strings.ReplaceAll(strings.TrimSuffix(head, "\n"), one, "") != "" || strings.ReplaceAll(tail, one, "") != "" || head == "" || tail == "" {
			t.Errorf("%q", got)
		}
	}
}

// talking makes a conversation in which the model calls one tool in each answer.
func talking(tool string, args []object, results ...string) talkOf {
	c := talkOf{System: "s", Steps: []step{{User: "Go."}}}
	for i, r := range results {
		c.Steps = append(c.Steps, step{Said: "Yes.", Calls: []callOf{{ID: fmt.Sprintf("c%d", i), Tool: tool, Args: args[i%len(args)]}}, Results: []string{r}})
	}
	return c
}

// resultsOf are the results' texts, compressed.
func resultsOf(t *testing.T, c talkOf, d Dialect, s *Settings) (list []string) {
	t.Helper()
	back, err := converse(applied(t, c.body(d), d, s).Body, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range back.texts {
		if x.voice == result {
			list = append(list, string(x.in))
		}
	}
	return list
}

func TestAFileThatIsReadTwiceIsReferredTo(t *testing.T) {
	file, other := pool[0], pool[1]
	for d := range dialects {
		got := resultsOf(t, talking("read_file", []object{{"path": "a"}}, file, "head\n"+file+other, file), d, only(Repeats))
		note := `[purser: 30 lines, 1,109 bytes, left out here: the same as above in the result of read_file, from the line line 0 of the file 0 := call(0) to the line line 29 of the file 0 := call(0)]` + "\n"
		note = strings.Replace(note, "1,109", thousands(len(file)), 1)
		if want := []string{file, "head\n" + note + other, note}; !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", d, got, want)
		}
	}
}

func TestWhatWasWrittenAndIsReadIsReferredTo(t *testing.T) {
	for d := range dialects {
		got := resultsOf(t, talking("write_file", []object{{"content": pool[0]}}, pool[0]), d, only(Repeats))
		if len(got) != 1 || !strings.Contains(got[0], "the same as above in the arguments of write_file, from") {
			t.Errorf("%s: %q", d, got)
		}
	}
}

// TestAReferenceNamesWhatStandsThere: each block that a note stands for is found,
// whole and literally, in the compressed texts before it.
func TestAReferenceNamesWhatStandsThere(t *testing.T) {
	everySeed(t, func(t rapidT, d Dialect) {
		c := genTalk(10).Draw(t.T, "talk")
		r, err := Apply(c.body(d), d, only(Repeats))
		if err != nil {
			t.Fatal(err)
		}
		was, _ := converse(c.body(d), d)
		is, err := converse(r.Body, d)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range is.texts {
			before := was.texts[i].in
			if bytes.Equal(before, x.in) {
				continue
			}
			if bytes.Contains(before, []byte(opening)) {
				t.Fatal("a text with a note in it has changed")
			}
			rest := before
			for line := range bytes.Lines(x.in) {
				if !bytes.HasPrefix(line, []byte(opening)) {
					if !bytes.HasPrefix(rest, line) {
						t.Fatalf("%q is not what came next: %.80q", line, rest)
					}
					rest = rest[len(line):]
					continue
				}
				var n, size int
				said := strings.ReplaceAll(string(line), ",", "")
				if _, err := fmt.Sscanf(said, "[purser: %d", &n); err != nil {
					t.Fatal(said)
				}
				_, after, _ := strings.Cut(said, " line")
				if _, err := fmt.Sscanf(strings.TrimPrefix(after, "s"), " %d bytes", &size); err != nil {
					t.Fatal(said)
				}
				block := bytes.TrimSuffix(rest[:size], []byte("\n"))
				if !slices.ContainsFunc(is.texts[:i], func(y *text) bool { return bytes.Contains(y.in, block) }) {
					t.Fatalf("%q stands nowhere before", block)
				}
				rest = rest[size:]
			}
			if len(rest) > 0 {
				t.Fatalf("%q is missing", rest)
			}
		}
	})
}

func TestOldResultsAreLeftOut(t *testing.T) {
	long := strings.Repeat("x y ", 200)
	s := only(Results)
	s.KeepTurns, s.StepTurns = 2, 3
	for n, gone := range map[int]int{4: 0, 5: 3, 6: 3, 7: 3, 8: 6} {
		for d := range dialects {
			got := resultsOf(t, talking("run_the_tests", []object{{"a": 1}}, slices.Repeat([]string{long}, n)...), d, s)
			for i, r := range got {
				if want := "[purser: 800 bytes of an old result of run_the_tests left out here]"; (r == want) != (i < gone) || r != want && r != long {
					t.Errorf("%s: of %d, result %d is %q", d, n, i, r)
				}
			}
		}
	}
}

func TestWhatAFileWasIsLeftOut(t *testing.T) {
	args := []object{{"path": "a"}, {"path": "b"}}
	s := only(Superseded)
	for d := range dialects {
		got := resultsOf(t, talking("read_file", args, pool[0], pool[1], pool[2], pool[1], pool[3]), d, s)
		if !strings.HasPrefix(got[0], "[purser: 1,") || !strings.Contains(got[0], "before it was called again") || got[1] != pool[1] || got[2] == pool[2] || got[3] != pool[1] {
			t.Errorf("%s: %.100q", d, got)
		}
		if got := resultsOf(t, talking("run", args, pool[0], pool[1], pool[2]), d, s); got[0] != pool[0] {
			t.Errorf("%s: what is no file is left out: %.100q", d, got)
		}
	}
}

func TestOldExchangesAreLeftOut(t *testing.T) {
	c := talkOf{System: "s"}
	for i := range 8 {
		c.Steps = append(c.Steps, step{User: fmt.Sprintf("Question %d.", i)},
			step{Said: "Yes.", Calls: []callOf{{ID: fmt.Sprintf("c%d", i), Tool: "run", Args: object{}}}, Results: []string{"result"}}, step{Said: fmt.Sprintf("Answer %d.", i)})
	}
	s := only(Turns)
	s.KeepTurns, s.StepTurns = 2, 2
	for d := range dialects {
		r := applied(t, c.body(d), d, s)
		decoded(t, r.Body, d)
		body := string(r.Body)
		for i := range 8 {
			kept := i == 0 || i > 4
			if strings.Contains(body, fmt.Sprintf("Question %d.", i)) != kept || strings.Contains(body, fmt.Sprintf("Answer %d.", i)) != kept {
				t.Errorf("%s: exchange %d: %s", d, i, body)
			}
		}
		if !strings.Contains(body, `"[purser: 4 earlier exchanges of this conversation left out here]\n\nQuestion 5."`) || r.Of(Turns).Texts != 4 {
			t.Errorf("%s: %s", d, body)
		}
	}
	// What is marked for the provider's cache stays, and all that follows it.
	marked := bytes.Replace(c.body(Messages), []byte(`{"content":"Question 2."`), []byte(`{"content":[{"type":"text","text":"Question 2.","cache_control":{"type":"ephemeral"}}]`), 1)
	if got := string(applied(t, marked, Messages, s).Body); strings.Contains(got, "Question 1.") || !strings.Contains(got, `2.","cache_control"`) || !strings.Contains(got, "Question 3.") {
		t.Error(got)
	}
}

func TestSchemasSayWhatTheySaid(t *testing.T) {
	in := `{ "$schema":"http://json-schema.org/draft-07/schema#","$comment":"x","type":"object","title":"readArgs","additionalProperties":true,"readOnly":false,
		"properties":{"$comment":{"type":"string","title":"Comment"},"path":{"title":"Path","minLength":0,"minItems":1,"description":"of\u0020it","default":{"$comment":"data"}},"list":{"type":"array","uniqueItems":false,"items":{"deprecated":false,"enum":["title"]}}},"required":[]}`
	body := `{"messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":` + in + `}},{"type":"custom","parameters":{ "a":1}}]}`
	for level, want := range map[Level]string{
		Lossless:     `{"type":"object","title":"readArgs","properties":{"$comment":{"type":"string","title":"Comment"},"path":{"title":"Path","minItems":1,"description":"of it","default":{"$comment":"data"}},"list":{"type":"array","items":{"enum":["title"]}}},"required":[]}`,
		NearLossless: `{"type":"object","title":"readArgs","properties":{"$comment":{"type":"string"},"path":{"minItems":1,"description":"of it","default":{"$comment":"data"}},"list":{"type":"array","items":{"enum":["title"]}}},"required":[]}`,
	} {
		got := string(applied(t, []byte(body), Chat, &Settings{Level: level}).Body)
		if got != strings.Replace(body, in, want, 1) {
			t.Errorf("%s:\n got %s\nwant %s", level, got, want)
		}
	}
	// A draft that reads a keyword in its own way keeps its name; what closes a schema
	// keeps what is open in it.
	for _, stays := range []string{`"$schema":"http://json-schema.org/draft-07/schema#","items":[{}]`, `"$schema":"http://json-schema.org/draft-04/schema#"`,
		`"$schema":"http://json-schema.org/draft-07/schema#","$ref":"#/x"`, `"allOf":[{"additionalProperties":true}],"unevaluatedProperties":false`} {
		body := `{"tools":[{"name":"f","input_schema":{"type":"object",` + stays + `}}],"messages":[]}`
		if r := applied(t, []byte(body), Messages, &Settings{Level: Lossless}); r.Changed {
			t.Errorf("%s became %s", body, r.Body)
		}
	}
}

// TestWhatIsNotTextStays: calls, thinking, pictures, the system prompt, ids and markers
// keep their bytes at every level, whatever stands in them.
func TestWhatIsNotTextStays(t *testing.T) {
	loud := strings.Repeat("retrying in a second   \n", 60) + "\n\n\n\n\n"
	quoted := string(marshalled(object{"t": loud}))
	quoted = quoted[len(`{"t":`) : len(quoted)-1]
	for d, parts := range map[Dialect][]string{
		Messages: {`{"system":[{"type":"text","text":` + quoted + `,"cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"` + strings.Repeat("Ab1+", 400) + `"}}]},`,
			`{"role":"assistant","content":[{"type":"thinking","thinking":` + quoted + `,"signature":"` + strings.Repeat("Ab1+", 400) + `"},{"type":"text","text":` + quoted + `},{"type":"tool_use","id":"c","name":"run","input":{"a":` + quoted + `}}]},`,
			`{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","is_error":true,"cache_control":{"type":"ephemeral"},"content":`, `}]}],"metadata":{"a":` + quoted + `}}`},
		Chat: {`{"messages":[{"role":"system","content":` + quoted + `},{"role":"assistant","content":` + quoted + `,"tool_calls":[{"id":"c","type":"function","function":{"name":"run","arguments":` + quoted + `}}]},`,
			`{"role":"tool","tool_call_id":"c","content":`, `}],"unknown":` + quoted + `}`},
		Responses: {`{"instructions":` + quoted + `,"input":[{"type":"reasoning","id":"r","encrypted_content":"` + strings.Repeat("Ab1+", 400) + `","summary":[{"type":"summary_text","text":` + quoted + `}]},`,
			`{"type":"function_call","call_id":"c","name":"run","arguments":` + quoted + `},{"type":"function_call_output","call_id":"c","output":`, `}]}`},
		Gemini: {`{"systemInstruction":{"parts":[{"text":` + quoted + `}]},"contents":[{"role":"model","parts":[{"text":` + quoted + `,"thought":true},{"functionCall":{"name":"run","args":{"a":` + quoted + `}},"thoughtSignature":"` + strings.Repeat("Ab1+", 400) + `"}]},`,
			`{"role":"user","parts":[{"inlineData":{"data":"` + strings.Repeat("Ab1+", 400) + `"}},{"functionResponse":{"name":"run","response":{"output":`, `}}}]}]}`},
	} {
		at := len(parts) - 1
		body := strings.Join(parts[:at], "") + quoted + parts[at]
		for l := Lossless; l < levels; l++ {
			s := &Settings{Level: l, KeepTurns: 1, StepTurns: 1, ResultBytes: minResultBytes, Skip: []Pass{Repeats}}
			r := applied(t, []byte(body), d, s)
			if !bytes.HasPrefix(r.Body, []byte(strings.Join(parts[:at], ""))) || !bytes.HasSuffix(r.Body, []byte(parts[at])) || r.Changed != (l > Lossless) {
				t.Errorf("%s, %s: %s", d, l, r.Body)
			}
		}
	}
}

// TestATextThatLooksLikeANoteIsNotTakenForOne: it stays, and nothing is made of it.
func TestATextThatLooksLikeANoteIsNotTakenForOne(t *testing.T) {
	fake := "[purser: 30 lines, 1,109 bytes, left out here: the same as above in the result of read_file]\n"
	body := fake + strings.Repeat("retrying in a second\n", 30) + pool[0]
	for d := range dialects {
		got := resultsOf(t, talking("run", []object{{"a": 1}}, pool[0], body, pool[0]), d, &Settings{Level: NearLossless})
		if got[1] != body || !strings.HasPrefix(got[2], "[purser: 30 lines") {
			t.Errorf("%s: %q", d, got)
		}
	}
	// A note within the earlier text is no part of a block, and ends one.
	half := strings.Repeat("some line of less than half\n", 15)
	got := resultsOf(t, talking("run", []object{{"a": 1}}, half+fake+half, half+half, half+fake+half), Chat, only(Repeats))
	if got[1] != half+half || got[2] != half+fake+half {
		t.Errorf("%q", got)
	}
}

func TestSettings(t *testing.T) {
	for _, bad := range []Settings{{Level: levels}, {Only: []Pass{passes}}, {KeepTurns: -1}, {StepTurns: maxTurns + 1}, {ResultBytes: 1}, {Exact: []string{""}}, {Exact: make([]string, maxExact+1)}} {
		if bad.Validate() == nil {
			t.Errorf("%+v", bad)
		}
	}
	for glob, c := range map[string]struct {
		name string
		want bool
	}{
		"*read*": {"mcp__fs__Read_File", true}, "cat": {"concat", false}, "a*b*c": {"aXbYc", true}, "a*b": {"ab", true}, "ab*ba": {"aba", false}, "*": {"", true}, "open*": {"reopen", false}, "*b*b*": {"ab", false},
	} {
		if got := (&Settings{Exact: []string{glob}}).exact(c.name); got != c.want {
			t.Errorf("%s, %s: %v", glob, c.name, got)
		}
	}
	for _, p := range Passes() {
		if q, err := ParsePass(p.String()); q != p || err != nil || p.Level() == Off {
			t.Errorf("%s: %v %v", p, q, err)
		}
	}
	for l := range levels {
		if m, err := ParseLevel(l.String()); m != l || err != nil {
			t.Errorf("%s: %v %v", l, m, err)
		}
	}
}

func TestABodyThatCannotBeReadIsGivenBack(t *testing.T) {
	for _, bad := range []string{"", "{", `{"messages":["\ud800"]}`, `[1] 2`, strings.Repeat("[", 1000)} {
		r, err := Apply([]byte(bad), Chat, &Settings{Level: Aggressive})
		if err == nil || string(r.Body) != bad || r.Changed {
			t.Errorf("%s: %v %s", bad, err, r.Body)
		}
	}
	for _, odd := range []string{"1", `"x"`, "[]", `{"messages":7}`, `{"messages":[1,null,[],{}]}`, `{"messages":[],"messages":[{"role":"user","content":"x"}]}`} {
		for d := range dialects {
			if r := applied(t, []byte(odd), d, &Settings{Level: Aggressive}); string(r.Body) != odd || r.Changed {
				t.Errorf("%s: %s", odd, r.Body)
			}
		}
	}
	big := `{"messages":[{"role":"user","content":"` + strings.Repeat(`a \n`, MaxBody/4) + `"}]}`
	if r := applied(t, []byte(big), Chat, &Settings{Level: Aggressive}); r.Changed {
		t.Error("a body beyond the limit was looked at")
	}
}

// TestTimeGrowsWithBytes: texts that are made to be slow take no longer than many times
// what they need, which is a fraction of a second.
func TestTimeGrowsWithBytes(t *testing.T) {
	const size = 512 << 10
	for name, text := range map[string]string{
		"empty lines": strings.Repeat("\n", size), "short lines": strings.Repeat("a\n", size/2), "one line": strings.Repeat("a", size), "escapes": strings.Repeat("\x1b[", size/2),
		"open titles": strings.Repeat("\x1b]", size/2), "base64 lines": strings.Repeat(strings.Repeat("Ab1+", 16)+"\n", size/65), "nearly base64": strings.Repeat(strings.Repeat("Ab1+", 16)+"\n!", size/66),
		"returns": strings.Repeat("a\r", size/2), "open brackets": strings.Repeat("[", size), "times": strings.Repeat("15:04:05", size/8), "fences": strings.Repeat("```\n", size/4), "placeholders": strings.Repeat("<A_", size/3),
	} {
		c := talking("run", []object{{"a": 1}}, text, text[:len(text)-1])
		c.Steps = append(c.Steps, step{User: text})
		began := time.Now()
		body := c.body(Messages)
		r := applied(t, body, Messages, &Settings{Level: Aggressive, ResultBytes: maxResultBytes, Ask: func(texts []string) []string { return texts }})
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("%s: %d bytes took %v", name, len(body), took)
		}
		if len(r.Body) > len(body) {
			t.Errorf("%s: %d bytes became %d", name, len(body), len(r.Body))
		}
	}
}

func TestACompressorOutside(t *testing.T) {
	text := strings.Repeat("the mail of <EMAIL_1> is long, and longer <b> ", 40)
	for name, c := range map[string]struct {
		tool, to string
		taken    bool
	}{
		"a shorter text":               {"run", "mail of <EMAIL_1>", true},
		"one without the placeholder":  {"run", "mail", false},
		"one with a note":              {"run", "mail <EMAIL_1> [purser: x]", false},
		"one that is not shorter":      {"run", text + "<EMAIL_1>", false},
		"none":                         {"run", "", false},
		"what is not UTF-8":            {"run", "<EMAIL_1>\xff", false},
		"of a tool whose results stay": {"read_file", "<EMAIL_1>", false},
	} {
		asked := 0
		s := only(Outside)
		s.Ask = func(texts []string) []string {
			asked += len(texts)
			return []string{c.to, "more than were asked about"}
		}
		got := resultsOf(t, talking(c.tool, []object{{"a": 1}}, text), Responses, s)
		if (got[0] == c.to) != c.taken || (asked == 1) != (c.tool == "run") || !c.taken && got[0] != text {
			t.Errorf("%s: %q, asked about %d", name, got, asked)
		}
	}
}

func FuzzApply(f *testing.F) {
	for d := range dialects {
		for _, p := range pool {
			c := talking("run", []object{{"a": p}}, p, p+p)
			f.Add(c.body(d), uint8(d), uint8(Aggressive))
		}
	}
	f.Add([]byte("A"), uint8(Chat), uint8(Off)) // what is not looked at need not be JSON
	f.Fuzz(func(t *testing.T, body []byte, d, l uint8) {
		s := &Settings{Level: Level(l) % levels, KeepTurns: 1, StepTurns: 1, ResultBytes: minResultBytes}
		dialect := Dialect(d) % dialects
		once, err := Apply(body, dialect, s)
		if err != nil || s.Level == Off {
			if !bytes.Equal(once.Body, body) {
				t.Fatal("a body that was not read has changed")
			}
			return
		}
		if !json.Valid(once.Body) || len(once.Body) > len(body) {
			t.Fatalf("%q became %q", body, once.Body)
		}
		twice, err := Apply(once.Body, dialect, s)
		if err != nil || !bytes.Equal(twice.Body, once.Body) {
			t.Fatalf("%q again: %q, %v", once.Body, twice.Body, err)
		}
	})
}
