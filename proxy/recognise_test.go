package proxy

import (
	"net/http"
	"strings"
	"testing"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/dialect"
	"purser/proxy/gist"
	"purser/proxy/loop"
)

// TestRequestsCanBeRecognisedLater, also where no cache was asked; not those of clients
// that repeat on purpose.
func TestRequestsCanBeRecognisedLater(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	noted := func(body string, headers ...string) record.Record {
		t.Helper()
		if a, text := w.ask(body, headers...); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, text)
		}
		return w.last()
	}
	question := strings.Replace(question, "hello", "reset my password", 1)
	first, again := noted(question), noted(question)
	if first.Gist == 0 || first.Prefix == 0 || first.Fingerprint == 0 || first.Fingerprint != again.Fingerprint || first.Gist != again.Gist {
		t.Errorf("%x %x %x, then %x %x", first.Gist, first.Prefix, first.Fingerprint, again.Gist, again.Fingerprint)
	}
	if near := noted(strings.Replace(question, "reset my", "Hello! Reset my", 1)); !gist.Near(near.Gist, first.Gist) || near.Fingerprint == first.Fingerprint {
		t.Errorf("in another case: %x %x", near.Gist, near.Fingerprint)
	}
	for name, r := range map[string]record.Record{
		"no-store":    noted(question, "Cache-Control", "no-store"),
		"fresh":       noted(question, "x-purser-cache", "refresh"),
		"several":     noted(strings.Replace(question, `{"model"`, `{"n":2,"model"`, 1)),
		"temperature": noted(strings.Replace(question, `{"model"`, `{"temperature":0.8,"model"`, 1)),
	} {
		if r.Gist != 0 || r.Fingerprint != 0 || r.Prefix != first.Prefix {
			t.Errorf("%s: %x %x %x", name, r.Gist, r.Fingerprint, r.Prefix)
		}
	}
	if cool := noted(strings.Replace(question, `{"model"`, `{"temperature":0.1,"model"`, 1)); cool.Gist != first.Gist {
		t.Errorf("at a temperature of 0.1: %x", cool.Gist)
	}
}

// TestWhatAHangUpLeavesUnreadIsNoted, in streams and in whole answers.
func TestWhatAHangUpLeavesUnreadIsNoted(t *testing.T) {
	for name, held := range map[string]bool{"a stream": false, "a sliced one": true} {
		p := newTeller()
		w := newWorld(t, p.ServeHTTP, nil)
		if held {
			w = slicing(t, p.ServeHTTP, small)
		}
		a := w.start(longStream)
		p.say <- "0123456789"
		read(t, a, "0123456789")
		a.Stream.Close()
		p.say <- strings.Repeat("x", 30)
		close(p.say)
		w.gateway.Wait()
		if r := w.last(); r.Outcome != record.Disconnected || r.Made != 40 || r.Delivered != 10 {
			t.Errorf("%s: %v, %d of %d bytes", name, r.Outcome, r.Delivered, r.Made)
		}
		p = newTeller()
		if w = newWorld(t, p.ServeHTTP, nil); held {
			w = slicing(t, p.ServeHTTP, small)
		}
		a = w.start(longStream)
		p.say <- "0123456789"
		close(p.say)
		read(t, a, "")
		a.Stream.Close()
		w.gateway.Wait()
		if r := w.last(); r.Outcome != record.Completed || r.Made != 10 || r.Delivered != 10 {
			t.Errorf("%s to its end: %v, %d of %d bytes", name, r.Outcome, r.Delivered, r.Made)
		}
	}
	w := newWorld(t, answerJSON, nil)
	for _, gone := range []bool{false, true} {
		client := &leaver{}
		client.gone.Store(gone)
		w.serve(&Request{Method: "POST", Path: "/v1/chat/completions", Body: []byte(question), Client: client, Header: headerList{"Authorization", "Bearer pk_good"}})
		if r := w.last(); r.Made == 0 || (r.Delivered == 0) != gone {
			t.Errorf("the client gone %v: %d of %d bytes", gone, r.Delivered, r.Made)
		}
	}
}

// circling finds a loop in each request.
type circling struct {
	watching
	enforce bool
}

func (c circling) Enter(r *loop.Rule, s loop.Subject, _ loop.Evidence, _ ledger.Instant) (loop.Visit, loop.Found) {
	return loop.Visit{}, loop.Found{Rule: r.Name, Subject: s, Why: loop.Repeat, Times: 9, Enforce: c.enforce}
}

// TestALoopIsAmongTheRulings, whether it is let pass or not.
func TestALoopIsAmongTheRulings(t *testing.T) {
	for enforce, want := range map[bool]record.Effect{false: record.PolicyWarned, true: record.PolicyDenied} {
		w := newWorld(t, func(w http.ResponseWriter, r *http.Request) { answerJSON(w, r) }, nil)
		w.gateway.seams.Loops, w.gateway.seams.Rules = circling{enforce: enforce}, busy{rule: &loop.Rule{Name: "circles"}}
		w.ask(question, "x-purser-run", "r1")
		got := w.last().Rulings
		if len(got) != 1 || got[0] != (record.Ruling{Policy: "loop/circles", Rule: "repeat", Effect: want}) {
			t.Errorf("enforced %v: %+v", enforce, got)
		}
	}
}

// BenchmarkRecognise is the part of recognition in a request: beside BenchmarkServeModel.
func BenchmarkRecognise(b *testing.B) {
	g := newBenched(b, noRules{})
	for name, text := range map[string]string{"short": "hello", "16k": strings.Repeat("words that stand for a document ", 512)} {
		body := strings.Replace(question, "hello", text, 1)
		r := &Request{Method: "POST", Path: "/v1/chat/completions", Header: headerList{"Authorization", "Bearer pk_good"}, Body: []byte(body)}
		b.Run("request "+name, func(b *testing.B) {
			for b.Loop() {
				g.Serve(r)
			}
		})
		b.Run("recognition "+name, func(b *testing.B) {
			x := g.begin(r)
			x.key = &Principal{ID: "k1"}
			x.rules = noRules{}
			x.endpoint, x.model = endpointOf(r)
			for _, stage := range [...]func() *dialect.Error{x.decode, x.attribute, x.route} {
				if err := stage(); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				x.rec.Fingerprint = 0
				x.recognise()
			}
			x.key = nil // nothing is recorded of it
			x.leave()
		})
	}
}
