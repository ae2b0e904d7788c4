package lookalike

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
	"purser/internal/litellm"
)

func TestTheRoutesOfLiteLLMAreTheDocumentedOnes(t *testing.T) {
	text, err := os.ReadFile("../../docs/lookalike.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range regexp.MustCompile("(?m)^\\| `((?:GET|POST) /(?:key|team|user|budget|spend|global)/[^`]*)`").FindAllStringSubmatch(string(text), -1) {
		want = append(want, m[1])
	}
	slices.Sort(want)
	got := slices.Sorted(maps.Keys((&API{}).litellmRoutes()))
	if !slices.Equal(got, want) {
		t.Errorf("routes\n%s\ndocumented\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func formOf(body string) *form {
	return readForm(httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
}

func TestFieldsThatNobodyAskedForAreRefused(t *testing.T) {
	for body, says := range map[string]string{
		`{"a":null,"b":"","c":{},"d":[],"e":false,"f":0,"g":0.0,"h":[ ]}`: "",
		``:                            "",
		`{"b":{"x":1},"a":[1],"c":0}`: "not enforced here: a, b (",
		`{"a":true}`:                  "not enforced here: a (",
		`[]`:                          "no JSON object",
		`{"a":`:                       "no JSON object",
		`"x"`:                         "no JSON object",
		`{"x":"` + strings.Repeat("y", maxBody) + `"}`: "larger than 1 MiB",
	} {
		err := formOf(body).end()
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%.60s: %v, want %q", body, err, says)
		}
	}
}

func TestFieldsHaveTheirTypes(t *testing.T) {
	f := formOf(`{"max_budget":1e-7,"soft_budget":null,"rpm_limit":60,"budget_duration":"1d","metadata":{"a": 1},"empty":{},"list":["a"],"on":true}`)
	var a litellm.Amounts
	line, _ := f.label("metadata")
	empty, given := f.label("empty")
	list, _ := f.texts("list")
	on, _ := f.flag("on")
	_, absent := f.text("absent")
	if !f.amounts(&a) || f.end() != nil || a != (litellm.Amounts{Max: "0.0000001", Duration: "1d", RPM: "60"}) || line != `{"a":1}` || empty != "" || !given || !slices.Equal(list, []string{"a"}) || !on || absent {
		t.Errorf("%+v %q %v %v: %v", a, line, list, on, f.end())
	}
	for body, read := range map[string]func(*form){
		`{"x":1}`:       func(f *form) { f.text("x") },
		`{"x":"a"}`:     func(f *form) { f.texts("x") },
		`{"x":"true"}`:  func(f *form) { f.flag("x") },
		`{"x":-1}`:      func(f *form) { f.number("x") },
		`{"x":"many"}`:  func(f *form) { f.number("x") },
		`{"x":1.5}`:     func(f *form) { f.count("x") },
		`{"x":[1]}`:     func(f *form) { f.label("x") },
		`{"x":"label"}`: func(f *form) { f.label("x") },
	} {
		f := formOf(body)
		if read(f); f.end() == nil || !strings.Contains(f.end().Error(), "x is to be") {
			t.Errorf("%s: %v", body, f.end())
		}
	}
}

func TestLifetimes(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for duration, want := range map[string]string{
		"": "", "-1": "", "30s": "2026-01-31T12:00:30Z", "30m": "2026-01-31T12:30:00Z", "24h": "2026-02-01T12:00:00Z", "30d": "2026-03-02T12:00:00Z", "1w": "2026-02-07T12:00:00Z", "1mo": "2026-03-03T12:00:00Z",
	} {
		if got, err := lifetime(duration, now); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", duration, got, err, want)
		}
	}
	for _, bad := range []string{"0d", "-5d", "1y", "d", "1 d", "1d2h", "1.5d", "01d", "9999999d", "1048576mo", "99999999999999999999d"} {
		if got, err := lifetime(bad, now); err == nil {
			t.Errorf("%q: %q", bad, got)
		}
	}
}

func TestTagsAreDimensions(t *testing.T) {
	bound := map[string]string{"team": "a", "tag:old": "1", litellm.BudgetTag: "b"}
	if err := bindTags(bound, []string{"job:7:x", "nightly"}); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"team": "a", litellm.BudgetTag: "b", "tag:job": "7:x", "tag:nightly": "true"}; !maps.Equal(bound, want) {
		t.Errorf("bound %v", bound)
	}
	if got := tagsOf(bound); !slices.Equal(got, []string{"job:7:x", "nightly"}) {
		t.Errorf("tags %v", got)
	}
	for _, bad := range [][]string{{"a:1", "a:2"}, {"litellm-budget:other"}} {
		if bindTags(map[string]string{}, bad) == nil {
			t.Errorf("%v are taken", bad)
		}
	}
}

func TestPagesOfAList(t *testing.T) {
	rows := []int{1, 2, 3, 4, 5}
	for query, want := range map[string]string{
		"": "1 1 [1 2 3 4 5]", "size=2": "1 3 [1 2]", "size=2&page=3": "3 3 [5]", "size=2&page=4": "4 3 []", "size=0": "", "size=1001": "", "page=x": "", "page=-1": "", "page=9223372036854775807": "9223372036854775807 1 []",
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		p, some, err := paged(q, "size", rows)
		if got := fmt.Sprint(p.number, p.pages, some); want == "" && err == nil || want != "" && got != want {
			t.Errorf("%q: %s, %v, want %q", query, got, err, want)
		}
	}
}

func TestBudgetsReadBackAsTheyWereSaid(t *testing.T) {
	for _, a := range []litellm.Amounts{
		{}, {Max: "10", Duration: "1d"}, {Max: "10", Soft: "8", Duration: "30d"}, {Soft: "5", Duration: "7d"}, {RPM: "60", TPM: "1000", Parallel: "4"}, {Max: "0.5", RPM: "1", Duration: "1h"},
	} {
		limits, err := made(litellm.OwnerOf("team", "T", ""), a)
		if err != nil {
			t.Fatal(err)
		}
		var have, own []admin.BudgetDetail
		for _, l := range limits {
			b := admin.BudgetDetail{Budget: admin.Budget{ID: l.ID, Match: l.Match, Unit: l.Unit, Limit: l.Limit, Window: l.Window, Soft: l.Soft, Alerts: l.Alerts}, Accounts: []admin.Account{{Spent: 7}}}
			have, own = append(have, b), append(own, b)
		}
		have = append(have, admin.BudgetDetail{Budget: admin.Budget{ID: "team.t.usd", Match: map[string][]string{"team": {"other"}}, Unit: "usd", Limit: "1", Window: "day"}})
		if got := limitsOf(litellm.OwnerOf("team", "T", ""), have); got.Amounts != a {
			t.Errorf("%+v reads back as %+v", a, got.Amounts)
		}
		own = append(own, admin.BudgetDetail{Budget: admin.Budget{Unit: "tokens", Limit: "9", Window: "day"}})
		got, rest := limitsOfKey(own)
		if got.Amounts != a || !reflect.DeepEqual(rest, []admin.KeyBudget{{Unit: "tokens", Limit: "9", Window: "day"}}) {
			t.Errorf("%+v reads back as %+v of a key, with %v", a, got.Amounts, rest)
		}
		if (got.spent != nil) != (a.Max != "" || a.Soft != "") || got.spent != nil && got.spend(99) != 7 || got.spent == nil && got.spend(99) != 99 {
			t.Errorf("%+v: spent %v", a, got.spent)
		}
	}
}

func TestAnErrorHasLiteLLMsForm(t *testing.T) {
	for want, f := range map[string]*admin.Fault{
		`400 bad_request_error 400 `:     admin.Invalid("x"),
		`401 auth_error 401 `:            {Status: 401, Message: "x"},
		`403 auth_error 403 `:            admin.Forbidden("x"),
		`404 not_found_error 404 `:       admin.NotFound("x"),
		`409 bad_request_error 409 `:     admin.Conflict("x"),
		`429 throttling_error 429 3`:     {Status: 429, Message: "x", RetryAfter: 2500 * time.Millisecond},
		`503 internal_server_error 503 `: admin.Undecided("x"),
	} {
		w := httptest.NewRecorder()
		litellmError(w, f)
		var out struct {
			Error struct {
				Message, Type, Code string
				Param               any
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || out.Error.Message != "x" || out.Error.Param != nil {
			t.Errorf("%s: %v", w.Body, err)
		}
		if got := fmt.Sprint(w.Code, " ", out.Error.Type, " ", out.Error.Code, " ", w.Header().Get("Retry-After")); got != want || (w.Code == 401) != (w.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestWhatIsUndoneIsTold(t *testing.T) {
	var order []int
	u := undo{func() error { order = append(order, 1); return nil }, func() error { order = append(order, 2); return admin.Invalid("not so") }}
	err := u.back(admin.Conflict("taken"))
	if fault := faultOf(err); fault.Status != 409 || !strings.Contains(fault.Message, "taken; and what was made before could not be undone: not so") || !slices.Equal(order, []int{2, 1}) {
		t.Errorf("%v after %v", err, order)
	}
}
