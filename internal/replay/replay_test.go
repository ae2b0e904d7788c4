package replay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"purser/ledger"
	"purser/proxy/price"

	"pgregory.net/rapid"
)

const noon = ledger.Instant(1_790_000_000) * ledger.Second

func call(at ledger.Instant, model string, input, output int64) Request {
	q := Request{At: noon + at*ledger.Second, Asked: model}
	q.Dims.Values[ledger.DimModel], q.Dims.Values[ledger.DimProvider] = model, "openai"
	q.Usage[price.InputText], q.Usage[price.OutputText] = input, output
	return q
}

func priced(t interface{ Fatal(...any) }, list ...Request) []Request {
	if err := Price(list, price.Embedded()); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestNothingChangedCostsTheSame: under a scenario that says nothing, requests cost what
// they did, and savings and cost add up to the baseline.
func TestNothingChangedCostsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []Request
		for i := range rapid.IntRange(0, 20).Draw(t, "calls") {
			q := call(ledger.Instant(i), rapid.SampledFrom([]string{"gpt-4o", "gpt-4o-mini"}).Draw(t, "model"), rapid.Int64Range(0, 50_000).Draw(t, "in"), rapid.Int64Range(0, 5000).Draw(t, "out"))
			q.Usage[price.CacheRead] = rapid.Int64Range(0, 5000).Draw(t, "read")
			list = append(list, q)
		}
		list = priced(t, list...)
		r := Run(list, &Scenario{}, price.Embedded(), nil)
		if r.Recorded.Cost != r.Replayed.Cost || r.Replayed.Refused != 0 || r.Replayed.Estimated != 0 {
			t.Fatalf("%+v became %+v", r.Recorded, r.Replayed)
		}
		if sum := r.Replayed.Cost + saved(&r.Replayed); sum != r.Replayed.Baseline {
			t.Fatalf("cost and savings are %d, the baseline %d", sum, r.Replayed.Baseline)
		}
	})
}

func saved(s *Sum) (sum ledger.Amount) {
	for _, v := range s.Saved {
		sum += v
	}
	return sum
}

// TestSavingsAddUpUnderAnyScenario.
func TestSavingsAddUpUnderAnyScenario(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []Request
		for i := range rapid.IntRange(1, 30).Draw(t, "calls") {
			q := call(ledger.Instant(i*30), "gpt-4o", rapid.Int64Range(1, 50_000).Draw(t, "in"), 100)
			q.Identity = rapid.Uint64Range(0, 5).Draw(t, "identity")
			for b := range rapid.Uint64Range(0, 4).Draw(t, "blocks") {
				q.Blocks = append(q.Blocks, b)
			}
			list = append(list, q)
		}
		list = priced(t, list...)
		s := Scenario{Kept: rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(t, "kept")}
		if rapid.Bool().Draw(t, "cached") {
			s.Cache = &Cache{TTL: time.Minute}
		}
		if rapid.Bool().Draw(t, "prompts") {
			s.Prompts = &Prompts{TTL: 5 * time.Minute}
		}
		if rapid.Bool().Draw(t, "routed") {
			s.Routing = []Rule{{Models: []string{"gpt-4o"}, Share: 0.5, Model: "gpt-4o-mini"}}
		}
		r := Run(list, &s, price.Embedded(), nil)
		if sum := r.Replayed.Cost + saved(&r.Replayed); sum != r.Replayed.Baseline || r.Replayed.Baseline != r.Recorded.Baseline {
			t.Fatalf("cost and savings are %d, the baseline %d, recorded %d: %+v", sum, r.Replayed.Baseline, r.Recorded.Baseline, r.Replayed)
		}
		if r.Replayed.Cost > r.Recorded.Cost {
			t.Fatalf("the levers made it dearer: %+v", r.Replayed)
		}
	})
}

func TestAShorterCacheAnswersLess(t *testing.T) {
	var list []Request
	for _, at := range []ledger.Instant{0, 10, 100, 500} {
		q := call(at, "gpt-4o", 1000, 100)
		q.Identity = 7
		list = append(list, q)
	}
	list = priced(t, list...)
	for ttl, want := range map[time.Duration]int64{time.Second: 0, time.Minute: 1, 2 * time.Minute: 2, time.Hour: 3} {
		r := Run(list, &Scenario{Cache: &Cache{TTL: ttl}}, price.Embedded(), nil)
		if r.Replayed.Hits != want || r.Replayed.Calls != 4-want {
			t.Errorf("%v: %+v", ttl, r.Replayed)
		}
	}
}

// TestHitsWithoutTheCacheAreCharged: at what the call with their fingerprint cost.
func TestHitsWithoutTheCacheAreCharged(t *testing.T) {
	first := call(0, "gpt-4o", 1000, 100)
	first.Identity = 7
	hit := call(1, "gpt-4o", 0, 0)
	hit.Identity, hit.Outcome = 7, Hit
	list := priced(t, first, hit)
	list[1].Cost, list[1].Baseline = 0, list[0].Cost
	if r := Run(list, &Scenario{}, price.Embedded(), nil); r.Replayed.Hits != 1 || r.Replayed.Cost != list[0].Cost {
		t.Errorf("as recorded: %+v", r.Replayed)
	}
	r := Run(list, &Scenario{Cache: &Cache{Off: true}}, price.Embedded(), nil)
	if r.Replayed.Hits != 0 || r.Replayed.Cost != 2*list[0].Cost || r.Replayed.Estimated != 1 {
		t.Errorf("without: %+v", r.Replayed)
	}
}

// TestACapRefusesWhatDoesNotFit: and none of what does, in each of its windows.
func TestACapRefusesWhatDoesNotFit(t *testing.T) {
	var list []Request
	for i := range 10 {
		list = append(list, call(ledger.Instant(i*20), "gpt-4o", 1000, 100))
	}
	list = priced(t, list...)
	b := ledger.Budget{ID: "cap", Unit: ledger.USD, Limit: 2*list[0].Cost + 1, Window: ledger.Window{Kind: ledger.PerMinute}}
	r := Run(list, &Scenario{Budgets: []ledger.Budget{b}}, price.Embedded(), nil)
	windows := map[ledger.Instant]int64{}
	var want int64
	for i := range list {
		start, _ := b.Window.Bounds(list[i].At)
		if windows[start]++; windows[start] > 2 {
			want++
		}
	}
	if want == 0 || r.Replayed.Refused != want || r.Replayed.Denied != ledger.Amount(want)*list[0].Cost {
		t.Errorf("%d are refused, want %d: %+v", r.Replayed.Refused, want, r.Replayed)
	}
}

func TestRecordsAreRead(t *testing.T) {
	text := `{"id":"req_1","at":"2026-09-21T14:13:20Z","dimensions":{"model":"gpt-4o","provider":"openai","team":"blue","tag:job":"n"},"model":"smart","outcome":"upstream_error","cost_nanousd":5,"baseline_nanousd":5,"attempt":1}
{"id":"req_1","at":"2026-09-21T14:13:20Z","dimensions":{"model":"gpt-4o","provider":"openai","team":"blue","tag:job":"n"},"model":"smart","outcome":"completed","usage":{"input":10,"cache_read":4,"output":3},"cost_nanousd":20,"baseline_nanousd":30,"attempt":2,"shape":{"tokens_before":9,"tokens_after":4},"fingerprint":"00000000000000ff"}

{"id":"req_2","at":"2026-09-21T14:13:21Z","outcome":"refused","cost_nanousd":0}
{"id":"req_3","at":"2026-09-21T14:13:19Z","outcome":"cache_hit","baseline_nanousd":9}
{"id":"req_4","at":"2026-09-21T14:13:19Z","outcome":"","kind":"adjustment","cost_nanousd":-7}
`
	list, err := ReadRecords(strings.NewReader(text))
	if err != nil || len(list) != 3 {
		t.Fatal(list, err)
	}
	if q := list[0]; q.Outcome != Hit || q.Baseline != 9 {
		t.Errorf("the first in time: %+v", q)
	}
	q := list[1]
	if q.Outcome != Called || q.Cost != 25 || q.Retries != 5 || q.Baseline != 35 || q.Cut != 5 || q.Identity != 255 || q.Usage.TotalInput() != 14 || q.Dims.Values[ledger.DimTeam] != "blue" || len(q.Dims.Tags) != 1 {
		t.Errorf("two attempts: %+v", q)
	}
	if list[2].Outcome != Refused {
		t.Errorf("%+v", list[2])
	}
	for _, bad := range []string{`{`, `{"at":"today"}`, `{"dimensions":{"x":"y"}}`, `{"usage":{"x":1}}`, `{"tier":"gold"}`, `{"fingerprint":"z"}`} {
		if _, err := ReadRecords(strings.NewReader("\n" + bad)); err == nil || !strings.Contains(err.Error(), "line 2 is no usage record") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestTracesAreRead(t *testing.T) {
	of := Trace{Provider: "openai", Model: "gpt-4o", Start: noon}
	list, err := ReadMooncake(strings.NewReader(`{"timestamp": 3000, "input_length": 1030, "output_length": 5, "hash_ids": [1, 2, 3]}`+"\n"+`{"timestamp": 1000, "input_length": 1030, "output_length": 5, "hash_ids": [1, 2, 3]}`), of)
	if err != nil || len(list) != 2 || list[0].At != noon+ledger.Second || list[0].Identity != list[1].Identity || list[0].Usage[price.InputText] != 1030 {
		t.Errorf("%+v %v", list, err)
	}
	r := Run(priced(t, list...), &Scenario{Prompts: &Prompts{TTL: time.Minute}}, price.Embedded(), nil)
	if r.Replayed.Read != 1030 || r.Replayed.Saved[NativeCache] <= 0 {
		t.Errorf("the second reads all of it: %+v", r.Replayed)
	}
	list, err = ReadAzure(strings.NewReader("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n"), of)
	if err != nil || len(list) != 1 || list[0].Usage[price.OutputText] != 10 || list[0].At != ledger.Instant(time.Date(2023, 11, 16, 18, 17, 3, 979_960_000, time.UTC).UnixNano()) {
		t.Errorf("%+v %v", list, err)
	}
	for _, bad := range []string{"a,b\n", "2023-11-16 18:17:03,-1,2\n", "now,1,2\n"} {
		if _, err := ReadAzure(strings.NewReader(bad), of); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// TestGroupsAddUp: and there are never more than allowed.
func TestGroupsAddUp(t *testing.T) {
	var list []Request
	for i := range MaxGroups + 50 {
		q := call(ledger.Instant(i), "gpt-4o", 10, 1)
		q.Dims.Values[ledger.DimCustomer] = fmt.Sprint(i)
		list = append(list, q)
	}
	r := Run(priced(t, list...), &Scenario{}, price.Embedded(), []ledger.DimRef{{Dim: ledger.DimCustomer}})
	var sum Sum
	for _, g := range r.Groups {
		sum.add(&g.Replayed)
	}
	if len(r.Groups) > MaxGroups+1 || sum.Cost != r.Replayed.Cost || sum.Requests != int64(len(list)) {
		t.Errorf("%d groups with %+v, in all %+v", len(r.Groups), sum, r.Replayed)
	}
}

// TestWhatRoutingSavedStays: a scenario that does not speak of routing leaves what the
// route saved as it was recorded, and one that does counts from the same baseline.
func TestWhatRoutingSavedStays(t *testing.T) {
	list := priced(t, call(0, "gpt-4o-mini", 1_000_000, 0)) // $0.15
	text := fmt.Sprintf(`{"id":"a","at":"2026-11-01T00:00:00Z","dimensions":{"model":"gpt-4o-mini","provider":"openai"},"model":"smart","outcome":"completed","usage":{"input":1000000},"cost_nanousd":%d,"baseline_nanousd":%d,"savings_nanousd":{"routing":%d}}`,
		list[0].Cost, list[0].Cost+5_000, 5_000)
	list, err := ReadRecords(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*Scenario{"nothing": {}, "compressed": {Kept: 0.5}, "routed elsewhere": {Routing: []Rule{{Model: "gpt-4o"}}}} {
		r := Run(list, s, price.Embedded(), nil)
		if r.Replayed.Baseline != r.Recorded.Baseline || r.Replayed.Cost+saved(&r.Replayed) != r.Replayed.Baseline {
			t.Errorf("%s: the baseline is %d, recorded %d; cost %d, saved %+v", name, r.Replayed.Baseline, r.Recorded.Baseline, r.Replayed.Cost, r.Replayed.Saved)
		}
		if name == "nothing" && r.Replayed.Saved[Routing] != 5_000 {
			t.Errorf("%s: %+v", name, r.Replayed.Saved)
		}
	}
}

// TestWhatWasChargedWithoutUsageIsSpent: a call that was charged its hold, and attempts
// that failed and were billed, take room of budgets like any other.
func TestWhatWasChargedWithoutUsageIsSpent(t *testing.T) {
	limit := []ledger.Budget{{ID: "cap", Unit: ledger.USD, Limit: 3_000, Window: ledger.Window{Kind: ledger.Total}}}
	held := Request{At: noon, Cost: 2_000, Baseline: 2_000, Outcome: Other}
	later := held
	later.At++
	if r := Run([]Request{held, later}, &Scenario{Budgets: limit}, price.Embedded(), nil); r.Replayed.Cost != 2_000 || r.Replayed.Refused != 1 || r.Replayed.Denied != 2_000 {
		t.Errorf("calls without usage: %+v", r.Replayed)
	}
	retried := priced(t, call(0, "gpt-4o-mini", 1, 0))[0]
	retried.Retries = 2_000
	retried.Cost, retried.Baseline = retried.Cost+2_000, retried.Baseline+2_000
	list := []Request{retried, retried}
	if r := Run(list, &Scenario{Budgets: limit}, price.Embedded(), nil); r.Replayed.Cost != retried.Cost || r.Replayed.Refused != 1 || r.Replayed.Denied != retried.Cost {
		t.Errorf("calls that were tried again: %+v", r.Replayed)
	}
	free := Request{At: noon, Outcome: Other}
	one := []ledger.Budget{{ID: "one", Unit: ledger.Requests, Limit: 1, Window: ledger.Window{Kind: ledger.Total}}}
	if r := Run([]Request{free, free}, &Scenario{Budgets: one}, price.Embedded(), nil); r.Replayed.Refused != 0 {
		t.Errorf("requests that came to no call: %+v", r.Replayed)
	}
}
