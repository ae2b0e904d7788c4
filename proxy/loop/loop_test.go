package loop

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

// turn is one step of an agent, in no format.
type turn struct {
	says, tool, args, result string
}

// formats write a conversation as clients of each API do. Ids are another one each
// time, as theirs are.
var formats = map[string]func(turns []turn) []byte{
	"chat": func(turns []turn) []byte {
		list := []any{map[string]any{"role": "system", "content": "You are an agent."}, map[string]any{"role": "user", "content": "Do the task."}}
		for i, x := range turns {
			m := map[string]any{"role": "assistant", "content": x.says}
			if x.tool == "" {
				list = append(list, m, map[string]any{"role": "user", "content": x.result})
				continue
			}
			id := fmt.Sprintf("call_%09d", i*7919)
			m["tool_calls"] = []any{map[string]any{"id": id, "type": "function", "function": map[string]any{"name": x.tool, "arguments": x.args}}}
			list = append(list, m, map[string]any{"role": "tool", "tool_call_id": id, "content": x.result})
		}
		return body("messages", list)
	},
	"anthropic": func(turns []turn) []byte {
		list := []any{map[string]any{"role": "user", "content": "Do the task."}}
		for i, x := range turns {
			said := []any{map[string]any{"type": "text", "text": x.says}}
			back := []any{map[string]any{"type": "text", "text": x.result}}
			if x.tool != "" {
				id := fmt.Sprintf("toolu_%09d", i*7919)
				said = append(said, map[string]any{"type": "tool_use", "id": id, "name": x.tool, "input": json.RawMessage(x.args)})
				back = []any{map[string]any{"type": "tool_result", "tool_use_id": id, "content": []any{map[string]any{"type": "text", "text": x.result}}}}
			}
			list = append(list, map[string]any{"role": "assistant", "content": said}, map[string]any{"role": "user", "content": back})
		}
		return body("messages", list)
	},
	"responses": func(turns []turn) []byte {
		list := []any{map[string]any{"role": "user", "content": "Do the task."}}
		for i, x := range turns {
			list = append(list, map[string]any{"type": "message", "role": "assistant", "content": []any{map[string]any{"type": "output_text", "text": x.says}}})
			if x.tool == "" {
				list = append(list, map[string]any{"role": "user", "content": x.result})
				continue
			}
			id := fmt.Sprintf("call_%09d", i*7919)
			list = append(list, map[string]any{"type": "function_call", "call_id": id, "name": x.tool, "arguments": x.args},
				map[string]any{"type": "function_call_output", "call_id": id, "output": x.result})
		}
		return body("input", list)
	},
	"gemini": func(turns []turn) []byte {
		list := []any{map[string]any{"role": "user", "parts": []any{map[string]any{"text": "Do the task."}}}}
		for _, x := range turns {
			said := []any{map[string]any{"text": x.says}}
			back := []any{map[string]any{"text": x.result}}
			if x.tool != "" {
				said = append(said, map[string]any{"functionCall": map[string]any{"name": x.tool, "args": json.RawMessage(x.args)}})
				back = []any{map[string]any{"functionResponse": map[string]any{"name": x.tool, "response": map[string]any{"output": x.result}}}}
			}
			list = append(list, map[string]any{"role": "model", "parts": said}, map[string]any{"role": "user", "parts": back})
		}
		return body("contents", list)
	},
	"converse": func(turns []turn) []byte {
		list := []any{map[string]any{"role": "user", "content": []any{map[string]any{"text": "Do the task."}}}}
		for i, x := range turns {
			said := []any{map[string]any{"text": x.says}}
			back := []any{map[string]any{"text": x.result}}
			if x.tool != "" {
				id := fmt.Sprintf("tooluse_%09d", i*7919)
				said = append(said, map[string]any{"toolUse": map[string]any{"toolUseId": id, "name": x.tool, "input": json.RawMessage(x.args)}})
				back = []any{map[string]any{"toolResult": map[string]any{"toolUseId": id, "content": []any{map[string]any{"text": x.result}}}}}
			}
			list = append(list, map[string]any{"role": "assistant", "content": said}, map[string]any{"role": "user", "content": back})
		}
		return body("messages", list)
	},
}

func body(name string, list []any) []byte {
	b, err := json.Marshal(map[string]any{"model": "m", name: list, "tools": []any{map[string]any{"name": "ls"}}})
	if err != nil {
		panic(err)
	}
	return b
}

func ruleOf(t testing.TB, s Spec) *Rule {
	t.Helper()
	r, err := s.Rule("r")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// lap plays an agent's conversation, a request after each turn, and says at which
// one a loop was found.
func lap(r *Rule, format func([]turn) []byte, turns []turn) (at int, f Found) {
	g := NewGuard()
	who := Subject{Key: "k", Dim: ledger.DimRun, Value: "run-1"}
	for i := range len(turns) + 1 {
		now := ledger.Instant(i+1) * 5 * ledger.Second
		v, f := g.Enter(r, who, Read(format(turns[:i])), now)
		if f.Why != None {
			return i, f
		}
		g.Leave(v, true, 1_000_000, now+ledger.Second)
	}
	return 0, Found{}
}

func many(n int, f func(i int) turn) (turns []turn) {
	for i := range n {
		turns = append(turns, f(i))
	}
	return turns
}

const listing = "README.md cmd docs go.mod internal ledger node proxy raftfsm tools: 11 entries in all"

// TestALoopIsSeenByANodeThatSeesItsLastRequestAlone: a conversation carries its own
// past, so that an agent is noticed however its requests are spread over nodes.
func TestALoopIsSeenByANodeThatSeesItsLastRequestAlone(t *testing.T) {
	turns := many(8, func(int) turn { return turn{"I will look again.", "ls", `{"path":"."}`, listing} })
	who := Subject{Key: "k", Dim: ledger.DimRun, Value: "run-1"}
	for name, format := range formats {
		if _, f := NewGuard().Enter(ruleOf(t, Spec{}), who, Read(format(turns)), ledger.Second); f.Why != Repeat {
			t.Errorf("%s: a fresh node finds %q", name, f.Why)
		}
	}
}

// TestLoopsAreFound: agents that go round in circles, in each format.
func TestLoopsAreFound(t *testing.T) {
	ls := turn{"I will look again.", "ls", `{"path":"."}`, listing}
	for name, c := range map[string]struct {
		turns []turn
		why   Why
		by    int // the latest step at which it must be found
	}{
		"the same tool call ten times": {many(10, func(int) turn { return ls }), Repeat, 8},
		"with white space in it": {many(10, func(i int) turn {
			x := ls
			x.args = strings.Repeat(" ", i) + `{ "path" : "." }`
			return x
		}), Repeat, 8},
		"an id and a time in the result": {many(12, func(i int) turn {
			x := ls
			x.result = fmt.Sprintf("request 7f3a9b%06x1d2e at 17956980%02d: the file a.txt was not found in the folder src", i*7919, i)
			return x
		}), Repeat, 8},
		"ping-pong between two calls": {many(20, func(i int) turn {
			return []turn{ls, {"Then the other.", "cat", `{"file":"a.txt"}`, "no such file or directory: a.txt"}}[i%2]
		}), Cycle, 10},
		"a circle of three": {many(20, func(i int) turn {
			return []turn{ls, {"", "cat", `{"f":"a"}`, "no such file"}, {"", "grep", `{"p":"x"}`, "no match found"}}[i%3]
		}), Cycle, 12},
		"after much honest work": {append(many(60, func(i int) turn {
			return turn{"Next file.", "read", fmt.Sprintf(`{"file":"f%d.go"}`, i), fmt.Sprintf("package p%d", i)}
		}), many(10, func(int) turn { return ls })...), Repeat, 68},
		"half of the latest steps": {many(40, func(i int) turn {
			if i%2 == 0 {
				return ls
			}
			return turn{"Another.", "read", fmt.Sprintf(`{"file":"f%d.go"}`, i), "ok"}
		}), Repeat, 16},
		"growing context with the same tail": {many(12, func(int) turn {
			return turn{says: "I am sorry, I can not finish this. Shall I go on and try the same approach once more?", result: "Yes, please continue."}
		}), Repeat, 8},
	} {
		for format, write := range formats {
			t.Run(name+"/"+format, func(t *testing.T) {
				at, f := lap(ruleOf(t, Spec{}), write, c.turns)
				if f.Why != c.why || at > c.by || at == 0 {
					t.Errorf("found %q (%d times) at step %d, want %q by %d", f.Why, f.Times, at, c.why, c.by)
				}
			})
		}
	}
}

// TestHonestWorkIsNotALoop: what agents do all day.
func TestHonestWorkIsNotALoop(t *testing.T) {
	for name, turns := range map[string][]turn{
		"one file after the other": many(100, func(i int) turn {
			return turn{"I will read the next file.", "read_file", fmt.Sprintf(`{"path":"src/f%d.go"}`, i), fmt.Sprintf("package f%d // %d lines", i, i*7)}
		}),
		"pages of one list": many(60, func(i int) turn {
			return turn{"Next page.", "list_orders", fmt.Sprintf(`{"page":%d}`, i), "20 orders"}
		}),
		"a status that moves": many(40, func(i int) turn {
			return turn{"Let me check.", "get_job", `{"id":7}`, fmt.Sprintf("running: %d of 40 parts are done", i)}
		}),
		"a status that stays, of a tool that waits": many(50, func(int) turn {
			return turn{"Let me check.", "get_job_status", `{"id":7}`, "pending"}
		}),
		"edit, test, edit, test": many(60, func(i int) turn {
			if i%2 == 0 {
				return turn{"Fix it.", "edit", fmt.Sprintf(`{"file":"a.go","line":%d,"text":"x%d"}`, i, i), "edited"}
			}
			return turn{"Test.", "run", `{"cmd":"go test ./..."}`, fmt.Sprintf("--- FAIL: Test%d (0.0%ds) a_test.go:%d: got %d want %d", 60-i, i, i*3, i, i+1)}
		}),
		"git status between other things": many(60, func(i int) turn {
			if i%5 == 0 {
				return turn{"", "git", `{"args":"diff --stat"}`, "nothing to commit, working tree clean"}
			}
			return turn{"", "read_file", fmt.Sprintf(`{"path":"f%d"}`, i), fmt.Sprintf("text %d", i)}
		}),
		"seven times is not eight": many(7, func(int) turn { return turn{"", "ls", `{}`, listing} }),
		"a person who says yes": many(30, func(i int) turn {
			return turn{says: fmt.Sprintf("Step %d of the plan: we now turn to part %c and write chapter %d about it.", i, 'a'+i%26, i*i), result: "yes"}
		}),
	} {
		for format, write := range formats {
			if at, f := lap(ruleOf(t, Spec{}), write, turns); f.Why != None {
				t.Errorf("%s, %s: %q (%d times) at step %d", name, format, f.Why, f.Times, at)
			}
		}
	}
}

var someone = Subject{Key: "k", Dim: ledger.DimRun, Value: "run-1"}

func fresh(prompt string) Evidence {
	return Read([]byte(`{"model":"m","messages":[{"role":"user","content":"` + prompt + `"}]}`))
}

func TestTheSameRequestAgainCountsOnceAnswered(t *testing.T) {
	r := ruleOf(t, Spec{Repeats: 3, Window: "1m"})
	for name, c := range map[string]struct {
		prompt func(i int) string
		answer bool
		apart  ledger.Instant
		at     int // the request at which it is found, from 0; -1 never
	}{
		"answered":                 {func(int) string { return "hi" }, true, ledger.Second, 3},
		"tried again after errors": {func(int) string { return "hi" }, false, ledger.Second, -1},
		"long apart":               {func(int) string { return "hi" }, true, 31 * ledger.Second, -1},
		"a batch of like prompts":  {func(i int) string { return fmt.Sprint("Classify this review, in one word: number ", i) }, true, ledger.Second, -1},
	} {
		g, found := NewGuard(), -1
		for i := range 20 {
			now := ledger.Instant(i+1) * c.apart
			v, f := g.Enter(r, someone, fresh(c.prompt(i)), now)
			if f.Why != None {
				if found = i; f.Why != Same {
					t.Errorf("%s: %q", name, f.Why)
				}
				break
			}
			g.Leave(v, c.answer, 1, now)
		}
		if found != c.at {
			t.Errorf("%s: found at %d, want %d", name, found, c.at)
		}
	}
}

// TestALoopCoolsDownAndIsForgiven: it is told once, refuses for a while, then counts
// anew; so it does at once after an operator's word.
func TestALoopCoolsDownAndIsForgiven(t *testing.T) {
	loops := formats["chat"](many(10, func(int) turn { return turn{"", "ls", `{}`, listing} }))
	longer := formats["chat"](many(18, func(int) turn { return turn{"", "ls", `{}`, listing} }))
	r := ruleOf(t, Spec{Mode: Enforce, CoolDown: "10s"})
	g := NewGuard()
	enter := func(r *Rule, b []byte, at ledger.Instant) Found {
		v, f := g.Enter(r, someone, Read(b), at*ledger.Second)
		g.Leave(v, false, 0, at*ledger.Second)
		return f
	}
	if f := enter(r, loops, 100); f.Why != Repeat || !f.First || !f.Enforce || f.Until != 110*ledger.Second || f.Subject != someone {
		t.Fatalf("%+v", f)
	}
	if f := enter(r, fresh0, 109); f.Why != Repeat || f.First || f.Since != 100*ledger.Second {
		t.Errorf("while it cools down: %+v", f)
	}
	if f := enter(r, loops, 111); f.Why != None {
		t.Errorf("what it did before counts after it has cooled down: %+v", f)
	}
	if f := enter(r, longer, 112); f.Why != Repeat || !f.First {
		t.Errorf("it goes on in its circle: %+v", f)
	}
	count := 0
	g.Trips(115*ledger.Second, func(Found) { count++ })
	if count != 1 {
		t.Errorf("%d subjects cool down", count)
	}
	kind := ruleOf(t, Spec{Mode: Enforce, CoolDown: "10s", Forgiven: []Forgiven{{Dim: "run", Value: "run-1", At: "1970-01-01T00:01:54Z"}}})
	if f := enter(kind, longer, 115); f.Why != None {
		t.Errorf("it was forgiven: %+v", f)
	}
	if f := enter(kind, formats["chat"](many(26, func(int) turn { return turn{"", "ls", `{}`, listing} })), 116); f.Why != Repeat {
		t.Errorf("it is forgiven once: %+v", f)
	}
	if n := g.Counts(); n[Repeat] != 3 {
		t.Errorf("counted %v", n)
	}
}

var fresh0 = []byte(`{"model":"m","messages":[{"role":"user","content":"something else"}]}`)

func TestMoneyThatBurnsIsNoticed(t *testing.T) {
	const usd = ledger.NanoPerUSD
	for name, c := range map[string]struct {
		minutes int           // of history
		usual   ledger.Amount // a request, four a minute
		burst   ledger.Amount // a request, in the minute that follows
		floor   string
		found   bool
		hangsUp bool // in that minute, on what is charged
	}{
		"twenty times":      {10, usd / 10, 2 * usd, "", true, false},
		"and hangs up":      {10, usd / 10, 2 * usd, "", true, true},
		"five times":        {10, usd / 10, usd / 2, "", false, false},
		"too short a past":  {4, usd / 10, 2 * usd, "", false, false},
		"below the floor":   {10, usd / 1000, usd / 50, "", false, false},
		"above a lower one": {10, usd / 1000, usd / 50, "0.05", true, false},
		"from nothing":      {10, 0, 2 * usd, "", true, false},
	} {
		r := ruleOf(t, Spec{BurnTimes: 10, BurnFloor: Dollars(c.floor)})
		g := NewGuard()
		now := ledger.Hour
		answered := true
		ask := func(cost ledger.Amount) Found {
			now += 15 * ledger.Second
			v, f := g.Enter(r, someone, fresh(fmt.Sprint("prompt number ", now)), now)
			g.Leave(v, answered, cost, now)
			return f
		}
		for range 4 * c.minutes {
			if f := ask(c.usual); f.Why != None {
				t.Errorf("%s: the usual is a %q", name, f.Why)
			}
		}
		var f Found
		answered = !c.hangsUp
		for range 5 {
			if f = ask(c.burst); f.Why != None {
				break
			}
		}
		if (f.Why == Burn) != c.found {
			t.Errorf("%s: %q, %d times", name, f.Why, f.Times)
		}
	}
}

// TestOneLoopIsFoundOnce: by one of the requests that come at once, and known to the
// others.
func TestOneLoopIsFoundOnce(t *testing.T) {
	r := ruleOf(t, Spec{Repeats: 3})
	g := NewGuard()
	turns := make([]turn, 6)
	for i := range turns {
		turns[i] = turn{tool: "search", args: `{"q":"x"}`, result: "nothing"}
	}
	text := formats["chat"](turns)
	var first, found atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, f := g.Enter(r, someone, Read(text), 1)
			if f.Why == Repeat {
				found.Add(1)
			}
			if f.First {
				first.Add(1)
			}
		})
	}
	all.Wait()
	if first.Load() != 1 || found.Load() != 8 || g.Counts()[Repeat] != 1 {
		t.Errorf("found by %d, first by %d, counted %v", found.Load(), first.Load(), g.Counts())
	}
}

// TestFewTextsAreLookedAt: of a conversation without tools, the last steps alone.
func TestFewTextsAreLookedAt(t *testing.T) {
	turns := make([]turn, maxSteps)
	for i := range turns {
		turns[i] = turn{says: fmt.Sprint("part ", i, strings.Repeat(fmt.Sprint(" word", i*7919), 50)), result: "go on"}
	}
	e := Read(formats["chat"](turns))
	if _, f := NewGuard().Enter(ruleOf(t, Spec{}), someone, e, 1); f.Why != None {
		t.Fatalf("%+v", f)
	}
	looked := 0
	for _, s := range e.steps {
		if s.sketch != nil {
			looked++
		}
	}
	if looked > longestPeriod+1 {
		t.Errorf("%d of %d texts were looked at", looked, len(e.steps))
	}
}

func TestSubjectsAreBoundedAndApart(t *testing.T) {
	r := ruleOf(t, Spec{Repeats: 3})
	g := NewGuard()
	for i := range MaxSubjects + 100 {
		g.Enter(r, Subject{Key: "k", Dim: ledger.DimRun, Value: fmt.Sprint(i)}, Evidence{}, 1)
	}
	if len(g.subjects) > MaxSubjects || g.recent.Len() != len(g.subjects) {
		t.Errorf("%d subjects, %d in order", len(g.subjects), g.recent.Len())
	}
	for _, key := range []string{"k1", "k2"} { // one name, two callers
		for i := range 3 {
			v, f := g.Enter(r, Subject{Key: key, Dim: ledger.DimRun, Value: "1"}, fresh("hi"), ledger.Instant(i+2))
			if f.Why != None {
				t.Errorf("%s is blamed for another", key)
			}
			g.Leave(v, true, 0, ledger.Instant(i+2))
		}
	}
	var d ledger.Dimensions
	if _, ok := SubjectOf(&d); ok {
		t.Error("nobody is somebody")
	}
	d.Values[ledger.DimSession], d.Values[ledger.DimKey] = "s", "key"
	if s, ok := SubjectOf(&d); !ok || s != (Subject{"key", ledger.DimSession, "s"}) {
		t.Errorf("%+v", s)
	}
	d.Values[ledger.DimRun] = "r"
	if s, _ := SubjectOf(&d); s.Dim != ledger.DimRun {
		t.Errorf("%+v", s)
	}
}

func TestSpecsAreReadStrictly(t *testing.T) {
	for name, s := range map[string]Spec{
		"mode": {Mode: "stop"}, "repeats": {Repeats: 2}, "similarity": {Similarity: 49}, "polling": {Polling: []string{"["}},
		"polling_repeats": {PollingRepeats: -1}, "window": {Window: "1s"}, "burn_times": {BurnTimes: 1}, "burn_floor": {BurnFloor: "1.005"},
		"cool_down": {CoolDown: "soon"}, "match": {Match: map[string][]string{"planet": {"x"}}}, "match: team": {Match: map[string][]string{"team": nil}},
		"forgiven": {Forgiven: []Forgiven{{Dim: "run", Value: "x", At: "today"}}},
	} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := ruleOf(t, Spec{Match: map[string][]string{"team": {"a", "b"}}})
	if r.Enforce || r.Repeats != 8 || r.Similarity != .9 || r.BurnTimes != 0 || r.CoolDown != 10*ledger.Minute || r.BurnFloor != ledger.NanoPerUSD {
		t.Errorf("the defaults are %+v", r)
	}
	var d ledger.Dimensions
	if r.Covers(&d) {
		t.Error("it covers who has no team")
	}
	if d.Values[ledger.DimTeam] = "b"; !r.Covers(&d) {
		t.Error("it does not cover team b")
	}
	for text, want := range map[string]Dollars{`{"burn_floor":2.5}`: "2.5", `{"burn_floor":"2.50"}`: "2.50", `{"burn_floor":null}`: ""} {
		var s Spec
		if err := json.Unmarshal([]byte(text), &s); err != nil || s.BurnFloor != want {
			t.Errorf("%s is a floor of %q, %v", text, s.BurnFloor, err)
		}
	}
	if r := ruleOf(t, Spec{BurnFloor: "0.5"}); r.BurnFloor != ledger.NanoPerUSD/2 {
		t.Errorf("a floor of %d", r.BurnFloor)
	}
}

// TestSimilarTextsAreAlike: the estimate follows what texts have in common.
func TestSimilarTextsAreAlike(t *testing.T) {
	sketchOf := func(text string) *sketch {
		w := words{left: maxText}
		w.add(text)
		return &w.sketch
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(t, "words")
		var text, other []string
		for i := range n {
			text = append(text, fmt.Sprint("w", i*31%1000))
			other = append(other, fmt.Sprint("x", i*37%1000))
		}
		a := sketchOf(strings.Join(text, " "))
		if got := a.alike(sketchOf("  " + strings.ToUpper(strings.Join(text, ", ")))); got != 1 {
			t.Fatalf("a text is like itself by %v", got)
		}
		if got := a.alike(sketchOf(strings.Join(other, " "))); got > 0.3 {
			t.Fatalf("another text is like it by %v", got)
		}
	})
	if sketchOf("").alike(sketchOf("")) != 1 || sketchOf("").alike(sketchOf("word")) != 0 {
		t.Error("nothing is like nothing, and not like something")
	}
}

// FuzzRead: whatever is sent, reading it neither panics nor keeps more than it may.
func FuzzRead(f *testing.F) {
	for _, write := range formats {
		f.Add(write(many(3, func(int) turn { return turn{"a", "b", `{"c":1}`, "d"} })))
	}
	f.Add([]byte(`{"messages":[[[]],{"content":{"a":1}},{"role":"assistant","content":[1,[2]]},{"role":"assistant","tool_calls":{}}]}`))
	f.Add([]byte(`{"input":"text","previous_response_id":7}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e := Read(b)
		if len(e.steps) > maxSteps || e.total < len(e.steps) {
			t.Fatalf("%d steps of %d", len(e.steps), e.total)
		}
		repetition(e.steps, 0, ruleOf(t, Spec{}))
		for _, s := range e.steps {
			if s.text(); len(s.tools) > maxTools {
				t.Fatal("too many tools")
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	for _, kib := range []int{16, 256, 1024} {
		turns := many(kib, func(i int) turn {
			return turn{"I will read the next file.", "read_file", fmt.Sprintf(`{"path":"src/f%d.go"}`, i), strings.Repeat(fmt.Sprintf("line %d of it\n", i), 52)}
		})
		doc := formats["chat"](turns)
		r := ruleOf(b, Spec{})
		b.Run(fmt.Sprint(len(doc)>>10, "KiB"), func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				e := Read(doc)
				repetition(e.steps, 0, r)
			}
		})
	}
}
