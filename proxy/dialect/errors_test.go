package dialect

import (
	"regexp"
	"testing"
)

func TestCodes(t *testing.T) {
	name := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	for code, rule := range codes {
		if !name.MatchString(string(code)) {
			t.Errorf("code %q", code)
		}
		if rule.status < 400 || rule.status > 599 || rule.kind == "" {
			t.Errorf("%s: %+v", code, rule)
		}
		// Refusals for money are never a status that SDKs try again or that
		// stands for something else. What no other attempt mends says so, where
		// there are clients that would try again. A run that is stopped is as final as a spent budget.
		once := code == CodeOnceReused || code == CodeOnceNotKept || code == CodeOnceUnknown
		if money := code == CodeQuota || code == CodeLoop; money != (rule.status == 402) || (money || once || rule.status == 401 || code == CodeTooManyFailures || code == CodePolicy || code == CodeOutcomeConflict) != rule.noRetry {
			t.Errorf("%s: %+v", code, rule)
		}
		e := NewError(code, "p", "%d%% of %s", 5, "x")
		if e.Status != rule.status || e.Code != code || e.Param != "p" || e.Message != "5% of x" || e.Error() != string(code)+": 5% of x" {
			t.Errorf("%+v", e)
		}
	}
}

func TestUnknownCodePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	NewError("made_up", "", "")
}

func TestReportComplete(t *testing.T) {
	whole := Report{Done: true, Choices: 2, Finished: 2}
	if !whole.Complete() {
		t.Error("a whole answer is not complete")
	}
	for name, r := range map[string]Report{
		"no end":     {Choices: 1, Finished: 1},
		"unfinished": {Done: true, Choices: 2, Finished: 1},
		"empty":      {Done: true},
		"failed":     {Done: true, Choices: 1, Finished: 1, Failed: &UpstreamError{}},
	} {
		if r.Complete() {
			t.Errorf("%s is complete", name)
		}
	}
}

func TestEstimatedOutput(t *testing.T) {
	for _, x := range []struct{ bytes, deltas, want int64 }{{0, 0, 0}, {1, 1, 1}, {100, 3, 34}, {3, 3, 3}} {
		r := Report{OutputBytes: x.bytes, Deltas: x.deltas}
		if got := r.EstimatedOutput(); got != x.want {
			t.Errorf("%+v: %d", x, got)
		}
	}
}

func TestResetKeepsOnlyMemory(t *testing.T) {
	c := Call{Model: "m", Texts: make([]Text, 3), Images: make([]Image, 2), Raw: []byte("x"), Sites: Sites{Close: 4}}
	c.Reset()
	if c.Model != "" || len(c.Texts) != 0 || cap(c.Texts) != 3 || len(c.Images) != 0 || c.Raw != nil || c.Sites != (Sites{}) {
		t.Errorf("%+v", c)
	}
}
