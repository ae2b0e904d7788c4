package proxy

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"purser/ledger"
	"purser/proxy/loop"
	"purser/proxy/redaction"
	"purser/proxy/route"
)

// busy is rules that have something to say of every request.
type busy struct {
	aliased
	rule *loop.Rule
}

func (b busy) Rules() (Rules, error) { return b, nil }

func (b busy) Loop(*ledger.Dimensions) *loop.Rule { return b.rule }

// watching finds a loop in every request.
type watching struct{}

func (watching) Enter(r *loop.Rule, s loop.Subject, _ loop.Evidence, _ ledger.Instant) (loop.Visit, loop.Found) {
	return loop.Visit{}, loop.Found{Rule: r.Name, Subject: s, Why: loop.Same, Times: 9}
}

func (watching) Leave(loop.Visit, bool, ledger.Amount, ledger.Instant) {}

func (watching) Tell(loop.Found) {}

// TestAnExchangeThatIsUsedAgainHasNothingOfTheLast: no secret, no value, nothing that
// a stage has decided, whichever way the request before went.
func TestAnExchangeThatIsUsedAgainHasNothingOfTheLast(t *testing.T) {
	const (
		own     = "sk-proj-of-the-caller-1234567890"
		virtual = "pk_marked_secret_1"
	)
	answer := func(w http.ResponseWriter, body string) {
		switch {
		case strings.Contains(body, "fail"):
			w.WriteHeader(422)
			fmt.Fprint(w, `{"error":{"message":"no <EMAIL_1>"}}`)
		case strings.Contains(body, `"stream":true`):
			telling("Dear <EMA", "IL_1>")(w, body)
		default:
			saying("Dear <EMAIL_1>")(w, body)
		}
	}
	v := newVeiled(t, answer, redaction.Spec{ID: "s", Action: redaction.Tokenise, Match: map[string][]string{"team": {"marked-team"}}},
		redaction.Spec{ID: "no", Action: redaction.Block, Detectors: []string{"CREDIT_CARD"}, Match: map[string][]string{"team": {"marked-team"}}})
	up := *v.gateway.upstreams[0]
	up.CallerKeys = true
	v.gateway.upstreams[0] = &up
	// One exchange, for one request after the other.
	one := &exchange{g: v.gateway}
	v.gateway.exchanges = sync.Pool{New: func() any { return one }}
	pristine := newView(&exchange{g: v.gateway})

	v.gateway.seams.Cache = fakeCache{}
	v.gateway.seams.Loops = watching{}
	v.gateway.seams.Children = siblings{"pk_c_marked": {ID: "marked-parent", Child: "marked"}}
	v.rule("policies: {marked: {rules: [{id: marked-w, outcome: warn}, {id: r, outcome: rewrite, set: {max_output_tokens: 5, n: 1}}, {id: marked-d, outcome: deny, when: {stream: true, dims: {env: ['x']}}}]}}")
	full := busy{aliased{v.gateway.seams.Rules.(ruled), route.Alias("marked-route", "gpt-4o", "")}, &loop.Rule{Name: "marked-rule"}}
	plain := `{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}`
	v.keys[sha(virtual)] = keyed{&Principal{ID: "marked-key"}, KeyActive}

	for name, c := range map[string]struct {
		body    string
		headers []string
	}{
		"whole":           {body: `{"model":"marked-route","n":2,"messages":[{"role":"user","content":"to anna@marked.com"}]}`},
		"stream":          {body: `{"model":"marked-route","stream":true,"messages":[{"role":"user","content":"to anna@marked.com"}]}`},
		"with its cost":   {`{"model":"marked-route","stream":true,"messages":[{"role":"user","content":"to anna@marked.com"}]}`, []string{"x-purser-usage-cost", "true"}},
		"blocked":         {body: `{"model":"marked-route","messages":[{"role":"user","content":"4111 1111 1111 1111"}]}`},
		"denied":          {`{"model":"marked-route","stream":true,"messages":[{"role":"user","content":"to anna@marked.com"}]}`, []string{"x-purser-env", "x"}},
		"an error":        {body: `{"model":"marked-route","messages":[{"role":"user","content":"fail for anna@marked.com"}]}`},
		"a child":         {`{"model":"marked-route","messages":[{"role":"user","content":"to anna@marked.com"}]}`, []string{"x-purser-key", "pk_c_marked"}},
		"no decision":     {`{"model":"marked-route","messages":[{"role":"user","content":"to anna@marked.com"}]}`, []string{"x-purser-hold", "no"}},
		"no such key":     {`{"model":"marked-route"}`, []string{"x-purser-key", "pk_marked_unknown"}},
		"of its own key":  {body: "GET /v1/keys/self"},
		"lists of models": {body: "GET /v1/models"},
	} {
		t.Run(name, func(t *testing.T) {
			v.gateway.seams.Rules = full
			r := &Request{Method: "POST", Path: "/v1/chat/completions", Body: []byte(c.body)}
			if method, path, ok := strings.Cut(c.body, " /"); ok && method == "GET" {
				r.Method, r.Path, r.Body = method, "/"+path, nil
			}
			r.Header = headerList(append(c.headers, "x-purser-key", virtual, "Authorization", "Bearer "+own,
				"x-purser-team", "marked-team", "x-purser-run", "marked-run", "x-purser-tag-marked", "marked"))
			v.serve(r)
			left := newView(one)
			for _, mark := range []string{"marked", "anna", own, operatorsKey, "4111 1111"} {
				for path, value := range left {
					if strings.Contains(value, mark) && (mark != "marked" || !strings.HasPrefix(path, ".rec.")) {
						t.Errorf("%s has %q", path, mark)
					}
				}
			}
			for path, value := range left {
				if was, ok := pristine[path]; (!ok || was != value) && !keptOnPurpose(path) {
					t.Errorf("%s is %.80q", path, value)
				}
			}

			v.gateway.seams.Rules = noRules{}
			a, got := v.serve(&Request{Method: "POST", Path: "/v1/chat/completions", Body: []byte(plain), Header: headerList{"x-purser-key", "pk_good", "Authorization", "Bearer sk-proj-other"}})
			if a.Status != 200 || strings.Contains(fmt.Sprint(a.Header, got, v.last()), "marked") || strings.Contains(got, "anna") || sent(a, headerLoop)+sent(a, headerPolicyWarning)+sent(a, headerPolicyRewrote) != "" {
				t.Errorf("the next: %d %v %s %+v", a.Status, a.Header, got, v.last())
			}
			v.gateway.seams.Cache = fakeCache{}
		})
	}
}

// keptOnPurpose are fields that the next request overwrites before it reads them, or
// memory of readers that are reset before they are used.
func keptOnPurpose(path string) bool {
	for _, p := range []string{
		".began", ".client", ".rec.", ".cacheKey", ".counted", ".readers", ".endings", ".stream.meter", ".stream.scan", ".stream.events",
		".stream.over", ".stream.err", ".stream.tail", ".stream.tee", ".stream.noted", ".call.", ".original.",
	} {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

// view is every string, number and truth that can be reached from an exchange, but for
// its gateway, by its place. Of memory that is kept, what is in use counts.
type view map[string]string

func newView(x *exchange) view {
	v := view{}
	v.add("", reflect.ValueOf(x).Elem(), 0)
	return v
}

func (v view) add(path string, x reflect.Value, depth int) {
	const deepest = 12
	if depth > deepest || path == ".g" {
		return
	}
	switch x.Kind() {
	case reflect.String:
		v[path] = x.String()
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float64:
		v[path] = fmt.Sprint(x)
	case reflect.Slice, reflect.Array:
		if x.Type().Elem().Kind() == reflect.Uint8 {
			text := make([]byte, x.Len())
			for i := range text {
				text[i] = byte(x.Index(i).Uint())
			}
			v[path] = string(text)
			return
		}
		for i := range x.Len() {
			v.add(fmt.Sprintf("%s[%d]", path, i), x.Index(i), depth+1)
		}
	case reflect.Map:
		for _, k := range x.MapKeys() {
			v.add(fmt.Sprintf("%s[%v]", path, k), x.MapIndex(k), depth+1)
			v.add(fmt.Sprintf("%s[%v]key", path, k), k, depth+1)
		}
	case reflect.Struct:
		for i := range x.NumField() {
			v.add(path+"."+x.Type().Field(i).Name, x.Field(i), depth+1)
		}
	case reflect.Pointer, reflect.Interface:
		if !x.IsNil() {
			v.add(path, x.Elem(), depth+1)
		}
	case reflect.Func, reflect.Chan:
		if !x.IsNil() {
			v[path] = "not nil"
		}
	}
}
