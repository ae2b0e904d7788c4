package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/dialect"
	"purser/proxy/price"
)

// teller is an upstream whose stream the test tells, event by event.
type teller struct {
	say    chan string   // text of the next event; closed for the proper end
	broken chan struct{} // closed to break the stream off
	gone   chan struct{} // closed when the gateway has hung up
	usage  string        // in the last event; "" for none
}

func newTeller() *teller {
	return &teller{
		say: make(chan string), broken: make(chan struct{}), gone: make(chan struct{}),
		usage: `{"prompt_tokens":10,"completion_tokens":40,"total_tokens":50}`,
	}
}

func chunk(choices string) string {
	return `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"gpt-4o-mini","choices":` + choices
}

func (p *teller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "text/event-stream")
	w.(http.Flusher).Flush()
	flush := func(s string) {
		_, _ = io.WriteString(w, s)
		w.(http.Flusher).Flush()
	}
	for {
		select {
		case text, more := <-p.say:
			if more {
				flush(chunk(fmt.Sprintf(`[{"index":0,"delta":{"content":%q},"finish_reason":null}],"usage":null}`, text)) + "\n\n")
				continue
			}
			flush(chunk(`[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}`) + "\n\n")
			if p.usage != "" {
				flush(chunk(`[],"usage":`+p.usage) + "}\n\n")
			}
			flush("data: [DONE]\n\n")
			return
		case <-p.broken:
			panic(http.ErrAbortHandler)
		case <-r.Context().Done():
			close(p.gone)
			return
		}
	}
}

// slicing is a world whose OpenAI upstream is vouched for.
func slicing(t *testing.T, h http.HandlerFunc, s Slicing) *world {
	w := newWorld(t, h, nil)
	if s.Models == nil {
		s.Models = []string{"gpt-4o-mini"}
	}
	for _, u := range w.gateway.upstreams {
		u.Slicing = s
	}
	return w
}

var small = Slicing{Hold: HoldSliced, Slice: 100, Ahead: 200}

const longStream = `{"model":"gpt-4o-mini","stream":true,"max_tokens":4000,"messages":[{"role":"user","content":"hi"}]}`

func (w *world) start(body string, headers ...string) *Answer {
	w.t.Helper()
	a := w.gateway.Serve(&Request{Method: "POST", Path: "/v1/chat/completions", Body: []byte(body),
		Header: headerList(append(headers, "Authorization", "Bearer pk_good"))})
	if a.Stream == nil {
		w.t.Fatalf("no stream: %d %s", a.Status, a.Body)
	}
	return a
}

// read gives what the client is sent, until what it wants is there or it ends.
func read(t *testing.T, a *Answer, want string) string {
	t.Helper()
	all := ""
	for want == "" || !strings.Contains(all, want) {
		b, err := a.Stream.Next()
		all += string(b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return all + "<broken off>"
		}
	}
	return all
}

// until waits for a condition.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("waited in vain for: %s", what) // and on: streams are to be closed
			return
		}
	}
}

func (p *fakePurse) taken() (free ledger.Amount, extended int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.free, p.extended
}

func (a *Answer) header(name string) string {
	for _, h := range a.Header {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// wholeHold is what a request holds without slices.
func wholeHold(t *testing.T, body string) ledger.Amount {
	t.Helper()
	p := newTeller()
	w := newWorld(t, p.ServeHTTP, nil)
	a := w.start(body)
	close(p.say)
	read(t, a, "")
	a.Stream.Close()
	return w.purse.held[0]
}

// TestASlicedStreamHoldsASliceAtATime, in time, and is settled by its usage.
func TestASlicedStreamHoldsASliceAtATime(t *testing.T) {
	whole := wholeHold(t, longStream)
	p := newTeller()
	w := slicing(t, p.ServeHTTP, small)
	a := w.start(longStream)
	if a.header(headerHold) != "sliced" {
		t.Errorf("the answer says %q of its hold", a.header(headerHold))
	}
	if first := w.purse.held[0]; first*5 > whole {
		t.Errorf("it began with a hold of %d of %d", first, whole)
	}
	said := ""
	for i := range 20 {
		text := fmt.Sprintf("%03d", i) + strings.Repeat("x", 47)
		p.say <- text
		said += read(t, a, text)
		x := a.Stream.(*exchange)
		until(t, "a hold that covers what was seen and what may be on its way", func() bool {
			free, _ := w.purse.taken()
			held := int64(1<<40 - free)
			return held >= int64(x.claimOf(0, min(int64(50*(i+1)), 4000)).USD)
		})
	}
	close(p.say)
	said += read(t, a, "")
	a.Stream.Close()
	rec := w.last()
	if _, n := w.purse.taken(); n < 5 || n > 20 {
		t.Errorf("extended %d times", n)
	}
	if rec.Outcome != record.Completed || rec.Basis != record.Reported || rec.Overrun != 0 || rec.Hold >= whole || rec.Cost >= rec.Hold || w.purse.spent != rec.Cost {
		t.Errorf("%+v, %d spent", rec, w.purse.spent)
	}
	if strings.Contains(said, "usage") || strings.Count(said, "data: ") != 22 || !strings.HasSuffix(said, "data: [DONE]\n\n") {
		t.Errorf("the client got %s", said)
	}
}

// TestASlicedStreamEndsWhenNoMoreIsToBeHad: as the provider ends one at its cap,
// and the provider is told to stop at once.
func TestASlicedStreamEndsWhenNoMoreIsToBeHad(t *testing.T) {
	for name, c := range map[string]struct {
		fail error
		code string
	}{
		"no money":  {nil, "insufficient_quota"},
		"undecided": {errors.New("no answer"), "undecided"},
	} {
		p := newTeller()
		w := slicing(t, p.ServeHTTP, small)
		a := w.start(strings.Replace(longStream, `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`, 1), headerUsageCost, "true")
		first := w.purse.held[0]
		w.purse.mu.Lock()
		w.purse.fail = c.fail
		if c.fail == nil {
			w.purse.free = 0
		}
		w.purse.mu.Unlock()
		p.say <- strings.Repeat("y", 90)
		said := read(t, a, "y")
		until(t, "the gateway to hang up", func() bool {
			select {
			case <-p.gone:
				return true
			default:
				return false
			}
		})
		said += read(t, a, "")
		a.Stream.Close()
		rec := w.last()
		if !strings.Contains(said, `"finish_reason":"length"`) || !strings.Contains(said, `"completion_tokens":300`) || !strings.HasSuffix(said, "data: [DONE]\n\n") {
			t.Errorf("%s: the client got %s", name, said)
		}
		if rec.Outcome != record.CutShort || rec.Code != c.code || rec.Basis != record.Estimated || rec.Cost != first || rec.Hold != first || rec.Overrun != 0 || rec.Status != 200 {
			t.Errorf("%s: %+v", name, rec)
		}
		cost := string(appendUSD(nil, first))
		if !strings.Contains(said, `"cost":`+cost) || len(a.Trailer) != 2 || a.Trailer[1].Value != cost {
			t.Errorf("%s: it cost %s, and the client got %v after %s", name, cost, a.Trailer, said)
		}
		if w.purse.spent != first {
			t.Errorf("%s: %d spent of %d held", name, w.purse.spent, first)
		}
	}
}

// TestWhatIsNotSeenIsHeldWhole: slices are for streams that show all they bill, of
// models an operator vouches for, where they are asked for.
func TestWhatIsNotSeenIsHeldWhole(t *testing.T) {
	with := func(field string) string {
		return strings.Replace(longStream, `"stream":true`, `"stream":true,`+field, 1)
	}
	offered, other := small, small
	offered.Hold, other.Models = HoldOffered, []string{"gpt-4.1*"}
	for name, c := range map[string]struct {
		slicing Slicing
		body    string
		header  []string
		sliced  bool
	}{
		"sliced":              {small, longStream, nil, true},
		"tools of the client": {small, with(`"tools":[{"type":"function","function":{"name":"f","parameters":{}}}]`), nil, true},
		"asked for whole":     {small, longStream, []string{headerHold, "Whole"}, false},
		"not asked for":       {offered, longStream, nil, false},
		"asked for":           {offered, longStream, []string{headerHold, "sliced"}, true},
		"not offered":         {Slicing{Slice: 100, Ahead: 200}, longStream, []string{headerHold, "sliced"}, false},
		"not vouched for":     {other, longStream, nil, false},
		"two answers":         {small, with(`"n":2`), nil, false},
		"reasoning asked for": {small, with(`"reasoning_effort":"low"`), nil, false},
		"a provider's field":  {small, with(`"enable_thinking":true`), nil, false},
		"predicted output":    {small, with(`"prediction":{"type":"content","content":"hello"}`), nil, false},
		"as small as a slice": {small, strings.Replace(longStream, "4000", "300", 1), nil, false},
		"larger than a slice": {small, strings.Replace(longStream, "4000", "301", 1), nil, true},
	} {
		p := newTeller()
		w := slicing(t, p.ServeHTTP, c.slicing)
		a := w.start(c.body, c.header...)
		if got := a.header(headerHold) == "sliced"; got != c.sliced {
			t.Errorf("%s: sliced is %v", name, got)
		}
		if whole := wholeHold(t, c.body); (w.purse.held[0] < whole) != c.sliced {
			t.Errorf("%s: held %d of %d", name, w.purse.held[0], whole)
		}
		close(p.say)
		read(t, a, "")
		a.Stream.Close()
	}
	w := slicing(t, newTeller().ServeHTTP, small)
	if a, body := w.ask(longStream, headerHold, "some"); a.Status != 400 || !strings.Contains(body, headerHold) {
		t.Errorf("%d %s", a.Status, body)
	}
}

// TestASlicedStreamWithoutUsageIsCounted: with what may have been on its way where
// it broke off, without it where it ended.
func TestASlicedStreamWithoutUsageIsCounted(t *testing.T) {
	seen := int64(90 + dialect.FrameTokens)
	for name, c := range map[string]struct {
		end     func(p *teller, a *Answer) string
		out     int64
		outcome record.Outcome
	}{
		"ended": {func(p *teller, a *Answer) string { p.usage = ""; close(p.say); return read(t, a, "") }, seen, record.Completed},
		"impossible": {func(p *teller, a *Answer) string {
			p.usage = `{"prompt_tokens":-1}`
			close(p.say)
			return read(t, a, "")
		}, seen, record.Completed},
		"broken": {func(p *teller, a *Answer) string { close(p.broken); return read(t, a, "") }, seen + 200, record.Truncated},
	} {
		p := newTeller()
		w := slicing(t, p.ServeHTTP, small)
		a := w.start(longStream)
		p.say <- strings.Repeat("z", 90)
		read(t, a, "z")
		x := a.Stream.(*exchange)
		until(t, "the hold to grow", func() bool { _, n := w.purse.taken(); return n == 1 })
		said := c.end(p, a)
		want := x.claimOf(x.attempt.sliced.in, c.out).USD
		a.Stream.Close()
		rec := w.last()
		if rec.Outcome != c.outcome || rec.Basis != record.Estimated || rec.Cost != want || rec.Cost > rec.Hold || w.purse.spent != want {
			t.Errorf("%s: want %d: %+v", name, want, rec)
		}
		if broken := strings.HasSuffix(said, "<broken off>"); broken != (name == "broken") {
			t.Errorf("%s: the client got %s", name, said)
		}
	}
}

// TestAModelThatConcealsGetsNoSlices: its usage says that it bills what its
// streams do not show.
func TestAModelThatConcealsGetsNoSlices(t *testing.T) {
	tellers := make(chan *teller, 1)
	w := slicing(t, func(rw http.ResponseWriter, r *http.Request) { (<-tellers).ServeHTTP(rw, r) }, small)
	for i, want := range []string{"sliced", ""} {
		p := newTeller()
		p.usage = `{"prompt_tokens":10,"completion_tokens":190,"total_tokens":200,"completion_tokens_details":{"reasoning_tokens":150}}`
		tellers <- p
		a := w.start(longStream)
		if got := a.header(headerHold); got != want {
			t.Errorf("request %d: %q", i, got)
		}
		p.say <- "no more than this"
		close(p.say)
		read(t, a, "")
		a.Stream.Close()
	}
	if rec := w.last(); rec.Basis != record.Reported || rec.Overrun != 0 {
		t.Errorf("%+v", rec)
	}
}

// TestAnAnswerThatIsNoStreamIsHeldWhole: all of it was made before it is seen.
func TestAnAnswerThatIsNoStreamIsHeldWhole(t *testing.T) {
	w := slicing(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, `{"id":"c","choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3000,"total_tokens":3009}}`)
	}, small)
	if a, _ := w.ask(longStream); a.Status != 200 {
		t.Fatal(a.Status)
	}
	if rec := w.last(); rec.Overrun != 0 || rec.Basis != record.Reported || rec.Code != "" || w.purse.extended != 1 {
		t.Errorf("%+v, extended %d times", rec, w.purse.extended)
	}
	if w.ask(longStream); w.purse.extended != 1 {
		t.Error("it got slices again")
	}
}

// TestASlowClientDoesNotKeepOutputFromBeingSeen: it is read and covered as it
// comes; a client far behind has its stream held whole, or ended.
func TestASlowClientDoesNotKeepOutputFromBeingSeen(t *testing.T) {
	const padding = 64 << 10
	for _, poor := range []bool{false, true} {
		var sent int
		done := make(chan struct{})
		w := slicing(t, func(rw http.ResponseWriter, r *http.Request) {
			defer close(done)
			rw.Header().Set("Content-Type", "text/event-stream")
			for ; sent < 400 && r.Context().Err() == nil; sent++ {
				fmt.Fprintf(rw, ": %s\n\n%s\n\n", strings.Repeat("-", padding), chunk(fmt.Sprintf(`[{"index":0,"delta":{"content":"<%d>"},"finish_reason":null}]}`, sent)))
				rw.(http.Flusher).Flush()
			}
			fmt.Fprintf(rw, "%s\n\n%s}\n\ndata: [DONE]\n\n", chunk(`[{"index":0,"delta":{},"finish_reason":"stop"}]}`), chunk(`[],"usage":{"prompt_tokens":9,"completion_tokens":400,"total_tokens":409}`))
		}, Slicing{Hold: HoldSliced, Slice: 1000, Ahead: 1000})
		a := w.start(strings.Replace(longStream, `"max_tokens":4000`, `"stream_options":{"include_usage":true},"max_tokens":16000`, 1))
		x := a.Stream.(*exchange)
		first := w.purse.held[0]
		if poor {
			w.purse.mu.Lock()
			w.purse.free = 0
			w.purse.mu.Unlock()
			<-done // it was told to stop
		} else {
			whole := x.claimOf(x.attempt.sliced.in, 16000).USD
			until(t, "a whole hold", func() bool { free, _ := w.purse.taken(); return 1<<40-free == whole })
		}
		said := read(t, a, "")
		a.Stream.Close()
		last := 0
		for ; strings.Contains(said, fmt.Sprintf("<%d>", last)); last++ {
		}
		rec := w.last()
		switch {
		case poor && !strings.Contains(said, fmt.Sprintf(`"completion_tokens":%d,`, rec.Usage[price.OutputText])):
			t.Errorf("poor: charged %d tokens, and the client got %s", rec.Usage[price.OutputText], said[max(0, len(said)-400):])
		case poor && (rec.Outcome != record.CutShort || rec.Cost > first || !strings.Contains(said, `"finish_reason":"length"`) || last > 300):
			t.Errorf("poor: %d events, %+v", last, rec)
		case !poor && (rec.Outcome != record.Completed || rec.Basis != record.Reported || last != 400):
			t.Errorf("%d events, %+v", last, rec)
		}
		if !strings.HasSuffix(said, "data: [DONE]\n\n") {
			t.Error("no proper end")
		}
	}
}

// TestTheEdgeHasTheTrailerOfASlicedStreamToItself: it reads its names while the
// stream is read ahead, maybe to its end. A test for the race detector.
func TestTheEdgeHasTheTrailerOfASlicedStreamToItself(t *testing.T) {
	p := newTeller()
	w := slicing(t, p.ServeHTTP, small)
	a := w.start(longStream)
	defer a.Stream.Close()
	f := a.Stream.(*exchange).stream.ahead
	close(p.say)
	for ended := false; !ended; {
		if len(a.Trailer) != 2 || a.Trailer[0].Name != headerCost {
			t.Errorf("the trailer is %v", a.Trailer)
			return
		}
		f.mu.Lock()
		ended = f.done
		f.mu.Unlock()
	}
	if len(a.Trailer) != 2 || a.Trailer[0].Value != "" {
		t.Errorf("the trailer is %v before the end was given", a.Trailer)
	}
	read(t, a, "")
	if cost := a.Trailer[0].Value; cost == "" || cost == "0" {
		t.Errorf("it cost %q", cost)
	}
}

// TestAPanicEndsOneStream, with its whole hold spent, and not the node.
func TestAPanicEndsOneStream(t *testing.T) {
	for _, s := range []Slicing{{}, small} {
		p := newTeller()
		w := slicing(t, p.ServeHTTP, s)
		a := w.start(longStream)
		p.say <- "one"
		read(t, a, "one")
		if s.Hold == HoldWhole {
			x := a.Stream.(*exchange)
			x.stream.meter = panicking{x.stream.meter}
			a.Stream.Close()
			p.say <- "two"
		} else {
			w.purse.mu.Lock()
			w.purse.panics = true
			w.purse.mu.Unlock()
			p.say <- strings.Repeat("x", 150)
			if said := read(t, a, ""); !strings.HasSuffix(said, "<broken off>") {
				t.Errorf("the client got %s", said)
			}
			a.Stream.Close()
		}
		w.gateway.Wait()
		if rec := w.last(); rec.Basis != record.FullHold || rec.Cost != rec.Hold || rec.Hold != w.purse.held[0] || w.purse.spent != rec.Hold {
			t.Errorf("%+v", rec)
		}
	}
}

type panicking struct{ dialect.Meter }

func (panicking) Feed([]byte) ([]byte, error) { panic("in a test") }

// TestAHangUpOnASlicedStream: it is read to its usage, and covered as it goes on.
func TestAHangUpOnASlicedStream(t *testing.T) {
	p := newTeller()
	w := slicing(t, p.ServeHTTP, small)
	a := w.start(longStream)
	p.say <- "one"
	read(t, a, "one")
	a.Stream.Close()
	for range 10 {
		p.say <- strings.Repeat("x", 50)
	}
	until(t, "the hold to grow", func() bool { _, n := w.purse.taken(); return n > 0 })
	close(p.say)
	w.gateway.Wait()
	if rec := w.last(); rec.Outcome != record.Disconnected || rec.Basis != record.Reported || rec.Hold <= w.purse.held[0] {
		t.Errorf("%+v", rec)
	}
}

// TestTooManyHangUpsChargeWhatWasSeen: nobody reads on for them.
func TestTooManyHangUpsChargeWhatWasSeen(t *testing.T) {
	p := newTeller()
	w := slicing(t, p.ServeHTTP, small)
	w.gateway.drains = make(chan struct{})
	a := w.start(longStream)
	p.say <- "one"
	read(t, a, "one")
	a.Stream.Close()
	select { // what it reads last lets it see that it is to stop
	case p.say <- "two":
	case <-p.gone:
	}
	w.gateway.Wait()
	if rec := w.last(); rec.Outcome != record.Disconnected || rec.Basis != record.Estimated || rec.Cost > rec.Hold || rec.Cost == 0 {
		t.Errorf("%+v", rec)
	}
}

// TestASlicedStreamIsThatOfTheProvider: whatever its pieces, the client gets the
// same bytes as without slices.
func TestASlicedStreamIsThatOfTheProvider(t *testing.T) {
	stream := chunk(`[{"index":0,"delta":{"content":"Hé 😀"},"finish_reason":null}],"usage":null}`) + "\r\n\r\n: hi\n\n" +
		chunk(`[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}`) + "\n\n" +
		chunk(`[],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}}`) + "\n\ndata: [DONE]\n"
	for _, usage := range []string{"", `"stream_options":{"include_usage":true},`} {
		body := strings.Replace(longStream, `"max_tokens"`, usage+`"max_tokens"`, 1)
		for size := 1; size < len(stream); size += 1 + size/2 {
			h := func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "text/event-stream")
				for rest := stream; rest != ""; {
					n := min(size, len(rest))
					_, _ = io.WriteString(rw, rest[:n])
					rw.(http.Flusher).Flush()
					rest = rest[n:]
				}
			}
			_, want := newWorld(t, h, nil).ask(body)
			w := slicing(t, h, small)
			if _, got := w.ask(body); got != want {
				t.Fatalf("in pieces of %d:\n got %q\nwant %q", size, got, want)
			}
			if rec := w.last(); rec.Basis != record.Reported || rec.Outcome != record.Completed {
				t.Errorf("%+v", rec)
			}
		}
	}
}

// TestATranslatedStreamIsCutInTheClientsDialect: it is ended as its upstream would
// end it, and told as any of its answers.
func TestATranslatedStreamIsCutInTheClientsDialect(t *testing.T) {
	event := func(text string) string {
		return `data: {"responseId":"up-1","modelVersion":"gemini-2.0-flash","candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"` + text + `"}]}}],"usageMetadata":{"promptTokenCount":20,"totalTokenCount":20}}` + "\n\n"
	}
	for path, c := range map[string]struct{ body, finish, end string }{
		"/v1/chat/completions": {strings.Replace(longStream, "gpt-4o-mini", "gemini-2.0-flash", 1), `"finish_reason":"length"`, "data: [DONE]\n\n"},
		"/v1/responses":        {`{"model":"gemini-2.0-flash","stream":true,"max_output_tokens":4000,"input":"hi","store":false}`, `"incomplete_details":{"reason":"max_output_tokens"}`, "\n\n"},
	} {
		more, gone := make(chan struct{}), make(chan struct{})
		s := small
		s.Models = []string{"gemini-2.0-flash"}
		w := slicing(t, func(rw http.ResponseWriter, r *http.Request) {
			defer close(gone)
			rw.Header().Set("Content-Type", "text/event-stream")
			rw.(http.Flusher).Flush()
			for _, text := range []string{"short", strings.Repeat("long", 40)} {
				_, _ = io.WriteString(rw, event(text))
				rw.(http.Flusher).Flush()
				select {
				case <-more:
				case <-r.Context().Done():
				}
			}
			<-r.Context().Done()
		}, s)
		w.gateway.upstreams = w.gateway.upstreams[2:] // Google's alone
		a := w.gateway.Serve(&Request{Method: "POST", Path: path, Body: []byte(c.body), Header: headerList{"Authorization", "Bearer pk_good"}})
		if a.Stream == nil || a.header(headerHold) != "sliced" {
			t.Fatalf("%s: %d %s %v", path, a.Status, a.Body, a.Header)
		}
		said := read(t, a, "short")
		w.purse.mu.Lock()
		w.purse.free = 0
		w.purse.mu.Unlock()
		close(more)
		said += read(t, a, "")
		a.Stream.Close()
		<-gone
		if !strings.Contains(said, "longlong") || !strings.Contains(said, c.finish) || !strings.HasSuffix(said, c.end) {
			t.Errorf("%s: the client got %s", path, said)
		}
		if rec := w.last(); rec.Outcome != record.CutShort || rec.Basis != record.Estimated || rec.Cost != w.purse.held[0] {
			t.Errorf("%s: %+v", path, rec)
		}
	}
}
