package route

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func duration(nanos int64) time.Duration { return time.Duration(nanos) }

// TestValidation names each fault by its field, all at once.
func TestValidation(t *testing.T) {
	for spec, want := range map[string][]string{
		`{"candidates":[]}`:                                                                                                 {"candidates: there are 0, not 1 to 16"},
		`{"candidates":[{"upstream":"u"}]}`:                                                                                 {"candidates[0] (@u): model is missing"},
		`{"strategy":"best","candidates":[{"model":"m"}]}`:                                                                  {`strategy: "best" is not fallback, weighted`},
		`{"sticky":"team","candidates":[{"model":"m"}]}`:                                                                    {`sticky: "team" is not session, run, member or customer`},
		`{"baseline":"x","candidates":[{"model":"m"}]}`:                                                                     {`baseline: there is no candidate "x"`},
		`{"candidates":[{"model":"m"},{"model":"m"}]}`:                                                                      {"candidates[1] (m): is there twice; give each an id"},
		`{"candidates":[{"model":"m","weight":-1,"quality":2,"max_input_tokens":-5,"lacks":["legs"]}]}`:                     {"weight: -1", "quality: 2", "max_input_tokens: -5", `lacks: "legs" is not tools, images, files or json_schema`},
		`{"candidates":[{"model":"m","when":"request.colour == 1"}]}`:                                                       {"candidates[0] (m): when: 1:8: undeclared reference"},
		`{"candidates":[{"model":"m","when":"request.model"}]}`:                                                             {"is of type string, not bool"},
		`{"strategy":"rules","candidates":[{"model":"m"}]}`:                                                                 {"at least one needs a condition"},
		`{"strategy":"learned","candidates":[{"model":"m"}]}`:                                                               {"learner: it goes with the strategy learned"},
		`{"learner":"l","candidates":[{"model":"m"}]}`:                                                                      {"learner: it goes with"},
		`{"max_attempts":6,"retry_on":["moon"],"on_denied":"cry","expected_output_tokens":-1,"candidates":[{"model":"m"}]}`: {"max_attempts: 6", `retry_on: "moon" is not error`, `on_denied: "cry" is not next or refuse`, "expected_output_tokens: -1"},
		`{"shift":{"from":50},"candidates":[{"model":"m"}]}`:                                                                {"shift: it goes with the strategy budget_aware"},
		`{"strategy":"budget_aware","shift":{"from":90,"until":80},"candidates":[{"model":"m"}]}`:                           {"shift: 90 to 80 percent does not rise"},
	} {
		var s Spec
		if err := json.Unmarshal([]byte(spec), &s); err != nil {
			t.Fatal(err)
		}
		_, err := Compile("r", s)
		if err == nil {
			t.Errorf("%s is taken", spec)
			continue
		}
		for _, says := range want {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v, without %q", spec, err, says)
			}
		}
	}
}

// TestDefaults are those of the documents.
func TestDefaults(t *testing.T) {
	r := made(t, Spec{Candidates: []Candidate{{Model: "m", Upstream: "u"}, {Model: "n"}}})
	if r.Strategy() != Fallback || r.Attempts() != 1 || r.ExpectedOutput() != 512 || r.Named(0) != "m@u" || r.Named(1) != "n" || !r.PassesDenied() || r.Alias() {
		t.Errorf("%+v", r)
	}
	for c, want := range map[Cause]bool{Failing: true, RateLimited: true, Unavailable: true, TooLong: true, Timeout: false, Budget: false} {
		if r.Passes(c) != want {
			t.Errorf("%s passes: %v", c, !want)
		}
	}
	if !made(t, Spec{Strategy: BudgetAware, Candidates: of("m")}).Passes(Budget) {
		t.Error("a budget_aware route does not go on after a budget")
	}
	if only := made(t, Spec{RetryOn: []Cause{Timeout}, Candidates: of("m")}); only.Passes(Failing) || !only.Passes(Timeout) {
		t.Error("retry_on does not count")
	}
}
