package proxy

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/trace"
)

// spanned keeps what a gateway tells of traces.
type spanned struct {
	sampler trace.Sampler
	courses []trace.Course
	records []record.Record
}

func (h *spanned) Samples(caller *trace.Context, id [16]byte) bool {
	return h.sampler.Samples(caller, id)
}

func (h *spanned) Ended(r *record.Record, c *trace.Course) {
	kept := *c
	kept.Calls = append([]trace.Call(nil), c.Calls...)
	h.courses, h.records = append(h.courses, kept), append(h.records, *r)
}

func traced(w *world) *spanned {
	h := &spanned{sampler: trace.NewSampler(1)}
	w.gateway.seams.Traces = h
	return h
}

const callers = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func TestTheTraceGoesOnUpstream(t *testing.T) {
	var seen http.Header
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) { seen = r.Header.Clone(); answerJSON(w, r) }, nil)
	h := traced(w)
	w.ask(question, "traceparent", callers, "tracestate", "rojo=1", "baggage", "k=v")
	r, c := w.last(), h.courses[0]
	call := trace.CallSpan(r.ID, 1)
	if want := "00-4bf92f3577b34da6a3ce929d0e0e4736-" + hexOf(call[:]) + "-01"; seen.Get("traceparent") != want || len(seen.Values("traceparent")) != 1 {
		t.Errorf("sent %q, want %s", seen.Values("traceparent"), want)
	}
	if seen.Get("tracestate") != "rojo=1" || seen.Get("baggage") != "" {
		t.Errorf("sent %v", seen)
	}
	if hexOf(r.Trace[:]) != callers[3:35] || hexOf(r.Caller[:]) != callers[36:52] {
		t.Errorf("recorded %x %x", r.Trace, r.Caller)
	}
	if c.Place.Root != trace.RootCaller || c.Place.Parent != r.Caller || !c.Sampled || len(c.Calls) != 1 || c.Calls[0].Cost != r.Cost || c.Calls[0].Status != 200 || c.Calls[0].Ended < c.Calls[0].Began {
		t.Errorf("%+v", c)
	}
}

// TestAContextThatIsNoneIsIgnored: its tracestate goes nowhere, and the call is in a
// trace of our own.
func TestAContextThatIsNoneIsIgnored(t *testing.T) {
	var seen http.Header
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) { seen = r.Header.Clone(); answerJSON(w, r) }, nil)
	traced(w)
	for _, parent := range []string{"", "00-1-2-01", strings.ToUpper(callers), callers + "-x"} {
		w.ask(question, "traceparent", parent, "tracestate", "rojo=1", "x-purser-run", "run-1")
		r := w.last()
		place := trace.Of(&r)
		if r.Trace != [16]byte{} || place.Root != trace.RootRun || seen.Get("tracestate") != "" || seen.Get("traceparent")[3:35] != hexOf(place.Trace[:]) {
			t.Errorf("%q: %x, sent %v", parent, r.Trace, seen)
		}
	}
}

// TestUntracedHeadersPass: with no spans made, what the client sends goes on as it came,
// and is noted where it is well formed.
func TestUntracedHeadersPass(t *testing.T) {
	var seen http.Header
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) { seen = r.Header.Clone(); answerJSON(w, r) }, nil)
	for _, parent := range []string{callers, "00-1-2-01"} {
		w.ask(question, "traceparent", parent, "tracestate", "rojo=1")
		if seen.Get("traceparent") != parent || seen.Get("tracestate") != "rojo=1" {
			t.Errorf("sent %v", seen)
		}
		if r := w.last(); (r.Trace != [16]byte{}) != (parent == callers) {
			t.Errorf("%q: %x", parent, r.Trace)
		}
	}
	w.ask(question)
	if r := w.last(); seen.Get("traceparent") != "" || r.Trace != [16]byte{} {
		t.Errorf("a request without a context took up another's: %v %x", seen, r.Trace)
	}
}

func TestUnsampledTracesSaySo(t *testing.T) {
	var seen http.Header
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) { seen = r.Header.Clone(); answerJSON(w, r) }, nil)
	h := traced(w)
	h.sampler = trace.NewSampler(0)
	w.ask(question, "x-purser-run", "run-1")
	if !strings.HasSuffix(seen.Get("traceparent"), "-00") || h.courses[0].Sampled {
		t.Errorf("sent %v", seen)
	}
	w.ask(question, "traceparent", callers)
	if !strings.HasSuffix(seen.Get("traceparent"), "-01") || !h.courses[1].Sampled {
		t.Errorf("sent %v", seen)
	}
}

// TestEveryCallIsTold: those that were tried again, what they cost, and a request that
// made none.
func TestEveryCallIsTold(t *testing.T) {
	var n atomic.Int64
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) {
		case 1:
			w.WriteHeader(429)
			fmt.Fprint(w, `{"error":{"message":"slow down"}}`)
		case 2:
			w.WriteHeader(504)
		default:
			answerJSON(w, r)
		}
	}, nil)
	h := traced(w)
	if a, body := w.ask(question); a.Status != 200 {
		t.Fatal(a.Status, body)
	}
	calls := h.courses[0].Calls
	if len(calls) != 3 {
		t.Fatalf("%+v", calls)
	}
	var total ledger.Amount
	for i, c := range calls {
		total += c.Cost
		if c.N != i+1 || c.Status != []int{429, 504, 200}[i] || c.Upstream != "up" || c.Provider != "openai" || c.Began > c.Ended || i > 0 && c.Began < calls[i-1].Ended {
			t.Errorf("%d: %+v", i, c)
		}
	}
	if calls[0].Cost != 0 || calls[1].Basis != record.FullHold || calls[1].Cost == 0 || calls[2].Basis != record.Reported {
		t.Errorf("%+v", calls)
	}
	var recorded ledger.Amount
	for _, r := range w.journal.records {
		recorded += r.Cost
	}
	if total != recorded {
		t.Errorf("calls cost %d, records say %d", total, recorded)
	}
	if len(h.courses) != 1 || h.courses[0].Finish == "" {
		t.Errorf("told %d times, %+v", len(h.courses), h.courses)
	}

	w.purse.free = 0
	w.ask(strings.Replace(question, "hello", "another", 1))
	if last := h.courses[len(h.courses)-1]; len(h.courses) != 2 || len(last.Calls) != 0 || h.records[1].Outcome != record.Refused {
		t.Errorf("%+v", last)
	}
}

// TestACallThatBreaksOffSaysSo, sliced or not; one that we stopped reading does not.
func TestACallThatBreaksOffSaysSo(t *testing.T) {
	breaks := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: {\"id\":\"c1\",\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"abc\"}}]}\n\n")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	for name, w := range map[string]*world{"whole holds": newWorld(t, breaks, nil), "sliced": slicing(t, breaks, small)} {
		h := traced(w)
		a := w.start(longStream)
		for {
			if _, err := a.Stream.Next(); err != nil {
				break
			}
		}
		a.Stream.Close()
		w.gateway.Wait()
		if r := w.last(); r.Outcome != record.Truncated || len(h.courses) != 1 || h.courses[0].Calls[0].Fault != "broken_off" {
			t.Errorf("%s: %v, %+v", name, r.Outcome, h.courses)
		}
	}
}

// TestWhatACallWasSentWithIsOfThatCall: a request that was billed for a call that failed,
// and then refused, has a last record without one.
func TestWhatACallWasSentWithIsOfThatCall(t *testing.T) {
	var w *world
	w = newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		w.purse.free = 0
		rw.WriteHeader(504)
	}, nil)
	w.ask(question)
	records := w.journal.records
	if len(records) != 2 || records[0].OutputCap == 0 || records[1].Outcome != record.Refused || records[1].Credential != "" || records[1].OutputCap != 0 {
		t.Errorf("%+v", records)
	}
}

// TestModelsInPathsAreText: their names become labels of metrics and attributes of spans.
func TestModelsInPathsAreText(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	if a, body := w.send("POST", "/openai/deployments/m%ff/chat/completions", question); a.Status != 400 || !strings.Contains(body, "model") {
		t.Errorf("%d %s", a.Status, body)
	}
	if r := w.last(); r.Model != "" {
		t.Errorf("%q is recorded", r.Model)
	}
}
