package simprovider

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	shortMark = `,"cache_control":{"type":"ephemeral"}`
	longMark  = `,"cache_control":{"type":"ephemeral","ttl":"1h"}`
)

// texts are blocks of a thousand tokens each, with the marks given by their index.
func texts(n int, marks map[int]string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"text","text":"%s%04d"%s}`, strings.Repeat("four", 999), i, marks[i])
	}
	return "[" + b.String() + "]"
}

func sonnet(content string) string {
	return `{"model":"claude-sonnet-4-5","max_tokens":20,"messages":[{"role":"user","content":` + content + `}]}`
}

// TestMarksThatAreRefused, as Anthropic refuses them.
func TestMarksThatAreRefused(t *testing.T) {
	_, addr := start(t, quick())
	for name, x := range map[string]struct {
		content, want string
	}{
		"five":                {texts(5, map[int]string{0: shortMark, 1: shortMark, 2: shortMark, 3: shortMark, 4: shortMark}), "maximum of 4"},
		"an hour after 5m":    {texts(2, map[int]string{0: shortMark, 1: longMark}), "must not come after"},
		"an empty text":       {`[{"type":"text","text":""` + shortMark + `}]`, "empty text"},
		"thoughts":            {`[{"type":"thinking","thinking":"x","signature":"s"` + shortMark + `}]`, "thinking"},
		"four, longest first": {texts(4, map[int]string{0: longMark, 1: longMark, 2: shortMark, 3: shortMark}), ""},
	} {
		resp, raw := post(t, addr, "/v1/messages", sonnet(x.content), version, "2023-06-01")
		if x.want == "" && resp.StatusCode != http.StatusOK || x.want != "" && (resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(raw), x.want)) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, raw)
		}
	}
}

// TestABreakpointLooksBackTwentyBlocks, its own among them, and finds what ended at a
// mark, and nothing else.
func TestABreakpointLooksBackTwentyBlocks(t *testing.T) {
	_, addr := start(t, quick())
	read := func(body string) int64 {
		t.Helper()
		resp, raw := post(t, addr, "/v1/messages", body, version, "2023-06-01")
		if resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, raw)
		}
		return decode[messageJSON](t, raw).Usage.Read
	}
	read(sonnet(texts(3, map[int]string{2: shortMark})))
	if n := read(sonnet(texts(22, map[int]string{21: shortMark}))); n < 3000 || n > 3100 {
		t.Errorf("19 blocks further: %d", n)
	}
	if n := read(sonnet(texts(43, map[int]string{42: shortMark}))); n != 0 {
		t.Errorf("21 blocks further: %d", n)
	}
	if n := read(sonnet(texts(64, map[int]string{42: shortMark, 63: shortMark}))); n < 43_000 {
		t.Errorf("with a mark between: %d", n)
	}
	if n := read(sonnet(texts(10, map[int]string{9: shortMark}))); n < 3000 || n > 3100 {
		t.Errorf("within what was kept as a whole: %d", n)
	}
	haiku := strings.Replace(sonnet(texts(3, map[int]string{2: shortMark})), "sonnet", "haiku", 1)
	read(haiku)
	if n := read(haiku); n != 0 {
		t.Errorf("shorter than the model keeps: %d", n)
	}
}

// TestWhatIsBeingWrittenIsNotRead until it takes to read the prompt.
func TestWhatIsBeingWrittenIsNotRead(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	_, addr := start(t, quick(func(c *Config) { c.CacheDelay, c.Now = 2*time.Second, func() time.Time { return now } }))
	body := sonnet(texts(3, map[int]string{2: shortMark}))
	for i, want := range []bool{false, false, true} {
		_, raw := post(t, addr, "/v1/messages", body, version, "2023-06-01")
		if got := decode[messageJSON](t, raw).Usage; (got.Read > 0) != want {
			t.Errorf("call %d: %+v", i, got)
		}
		now = now.Add(time.Second)
	}
	chatBody := ask(strings.Repeat("four", 2000))
	for i, want := range []bool{false, false, true} {
		if got := chat(t, addr, chatBody).Usage; (got.PromptIn.Cached > 0) != want {
			t.Errorf("chat %d: %+v", i, got)
		}
		now = now.Add(time.Second)
	}
}

// TestRequestsAreSpreadOverMachines: what begins alike goes to one, up to 15 a minute;
// a key leads it elsewhere, and back.
func TestRequestsAreSpreadOverMachines(t *testing.T) {
	now := time.Unix(1_790_000_000, 0).Truncate(time.Minute)
	_, addr := start(t, quick(func(c *Config) { c.CacheMachines, c.Now = 1024, func() time.Time { return now } }))
	long := strings.Repeat("four", 2000)
	cached := func(more string) bool {
		t.Helper()
		return chat(t, addr, ask(long, more)).Usage.PromptIn.Cached > 0
	}
	for i := range 15 {
		if cached(`"user":"u"`) != (i > 0) {
			t.Errorf("request %d", i)
		}
	}
	if cached(`"user":"u"`) {
		t.Error("the sixteenth in a minute met the cache of the others")
	}
	if cached(`"prompt_cache_key":"a"`) || !cached(`"prompt_cache_key":"a"`) || cached(`"prompt_cache_key":"b"`) {
		t.Error("keys do not lead to machines of their own")
	}
	if now = now.Add(time.Minute); !cached(`"user":"u"`) {
		t.Error("a minute later the first machine is not asked again")
	}
}
