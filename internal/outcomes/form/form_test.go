package form

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"purser/internal/economics"
	"purser/internal/outcomes"
	"purser/internal/record"
	"purser/ledger"

	"pgregory.net/rapid"
)

const day = 24 * ledger.Hour

var teller = Teller{Key: "k", Org: "acme", Source: outcomes.ByClient, Now: 1000 * day, Oldest: 900 * day}

// TestMoneyIsExactOrRefused, compared with rational numbers.
func TestMoneyIsExactOrRefused(t *testing.T) {
	for text, want := range map[string]ledger.Amount{
		"0": 0, "1": 1e9, "12.5": 125e8, "-0.000000001": -1, "0.1": 1e8, "000.30": 3e8, "1.10000000000": 11e8, "999999999.999999999": 999_999_999_999_999_999,
	} {
		if got, err := Dollars(text); err != nil || got != want {
			t.Errorf("%s: %d %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-", ".", ".5", "5.", "1e3", "0x1", "1,5", "$1", " 1", "+1", "1.0000000001", "NaN", "1_0", "12345678901234", "99999999999", "１"} {
		if got, err := Dollars(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?[0-9]{1,9}(\.[0-9]{1,9})?`).Draw(t, "amount")
		got, err := Dollars(text)
		want, _ := new(big.Rat).SetString(text)
		if want.Mul(want, big.NewRat(1e9, 1)); err != nil || !want.IsInt() || want.Num().Int64() != int64(got) {
			t.Fatalf("%s: %d %v", text, got, err)
		}
	})
}

// TestWhatIsOfAFarTimeIsRefused: it would be kept for good, as it goes when its requests do.
func TestWhatIsOfAFarTimeIsRefused(t *testing.T) {
	at := func(of ledger.Instant) string { return time.Unix(0, int64(of)).UTC().Format(time.RFC3339) }
	for join, says := range map[string]string{
		fmt.Sprintf(`{"request_id":%q}`, record.NewID(teller.Now+ledger.Minute)):                                   "",
		fmt.Sprintf(`{"request_id":%q}`, record.NewID(teller.Now+ledger.Hour)):                                     "yet to come",
		fmt.Sprintf(`{"dimensions":{"team":"x"},"from":%q,"to":%q}`, at(teller.Now+6*day), at(teller.Now+300*day)): "",
		fmt.Sprintf(`{"dimensions":{"team":"x"},"from":%q,"to":%q}`, at(teller.Now+8*day), at(teller.Now+9*day)):   "days ahead",
		`{"dimensions":{"team":"x"},"from":"2190-01-01T00:00:00Z","to":"2190-02-01T00:00:00Z"}`:                    "days ahead",
	} {
		_, _, fault := JSON(fmt.Appendf(nil, `{"id":"a","name":"n","join":%s}`, join), teller)
		if (fault == nil) != (says == "") || fault != nil && !strings.Contains(fault.Message, says) {
			t.Errorf("%s: %v, want %q", join, fault, says)
		}
	}
}

// TestOutcomesAreReadFromJSON, one or a list, strictly.
func TestOutcomesAreReadFromJSON(t *testing.T) {
	request := record.NewID(950 * day)
	one := fmt.Sprintf(`{"id":"a","name":"n","at":"1972-09-01T00:00:00Z","success":true,"quality":0.25,"value":"1.5","currency":"usd","count":3,"join":{"request_id":%q}}`, request)
	list, many, fault := JSON([]byte(one), teller)
	if fault != nil || many || len(list) != 1 {
		t.Fatalf("%+v %v %v", list, many, fault)
	}
	r := list[0]
	if r.ID != "a" || r.Key != "k" || r.Org != "acme" || r.Count != 3 || r.Success != outcomes.Succeeded || r.Quality != 250_000 || r.Value != 15e8 || !r.Told || r.Join.Name != request || r.Taken != teller.Now {
		t.Errorf("%+v", r)
	}
	if list, many, fault = JSON([]byte(`{"outcomes":[`+one+`,{"id":"b","name":"n","value":-2,"join":{"dimensions":{"customer":"c"},"tags":{"job":"x"},"from":"1972-09-01T00:00:00Z","to":"1972-09-02T00:00:00Z"}}]}`), teller); fault != nil || !many || len(list) != 2 || len(list[1].Join.Where) != 2 || list[1].Value != -2e9 || list[1].Success != outcomes.Unsaid || list[1].Count != 1 {
		t.Errorf("%+v %v", list, fault)
	}
	for body, want := range map[string]string{
		``: "not outcomes", `{}`: "id has", `[]`: "no outcome", one + one: "more than one", `[` + strings.Repeat(`{},`, MaxItems) + `{}]`: "at most",
		`{"id":"a","name":"n","join":{"run":"r"},"note":1}`:                                                  "note",
		`{"id":"a","name":"n","join":{"run":"r","session":"s"}}`:                                             "more than one",
		`{"id":"a","name":"n","join":{"run":"r","dimensions":{"customer":"c"}},"at":"1972-09-01T00:00:00Z"}`: "more than one",
		`{"id":"a","name":"n","join":{"run":"r","from":"1972-09-01T00:00:00Z"}}`:                             "join.dimensions",
		`{"id":"a","name":"n","join":{"dimensions":{"customer":"c"}}}`:                                       "needs at",
		`{"id":"a","name":"n","join":{"dimensions":{"colour":"c"}},"at":"1972-09-01T00:00:00Z"}`:             "no dimension",
		`{"id":"a","name":"n","join":{"run":"r"},"at":"1972-10-01T00:00:00Z"}`:                               "future",
		`{"id":"a","name":"n","join":{"run":"r"},"at":"1970-02-01T00:00:00Z"}`:                               "older",
		`{"id":"a","name":"n","join":{"run":"r"},"at":"yesterday"}`:                                          "time",
		`{"id":"a","name":"n","join":{"run":"r"},"value":1e3}`:                                               "amount",
		`{"id":"a","name":"n","join":{"run":"r"},"value":"2","currency":"EUR"}`:                              "USD",
		`{"id":"a","name":"n","join":{"run":"r"},"value":true}`:                                              "neither",
		`{"id":"a","name":"n","join":{"run":"r"},"quality":1.01}`:                                            "quality",
		`{"id":"a","name":"n","join":{"run":"r"},"quality":"NaN"}`:                                           "quality",
		`{"id":"a","name":"n","join":{"run":"r"},"count":0}`:                                                 "count",
		`{"id":"a","name":"n","join":{"trace_id":"12"}}`:                                                     "trace",
		`{"id":"a","name":"n","join":{"request_id":"req_1"}}`:                                                "request",
		`[{"id":"a","name":"n","join":{"run":"r"}},{"id":"b","name":"","join":{"run":"r"}}]`:                 "outcome 1 of the list",
	} {
		if list, _, fault := JSON([]byte(body), teller); fault == nil || !strings.Contains(fault.Message, want) || list != nil {
			t.Errorf("%.90s: %+v %v", body, list, fault)
		}
	}
}

// TestLinesOfAFileHaveTheirNumbers: what cannot be read is said, and the rest is read.
func TestLinesOfAFileHaveTheirNumbers(t *testing.T) {
	file := "\xef\xbb\xbfid,name,success,quality,value,count,run,customer,at\n" +
		"a,n,true,0.5,1.25,2,r,,\n" +
		"\"b\nb\",n,,,,,r,,\n" + // lines 3 and 4
		"c,n,perhaps,,,,r,,\n" + // 5
		"d,n,,,,,,globex,1972-09-01T10:00:00Z\n" + // 6
		"e,n,,,,,r,globex,1972-09-01T10:00:00Z\n" + // 7
		"f,n\n" + // 8
		"g,n,,,,,r\",,\n" + // 9
		"h,n,no,,,,r,," // 10
	said := map[int]string{}
	err := CSV(strings.NewReader(file), teller, func(line int, r outcomes.Report, fault *Error) bool {
		if said[line] = "ok " + r.ID; fault != nil {
			said[line] = fault.Message
		}
		if r.ID == "d" && (r.Join.Kind != outcomes.OfWhere || r.Join.To-r.Join.From != day || r.Join.From%day != 0) {
			t.Errorf("%+v", r.Join)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[int]string{2: "ok a", 3: "id has", 5: "neither true nor false", 6: "ok d", 7: "more than one", 8: "2 fields", 9: "not CSV", 10: "ok h"} {
		if !strings.Contains(said[line], want) {
			t.Errorf("line %d: %q, want %q", line, said[line], want)
		}
	}
	for head, want := range map[string]string{"": "EOF", "id\n": `"name"`, "id,name,id\n": "twice", "id,name,colour\n": "colour"} {
		if err := CSV(strings.NewReader(head), teller, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", head, err)
		}
	}
}

// TestPaymentsAreReadFromFiles.
func TestPaymentsAreReadFromFiles(t *testing.T) {
	file := "id,customer,plan,cohort,period,from,to,amount,currency,revision\n" +
		"a,globex,pro,2026-01,2026-02,,,99.99,USD,\n" +
		"b,globex,,,,2026-02-01,2026-02-15,-5,,3\n" +
		"c,globex,,,2026-13,,,1,,\n" +
		"d,globex,,,2026-02,2026-02-01,,1,,\n" +
		"e,globex,,,2026-02,,,,,\n" +
		"f,globex,,,2026-02,,,1,GBP,\n" +
		"g,,,,2026-02,,,1,,\n" +
		"h,globex,,,2026-02,,,1,,-1\n"
	got := map[int]string{}
	if err := RevenueCSV(strings.NewReader(file), 5, func(line int, p economics.Payment, fault *Error) bool {
		if got[line] = fmt.Sprintf("%s %d %d %d", p.ID, p.Revision, p.Amount, (p.To-p.From)/day); fault != nil {
			got[line] = fault.Field
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[int]string{2: "a 1 99990000000 28", 3: "b 3 -5000000000 14", 4: "period", 5: "period", 6: "amount", 7: "currency", 8: "customer", 9: "revision"} {
		if got[line] != want {
			t.Errorf("line %d: %q, want %q", line, got[line], want)
		}
	}
}

func sign(secret, body string, at ledger.Instant) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", at/ledger.Second, body)
	return hex.EncodeToString(mac.Sum(nil))
}

// TestSignaturesOfStripe: any secret in force, any of the signatures, within the tolerance,
// over these bytes.
func TestSignaturesOfStripe(t *testing.T) {
	const old, secret, body = "whsec_old", "whsec_new", `{"a":1}`
	now, tolerance := ledger.Instant(1_790_000_000)*ledger.Second, 5*ledger.Minute
	header := func(at ledger.Instant, sums ...string) string {
		return fmt.Sprintf("t=%d,v1=%s,v0=aa", at/ledger.Second, strings.Join(sums, ",v1="))
	}
	for name, c := range map[string]struct {
		header, body string
		want         error
	}{
		"as it should be":      {header(now, sign(secret, body, now)), body, nil},
		"the old secret":       {header(now, sign(old, body, now)), body, nil},
		"one of two":           {header(now, "00", sign(secret, body, now)), body, nil},
		"at the edge":          {header(now-tolerance, sign(secret, body, now-tolerance)), body, nil},
		"replayed later":       {header(now-tolerance-ledger.Second, sign(secret, body, now-tolerance-ledger.Second)), body, ErrStale},
		"from the future":      {header(now+tolerance+ledger.Second, sign(secret, body, now+tolerance+ledger.Second)), body, ErrStale},
		"another body":         {header(now, sign(secret, body, now)), body + " ", ErrSignature},
		"another time":         {header(now+ledger.Second, sign(secret, body, now)), body, ErrSignature},
		"another secret":       {header(now, sign("whsec_x", body, now)), body, ErrSignature},
		"an empty secret":      {header(now, sign("", body, now)), body, ErrSignature},
		"only the old scheme":  {fmt.Sprintf("t=%d,v0=%s", now/ledger.Second, sign(secret, body, now)), body, ErrSignature},
		"no time":              {"v1=" + sign(secret, body, now), body, ErrSignature},
		"nothing":              {"", body, ErrSignature},
		"no hexadecimal":       {header(now, "zz"), body, ErrSignature},
		"a shortened one":      {header(now, sign(secret, body, now)[:32]), body, ErrSignature},
		"far too long":         {header(now, sign(secret, body, now)) + strings.Repeat(",v1=00", maxSignature), body, ErrSignature},
		"a time that overruns": {"t=99999999999999999999,v1=" + sign(secret, body, now), body, ErrSignature},
	} {
		if err := Signed(c.header, []byte(c.body), []string{old, secret, ""}, now, tolerance); err != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if Signed(header(now, sign("", body, now)), []byte(body), nil, now, tolerance) == nil {
		t.Error("without a secret, anything is signed")
	}
}

// TestMeterEventsOfStripe, as a form, as an event, and of version 2.
func TestMeterEventsOfStripe(t *testing.T) {
	s := Stripe{Customers: map[string]string{"cus_1": "globex"}, Prices: map[string]ledger.Amount{"ticket": 5e8}}
	at := time.Unix(0, int64(teller.Now-day)).Unix()
	r, event, fault := s.Form(fmt.Appendf(nil, "event_name=ticket&payload[stripe_customer_id]=cus_1&payload[value]=3&identifier=i1&timestamp=%d", at), teller)
	if fault != nil || r.ID != "stripe:i1" || r.Name != "ticket" || r.Count != 3 || r.Value != 15e8 || r.Join.Where[0].Value != "globex" || r.At != ledger.Instant(at)*ledger.Second || event.Payload["value"] != "3" {
		t.Errorf("%+v %+v %v", r, event, fault)
	}
	for _, body := range []string{
		fmt.Sprintf(`{"object":"event","data":{"object":{"object":"billing.meter_event","event_name":"ticket","identifier":"i1","payload":{"stripe_customer_id":"cus_1","value":"3"},"timestamp":%d}}}`, at),
		fmt.Sprintf(`{"object":"event","data":{"object":{"object":"v2.billing.meter_event","event_name":"ticket","identifier":"i1","payload":{"stripe_customer_id":"cus_1","value":"3"},"timestamp":%q}}}`, time.Unix(at, 0).UTC().Format(time.RFC3339)),
	} {
		again, ours, fault := s.Event([]byte(body), teller)
		if fault != nil || !ours || again.Differs(&r) != "" {
			t.Errorf("%+v %v %v", again, ours, fault)
		}
	}
	if r, _, fault = s.Form([]byte("event_name=other&payload[stripe_customer_id]=cus_2&payload[value]=1&identifier=i2"), teller); fault != nil || r.Valued || r.Told || r.Join.Where[0].Value != "cus_2" {
		t.Errorf("%+v %v", r, fault)
	}
	if _, ours, fault := s.Event([]byte(`{"object":"event","type":"invoice.paid","data":{"object":{"object":"invoice","timestamp":"x"}}}`), teller); ours || fault != nil {
		t.Errorf("an invoice is taken: %v", fault)
	}
	for body, field := range map[string]string{
		"event_name=t&payload[stripe_customer_id]=c&payload[value]=1":                                    "identifier",
		"event_name=t&payload[value]=1&identifier=i":                                                     "payload[stripe_customer_id]",
		"event_name=t&payload[stripe_customer_id]=c&payload[value]=1.5&identifier=i":                     "payload[value]",
		"event_name=t&payload[stripe_customer_id]=c&payload[value]=0&identifier=i":                       "payload[value]",
		"event_name=t&payload[stripe_customer_id]=c&payload[value]=-1&identifier=i":                      "payload[value]",
		"event_name=ticket&payload[stripe_customer_id]=c&payload[value]=1000000&identifier=i&x=1":        "x",
		"event_name=t&event_name=u&payload[stripe_customer_id]=c&payload[value]=1&identifier=i":          "event_name",
		"event_name=t&payload[stripe_customer_id]=c&payload[value]=1&identifier=i&timestamp=tomorrow":    "timestamp",
		"event_name=t&payload[stripe_customer_id]=c&payload[value]=1&identifier=i&timestamp=99999999999": "timestamp",
		"event_name=&payload[stripe_customer_id]=c&payload[value]=1&identifier=i":                        "name",
		"%zz": "",
	} {
		if r, _, fault := s.Form([]byte(body), teller); fault == nil || fault.Field != field {
			t.Errorf("%s: %+v %v", body, r, fault)
		}
	}
}

// TestScoresOfLangfuse of each type, and of what they are.
func TestScoresOfLangfuse(t *testing.T) {
	trace := strings.Repeat("0a", 16)
	l := Langfuse{Scores: map[string]Scale{"stars": {Min: 1, Max: 5}, "tone": {Categories: map[string]float64{"kind": 0.75}}}}
	for body, check := range map[string]func(*outcomes.Report) bool{
		`{"name":"x","value":0.5,"traceId":"` + strings.ToUpper(trace) + `"}`: func(r *outcomes.Report) bool {
			return r.Quality == 500_000 && r.Join.Kind == outcomes.OfTrace && r.Join.Name == trace
		},
		`{"id":"1","name":"stars","value":4,"dataType":"NUMERIC","sessionId":"s","comment":"c","configId":"z"}`: func(r *outcomes.Report) bool {
			return r.ID == "langfuse:1" && r.Quality == 750_000 && r.Join.Kind == outcomes.OfSession
		},
		`{"name":"x","value":1,"dataType":"BOOLEAN","traceId":"run-1"}`: func(r *outcomes.Report) bool {
			return r.Success == outcomes.Succeeded && !r.Judged && r.Join.Kind == outcomes.OfRun
		},
		`{"name":"x","value":0,"dataType":"BOOLEAN","traceId":"t"}`:                                              func(r *outcomes.Report) bool { return r.Success == outcomes.Failed },
		`{"name":"tone","value":"kind","traceId":"t"}`:                                                           func(r *outcomes.Report) bool { return r.Quality == 750_000 },
		`{"name":"x","value":1,"traceId":"t","observationId":"` + record.NewID(950*day) + `"}`:                   func(r *outcomes.Report) bool { return r.Join.Kind == outcomes.OfRequest },
		`{"name":"x","value":1,"traceId":"t","timestamp":"1972-09-01T00:00:00.000Z","environment":"production"}`: func(r *outcomes.Report) bool { return r.Told },
	} {
		r, fault := l.Score([]byte(body), teller)
		if fault != nil || !check(&r) {
			t.Errorf("%s: %+v %v", body, r, fault)
		}
		again, _ := l.Score([]byte(body), teller)
		if again.Mark() != r.Mark() {
			t.Errorf("%s: sent again, it counts again", body)
		}
	}
	for body, field := range map[string]string{
		`{"name":"stars","value":6,"traceId":"t"}`: "value", `{"name":"tone","value":"odd","traceId":"t"}`: "value", `{"name":"x","value":"kind","traceId":"t"}`: "value",
		`{"name":"x","value":2,"dataType":"BOOLEAN","traceId":"t"}`: "value", `{"name":"x","value":"t","dataType":"TEXT","traceId":"t"}`: "dataType",
		`{"name":"x","traceId":"t"}`: "value", `{"name":"x","value":1}`: "traceId", `{"name":"","value":1,"traceId":"t"}`: "name", `[]`: "",
	} {
		if r, fault := l.Score([]byte(body), teller); fault == nil || fault.Field != field {
			t.Errorf("%s: %+v %v", body, r, fault)
		}
	}
}

// FuzzBodies: no bytes are more than refused, and what is read can be kept.
func FuzzBodies(f *testing.F) {
	f.Add([]byte(`{"id":"a","name":"n","value":"1.5","join":{"run":"r"}}`))
	f.Add([]byte("id,name,run\na,n,r\n"))
	f.Add([]byte("event_name=t&payload[stripe_customer_id]=c&payload[value]=1&identifier=i"))
	f.Fuzz(func(t *testing.T, body []byte) {
		kept := func(r outcomes.Report, fault *Error) {
			if fault == nil {
				if field, err := r.Check(); err != nil {
					t.Errorf("%+v is taken: %s %v", r, field, err)
				}
			}
		}
		list, _, fault := JSON(body, teller)
		for _, r := range list {
			kept(r, fault)
		}
		_ = CSV(strings.NewReader(string(body)), teller, func(_ int, r outcomes.Report, fault *Error) bool { kept(r, fault); return true })
		s, l := Stripe{}, Langfuse{}
		r, _, fault := s.Form(body, teller)
		kept(r, fault)
		if r, ours, fault := s.Event(body, teller); ours {
			kept(r, fault)
		}
		r, fault = l.Score(body, teller)
		kept(r, fault)
		_ = Signed(string(body), body, []string{"whsec_x"}, teller.Now, day)
	})
}
