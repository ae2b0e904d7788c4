package upstream

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDecide(t *testing.T) {
	p := DefaultPolicy()
	unsent := &Failure{Phase: PhaseConnect, Err: errors.New("refused")}
	broken := &Failure{Sent: true, Phase: PhaseFirstByte, Err: ErrHungUp}
	for name, tc := range map[string]struct {
		o      Outcome
		retry  bool
		reason Reason
	}{
		"success":                      {Outcome{Attempt: 1, Status: 200}, false, ReasonDone},
		"success, odd advice":          {Outcome{Attempt: 1, Status: 200, Advice: AdviceRetry}, false, ReasonDone},
		"bad request":                  {Outcome{Attempt: 1, Status: 400}, false, ReasonDone},
		"payment":                      {Outcome{Attempt: 1, Status: 402}, false, ReasonDone},
		"conflict":                     {Outcome{Attempt: 1, Status: 409}, false, ReasonDone},
		"conflict, advised":            {Outcome{Attempt: 1, Status: 409, Advice: AdviceRetry}, true, ReasonAdvised},
		"request timeout":              {Outcome{Attempt: 1, Status: 408}, true, ReasonStatus},
		"rate limit":                   {Outcome{Attempt: 1, Status: 429}, true, ReasonStatus},
		"rate limit, no use":           {Outcome{Attempt: 1, Status: 429, Advice: AdviceStop}, false, ReasonForbidden},
		"server error":                 {Outcome{Attempt: 1, Status: 500}, true, ReasonStatus},
		"overloaded":                   {Outcome{Attempt: 2, Status: 529}, true, ReasonStatus},
		"not implemented":              {Outcome{Attempt: 1, Status: 501}, false, ReasonDone},
		"last attempt":                 {Outcome{Attempt: 3, Status: 500}, false, ReasonExhausted},
		"client has bytes":             {Outcome{Attempt: 1, Status: 500, FirstByteSent: true}, false, ReasonFirstByteSent},
		"asked for a moment":           {Outcome{Attempt: 1, Status: 429, Asked: true, RetryAfter: time.Second}, true, ReasonStatus},
		"asked for too long":           {Outcome{Attempt: 1, Status: 429, Asked: true, RetryAfter: time.Minute}, false, ReasonTooLong},
		"unsent":                       {Outcome{Attempt: 1, Failure: unsent}, true, ReasonUnsent},
		"unsent, dial timed out":       {Outcome{Attempt: 1, Failure: &Failure{Phase: PhaseConnect, Timeout: true, Err: ErrTimeout}}, true, ReasonUnsent},
		"broken":                       {Outcome{Attempt: 1, Failure: broken}, true, ReasonBroken},
		"broken, client has bytes":     {Outcome{Attempt: 1, Failure: broken, FirstByteSent: true}, false, ReasonFirstByteSent},
		"timed out":                    {Outcome{Attempt: 1, Failure: &Failure{Sent: true, Timeout: true, Phase: PhaseFirstByte, Err: ErrTimeout}}, false, ReasonTimeout},
		"no room":                      {Outcome{Attempt: 1, Failure: &Failure{Phase: PhaseWait, Err: ErrBusy}}, false, ReasonOurs},
		"cannot be sent":               {Outcome{Attempt: 1, Failure: &Failure{Phase: PhaseStart, Err: ErrBadRequest}}, false, ReasonOurs},
		"closed under it":              {Outcome{Attempt: 1, Failure: &Failure{Sent: true, Phase: PhaseBody, Err: ErrClosed}}, false, ReasonOurs},
		"unreadable, and always so":    {Outcome{Attempt: 1, Failure: &Failure{Sent: true, Phase: PhaseBody, Err: ErrEncoding}}, false, ReasonOurs},
		"too large, and always so":     {Outcome{Attempt: 1, Failure: &Failure{Sent: true, Phase: PhaseBody, Err: ErrTooLarge}}, false, ReasonOurs},
		"exhausted without an answer":  {Outcome{Attempt: 3, Failure: unsent}, false, ReasonExhausted},
		"beyond the last, impossible?": {Outcome{Attempt: 99, Failure: unsent}, false, ReasonExhausted},
	} {
		d := p.Decide(tc.o, 12345)
		if d.Retry != tc.retry || d.Reason != tc.reason || !d.Retry && d.Wait != 0 {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestWaitsAreJitteredBoundedAndHonourTheAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Policy{
			Attempts: 10,
			Base:     time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "base")),
			MaxAsked: time.Hour,
		}
		p.MaxWait = p.Base + time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "more"))
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		o := Outcome{Attempt: rapid.IntRange(1, 9).Draw(t, "attempt"), Status: 503}
		random := rapid.Uint64().Draw(t, "random")
		bound := min(p.MaxWait, p.Base<<(o.Attempt-1))
		d := p.Decide(o, random)
		if !d.Retry || d.Wait < 0 || d.Wait > bound {
			t.Fatalf("waits %s, bound %s", d.Wait, bound)
		}
		if d != p.Decide(o, random) {
			t.Fatal("not a function of its arguments")
		}
		o.Asked, o.RetryAfter = true, time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "asked"))
		if d := p.Decide(o, random); !d.Retry || d.Wait < o.RetryAfter || d.Wait > o.RetryAfter+bound {
			t.Fatalf("waits %s though asked for %s", d.Wait, o.RetryAfter)
		}
	})
}

func TestJitterReachesBothEnds(t *testing.T) {
	p := DefaultPolicy()
	o := Outcome{Attempt: 1, Status: 503}
	if d := p.Decide(o, 0); d.Wait != 0 {
		t.Error(d.Wait)
	}
	if d := p.Decide(o, uint64(p.Base)); d.Wait != p.Base {
		t.Error(d.Wait)
	}
}

func TestPolicyValidate(t *testing.T) {
	for _, p := range []Policy{
		{}, {Attempts: 0, Base: 1, MaxWait: 1}, {Attempts: 11, Base: 1, MaxWait: 1}, {Attempts: 1, Base: 2, MaxWait: 1}, {Attempts: 1, Base: 1, MaxWait: 1, MaxAsked: -1},
	} {
		if p.Validate() == nil {
			t.Errorf("%+v passes", p)
		}
	}
}

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		millis, after string
		want          time.Duration
		ok            bool
	}{
		{"", "", 0, false},
		{"1500", "60", 1500 * time.Millisecond, true},
		{"", "2", 2 * time.Second, true},
		{"", "0.25", 250 * time.Millisecond, true},
		{"soon", "2", 2 * time.Second, true},
		{"", "-1", 0, false},
		{"", "1e9", 0, false},
		{"", "NaN", 0, false},
		{"", "99999999999", maxRetryAfter, true},
		{"", "999999999999999999999", 0, false},
		{"", "1.2.3", 0, false},
		{"", "Tue, 24 Nov 2026 12:00:30 GMT", 30 * time.Second, true},
		{"", "Tue, 24 Nov 2026 11:00:00 GMT", 0, true},
		{"", "Tue, 24 Nov 2099 11:00:00 GMT", maxRetryAfter, true},
	} {
		d, ok := ParseRetryAfter([]byte(tc.millis), []byte(tc.after), now)
		if d != tc.want || ok != tc.ok {
			t.Errorf("%q %q: %s %v", tc.millis, tc.after, d, ok)
		}
	}
	if ParseAdvice([]byte("true")) != AdviceRetry || ParseAdvice([]byte("false")) != AdviceStop || ParseAdvice(nil) != AdviceNone {
		t.Error("advice")
	}
	if ReasonTooLong.String() != "too_long" || Reason(99).String() != "reason 99" {
		t.Error("names")
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	f.Add([]byte("1"), []byte("2"))
	f.Add([]byte(""), []byte("Tue, 24 Nov 2026 12:00:30 GMT"))
	f.Fuzz(func(t *testing.T, millis, after []byte) {
		d, _ := ParseRetryAfter(millis, after, time.Unix(1e9, 0))
		if d < 0 || d > maxRetryAfter {
			t.Fatal(d)
		}
	})
}
