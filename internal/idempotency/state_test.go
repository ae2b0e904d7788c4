package idempotency

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

// world is one key at one home, and what is true of it: which claims sent a call, and how
// they ended. Reports may be lost, late or there twice; holders may die and start anew.
type world struct {
	entry  *Entry
	now    ledger.Instant
	claims []*made
}

type made struct {
	token        Token
	sent, gaveUp bool
	ended        bool // and its report may be under way
	dead         bool // its holder has started anew
	report       Ending
	until        ledger.Instant
}

// TestOneCallOfAKey: whatever happens in whatever order, a second call of a key is sent
// only when the time of the first is over.
func TestOneCallOfAKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{now: 1}
		const ttl = 100
		request := Print{1}
		live := func(name string) *made {
			var list []*made
			for _, m := range w.claims {
				if !m.ended && !m.dead {
					list = append(list, m)
				}
			}
			if len(list) == 0 {
				t.Skip("nobody")
			}
			return rapid.SampledFrom(list).Draw(t, name)
		}
		word := func(token Token) Word {
			for _, m := range w.claims {
				switch {
				case m.token != token:
				case m.dead:
					return rapid.SampledFrom([]Word{NoneOfMine, Silent}).Draw(t, "word")
				case m.gaveUp:
					return GaveUp
				case m.ended:
					return Ended
				default:
					return Runs
				}
			}
			return NoneOfMine
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				for i, a := range w.claims {
					for _, b := range w.claims[i+1:] {
						if a.sent && b.sent && b.until-ttl < a.until {
							t.Fatalf("two calls: %+v, %+v", a, b)
						}
					}
				}
			},
			"ask": func(t *rapid.T) {
				a := &Ask{Print: request, Token: Token{byte(len(w.claims) + 1)}}
				v := w.entry.Judge(a, w.now)
				if v == Running {
					said := word(w.entry.Token)
					if said == GaveUp {
						w.entry, _ = w.entry.End(w.entry.Token, Released, 0)
					}
					v = Heard(said)
				}
				if v == Free {
					if w.entry.Judge(a, w.now) != Free {
						t.Fatalf("free and taken: %+v", w.entry)
					}
					w.entry = Claim(a, "n", w.now+ttl)
					w.claims = append(w.claims, &made{token: a.Token, until: w.entry.Until})
				}
			},
			"ask otherwise": func(t *rapid.T) {
				if v := w.entry.Judge(&Ask{Print: Print{2}}, w.now); v != Free && v != Reused {
					t.Fatalf("another request: %v", v)
				}
			},
			"send": func(t *rapid.T) {
				if m := live("sender"); w.now < m.until { // as far less than its time has passed
					m.sent = true
				}
			},
			"give up": func(t *rapid.T) {
				if m := live("who gives up"); !m.sent {
					m.ended, m.gaveUp, m.report = true, true, Released
				}
			},
			"end": func(t *rapid.T) {
				if m := live("who ends"); m.sent {
					m.ended, m.report = true, rapid.SampledFrom([]Ending{Kept, Unkept, Doubtful}).Draw(t, "how")
				}
			},
			"die": func(t *rapid.T) { live("who dies").dead = true },
			"report": func(t *rapid.T) {
				for _, m := range w.claims {
					if m.ended && rapid.Bool().Draw(t, "arrives") {
						w.entry, _ = w.entry.End(m.token, m.report, 1)
					}
				}
			},
			"time passes": func(t *rapid.T) { w.now += ledger.Instant(rapid.IntRange(1, 60).Draw(t, "time")) },
		})
	})
}

// TestJudge has every verdict.
func TestJudge(t *testing.T) {
	mine, theirs := &Ask{Print: Print{1}, Token: Token{1}}, &Ask{Print: Print{1}, Token: Token{2}}
	claimed := Claim(mine, "n1", 10)
	end := func(how Ending) *Entry {
		next, ok := claimed.End(mine.Token, how, 5)
		if !ok {
			t.Fatalf("%v changes nothing", how)
		}
		return next
	}
	for name, c := range map[string]struct {
		e    *Entry
		a    *Ask
		at   ledger.Instant
		want Verdict
	}{
		"nothing": {nil, theirs, 1, Free}, "mine again": {claimed, mine, 9, Granted}, "another's": {claimed, theirs, 9, Running},
		"over": {claimed, theirs, 10, Free}, "another request": {claimed, &Ask{Print: Print{2}, Token: Token{1}}, 9, Reused},
		"answered": {end(Kept), theirs, 9, Replay}, "spent": {end(Unkept), theirs, 9, NotKept}, "lost": {end(Doubtful), theirs, 9, Unknown},
		"answered, of another request": {end(Kept), &Ask{Print: Print{2}}, 9, Reused}, "lost, and over": {end(Doubtful), theirs, 10, Free},
		"released": {end(Released), theirs, 9, Free}, "answered, to its own claim": {end(Kept), mine, 9, Replay},
	} {
		if got := c.e.Judge(c.a, c.at); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	answered := end(Kept)
	for _, how := range []Ending{Released, Unkept, Doubtful} {
		if next, ok := answered.End(mine.Token, how, 0); ok || next != answered {
			t.Errorf("an end after the end: %+v", next)
		}
	}
	if next, ok := claimed.End(theirs.Token, Released, 0); ok || next != claimed {
		t.Errorf("another's end: %+v", next)
	}
	if claimed.State != Claimed || answered.Size != 5 {
		t.Errorf("%+v, %+v", claimed, answered)
	}
}

func sampleAnswer() *Answer {
	return &Answer{Status: 200, Header: []Field{{"Content-Type", "text/event-stream"}, {"x-request-id", "req_1"}}, Body: []byte("data: {}\n\n"), Served: "gpt-4o-mini-2024-07-18"}
}

func forms() map[string][]byte {
	e := &Entry{State: Answered, Print: Print{1, 2}, Token: Token{3, 4}, Holder: "n1", Request: "req_A", Until: 1_790_000_000_000_000_000, Size: 321}
	return map[string][]byte{
		"entry":  AppendEntry(nil, e),
		"ask":    AppendAsk(nil, &Ask{Key: Key{9}, Print: Print{1}, Token: Token{2}, Request: "req_B", Since: 1_780_000_000_000_000_000}),
		"reply":  AppendReply(nil, &Reply{Verdict: Replay, Homes: []string{"n1", "n2"}, Request: "req_A", Why: "why", Answer: sampleAnswer()}),
		"report": AppendReport(nil, &Report{Key: Key{9}, Token: Token{2}, Ending: Kept, Answer: sampleAnswer()}),
		"answer": AppendAnswer(nil, sampleAnswer()),
	}
}

var readers = map[string]func([]byte) (any, []byte, error){
	"entry": func(b []byte) (any, []byte, error) {
		v, err := DecodeEntry(b)
		return v, again(v, err, AppendEntry), err
	},
	"ask": func(b []byte) (any, []byte, error) { v, err := DecodeAsk(b); return v, again(v, err, AppendAsk), err },
	"reply": func(b []byte) (any, []byte, error) {
		v, err := DecodeReply(b)
		return v, again(v, err, AppendReply), err
	},
	"report": func(b []byte) (any, []byte, error) {
		v, err := DecodeReport(b)
		return v, again(v, err, AppendReport), err
	},
	"answer": func(b []byte) (any, []byte, error) {
		v, err := DecodeAnswer(b)
		return v, again(v, err, AppendAnswer), err
	},
}

func again[T any](v *T, err error, write func([]byte, *T) []byte) []byte {
	if err != nil {
		return nil
	}
	return write(nil, v)
}

// TestCompatV1 reads the forms of version 1, which stores and other nodes have.
func TestCompatV1(t *testing.T) {
	golden, err := os.ReadFile("testdata/forms_v1.hex")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(golden)) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		if want := forms()[name]; !bytes.Equal(b, want) {
			t.Errorf("%s is written as %x, not %x", name, want, b)
		}
		if _, out, err := readers[name](b); err != nil || !bytes.Equal(out, b) {
			t.Errorf("%s: %v, %x", name, err, out)
		}
	}
	if n := bytes.Count(golden, []byte("\n")); n != len(readers) {
		t.Errorf("%d forms, not %d", n, len(readers))
	}
	if e, err := DecodeEntry(forms()["entry"]); err != nil || !reflect.DeepEqual(e, &Entry{State: Answered, Print: Print{1, 2}, Token: Token{3, 4}, Holder: "n1", Request: "req_A", Until: 1_790_000_000_000_000_000, Size: 321}) {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestOtherBytesAreRefused: no form is read from a part of one, more than one, or one of
// another version.
func TestOtherBytesAreRefused(t *testing.T) {
	for name, b := range forms() {
		for n := range b {
			if v, _, err := readers[name](b[:n]); !errors.Is(err, ErrMalformed) {
				t.Fatalf("%d bytes of %s: %+v, %v", n, name, v, err)
			}
		}
		newer := append([]byte{2}, b[1:]...)
		for _, bad := range [][]byte{append(bytes.Clone(b), 0), newer} {
			if v, _, err := readers[name](bad); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %+v, %v", name, v, err)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, b := range forms() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, read := range readers {
			if _, out, err := read(b); err == nil && len(out) > len(b) {
				t.Errorf("%s of %d bytes is written as %d", name, len(b), len(out))
			}
		}
	})
}
