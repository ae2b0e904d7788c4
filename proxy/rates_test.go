package proxy

import (
	"testing"

	"purser/ledger"
)

// TestAnswersSayWhatIsLeftOfRates in the headers of their dialect, where it has any;
// a refusal has those of the limit that refused.
func TestAnswersSayWhatIsLeftOfRates(t *testing.T) {
	for _, x := range []struct {
		here Wire
		want map[string]string
	}{
		{OpenAI, map[string]string{
			"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "58", "x-ratelimit-reset-requests": "30s",
			"x-ratelimit-limit-tokens": "1000", "x-ratelimit-remaining-tokens": "1",
		}},
		{Anthropic, map[string]string{
			"anthropic-ratelimit-requests-limit": "60", "anthropic-ratelimit-requests-remaining": "58", "anthropic-ratelimit-requests-reset": "2026-09-21T14:13:50Z",
			"anthropic-ratelimit-tokens-limit": "1000", "anthropic-ratelimit-tokens-remaining": "1",
		}},
		{Gemini, map[string]string{"x-ratelimit-limit-requests": "", "anthropic-ratelimit-requests-limit": ""}},
	} {
		w, p := translating(t, other(x.here))
		w.purse.rates = map[ledger.Unit]Room{
			ledger.Requests: {Limit: 60, Left: 58, ResetsAt: (1_790_000_000 + 30) * ledger.Second},
			ledger.Tokens:   {Limit: 1000, Left: 1, ResetsAt: (1_790_000_000 + 30) * ledger.Second},
		}
		s := speakers[x.here].of(serving[p.wire])
		a, body := w.send("POST", s.path, ask(s, false))
		if a.Status != 200 {
			t.Fatalf("%d %s", a.Status, body)
		}
		for name, want := range x.want {
			if got := sent(a, name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if a, _ = w.send("POST", s.path, s.refused); a.Status != 400 || sent(a, "x-ratelimit-limit-requests") != "" {
			t.Errorf("%d %v", a.Status, a.Header)
		}
	}
}

// other is the dialect of an upstream for a client of this one.
func other(here Wire) Wire {
	if here == OpenAI {
		return Gemini
	}
	return OpenAI
}
