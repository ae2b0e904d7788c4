package anomaly

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

const dollar = 1e9

var bot, team = Key{"agent", "bot"}, Key{"team", "ads"}

// world feeds a detector bin by bin.
type world struct {
	d    *Detector
	bin  int64
	news []*Event
}

func newWorld() *world { return &world{d: New(DefaultConfig()), bin: 1000 * binsOfMinute} }

// spend has requests that cost so much each come in each of so many bins.
func (w *world) spend(bins int, requests int64, each float64, keys ...Key) (news []*Event) {
	for range bins {
		w.bin++
		var samples []Sample
		for _, k := range append([]Key{{}}, keys...) {
			n := float64(requests)
			samples = append(samples, Sample{k, Sum{n * each, n * each * each, requests}})
		}
		if requests == 0 {
			samples = nil
		}
		news = append(news, w.d.Bin(w.bin, samples)...)
	}
	w.news = append(w.news, news...)
	return news
}

func TestALoopIsFlaggedWithinAMinuteAndOnce(t *testing.T) {
	w := newWorld()
	if got := w.spend(30*binsOfMinute, 2, 0.01*dollar, bot, team); len(got) > 0 {
		t.Fatalf("steady spending: %+v", got[0])
	}
	began := w.bin
	got := w.spend(6, 40, 0.02*dollar, bot, team)
	var told []*Event
	for _, e := range got {
		if e.By == (Key{}) {
			told = append(told, e)
		}
	}
	if len(got) != 3 || len(told) != 1 || told[0].Key != bot {
		t.Fatalf("%d flagged, of which nothing explains %d; want those of everything and the team explained by the agent: %+v", len(got), len(told), got)
	}
	if e := told[0]; e.Flagged > ledger.Instant(began+3)*Bin || e.Requests < 40 || e.Score() < 6 || e.New {
		t.Errorf("%+v, flagged %d bins after it began", e, BinOf(e.Flagged)-began)
	}
	if more := w.spend(20*binsOfMinute, 40, 0.02*dollar, bot, team); len(more) > 0 {
		t.Errorf("while it lasts it is told again: %+v", more[0])
	}
	if len(w.d.Active()) != 3 {
		t.Errorf("%d are active", len(w.d.Active()))
	}
	over := w.spend(15, 2, 0.01*dollar, bot, team)
	if len(over) != 3 || over[0].Ended == 0 || len(w.d.Active()) != 0 {
		t.Errorf("when it was over: %+v", over)
	}
}

// TestWhatLastsBecomesUsual: after half an hour a new level teaches, and is not flagged
// for ever.
func TestWhatLastsBecomesUsual(t *testing.T) {
	w := newWorld()
	w.spend(30*binsOfMinute, 2, 0.01*dollar, bot)
	w.spend(3*60*binsOfMinute, 40, 0.01*dollar, bot)
	if len(w.d.Active()) > 0 {
		t.Errorf("after three hours: %+v", w.d.Active()[0])
	}
}

func TestWhatIsNotFlagged(t *testing.T) {
	for name, c := range map[string]func(*world) []*Event{
		"little money": func(w *world) []*Event {
			w.spend(30*binsOfMinute, 1, 1000, bot)
			return w.spend(12, 100, 1000, bot)
		},
		"a single dear request": func(w *world) []*Event {
			w.spend(30*binsOfMinute, 1, 0.001*dollar, bot)
			return append(w.spend(1, 1, 5*dollar, bot), w.spend(12, 0, 0)...)
		},
		"too little known": func(w *world) []*Event {
			w.spend(10*binsOfMinute, 1, 0.001*dollar, bot)
			return w.spend(12, 50, 0.1*dollar, bot)
		},
		"bursts that are usual": func(w *world) []*Event {
			for range 12 {
				w.spend(4*binsOfMinute, 0, 0)
				w.spend(6, 20, 0.05*dollar, bot)
			}
			w.spend(4*binsOfMinute, 0, 0)
			return w.spend(6, 22, 0.05*dollar, bot)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			if got := c(w); len(got) > 0 {
				t.Errorf("%+v", got[0])
			}
		})
	}
}

// TestANewKeyIsComparedWithOthers: an agent that nobody has seen, and that spends far
// more than any other agent in a minute.
func TestANewKeyIsComparedWithOthers(t *testing.T) {
	w := newWorld()
	others := []Key{{"agent", "a"}, {"agent", "b"}, {"agent", "c"}, {"agent", "d"}, {"agent", "e"}, {"agent", "f"}, {"agent", "g"}, {"agent", "h"}}
	for range 30 * binsOfMinute {
		w.bin++
		samples := []Sample{{Key{}, Sum{8 * 0.01 * dollar, 8 * 1e14, 8}}}
		for _, k := range others {
			samples = append(samples, Sample{k, Sum{0.01 * dollar, 1e14, 1}})
		}
		if news := w.d.Bin(w.bin, samples); len(news) > 0 {
			t.Fatalf("%+v", news[0])
		}
	}
	modest := Key{"agent", "modest"}
	for _, e := range w.spend(6, 1, 0.01*dollar, modest) {
		t.Errorf("a new agent that is as others: %+v", e)
	}
	var told *Event
	for _, e := range w.spend(6, 30, 0.05*dollar, bot) {
		if e.Key == bot {
			told = e
		}
	}
	if told == nil || !told.New {
		t.Fatalf("the new agent is not flagged: %+v", told)
	}
}

// TestTheHourOfTheWeekCounts: what was usual at this hour in the weeks before is no news.
func TestTheHourOfTheWeekCounts(t *testing.T) {
	for name, seasonal := range map[string]bool{"known": true, "not known": false} {
		w := newWorld()
		w.spend(30*binsOfMinute, 1, 0.01*dollar, bot)
		if seasonal {
			var s Season
			for h := range s {
				s[h] = Usual{Median: 6 * dollar, Scale: 1 * dollar, Known: true}
			}
			w.d.Seasons(map[Key]*Season{{}: &s, bot: &s})
		}
		if got := w.spend(12, 20, 0.05*dollar, bot); (len(got) > 0) == seasonal {
			t.Errorf("%s: %d flagged", name, len(got))
		}
	}
}

// TestWhatIsLearnedCounts: a detector that begins goes by the minutes that it is given.
func TestWhatIsLearnedCounts(t *testing.T) {
	for name, usual := range map[string]float64{"usual": 3 * dollar, "unusual": 0.01 * dollar} {
		w := newWorld()
		minutes := make([]Sum, 200)
		for i := range minutes {
			minutes[i] = Sum{usual, usual * usual / 20, 20}
		}
		w.d.Learn(bot, minutes, w.bin+1)
		if n := len(w.d.series[bot].minutes); n != minutesKept {
			t.Errorf("%d minutes are kept", n)
		}
		if got := w.spend(8, 10, 0.05*dollar, bot); (len(got) > 0) != (name == "unusual") {
			t.Errorf("%s: %d flagged", name, len(got))
		}
	}
}

func TestASeasonIsKnownAfterThreeWeeks(t *testing.T) {
	hours := map[int64]float64{}
	const weeks = 3
	for n := int64(0); n < weeks*hoursOfWeek; n++ {
		hours[n] = float64(n%hoursOfWeek) * 60
	}
	s := SeasonOf(hours, 0, weeks*hoursOfWeek-1)
	last := HourOfWeek(ledger.Instant(weeks*hoursOfWeek-1) * ledger.Hour)
	for h, u := range s {
		want := float64((h + hoursOfWeek - 96) % hoursOfWeek) // 1970 begins with hour 96
		if u.Known != (h != last) || u.Known && (u.Median != want || u.Scale != want/2) {
			t.Fatalf("hour %d: %+v, want %v", h, u, want)
		}
	}
}

func TestHoursOfTheWeek(t *testing.T) {
	thursday := ledger.Instant(0) // 1 January 1970
	for _, c := range []struct {
		at   ledger.Instant
		hour int
	}{{thursday, 96}, {thursday + 59*ledger.Minute, 96}, {thursday + ledger.Hour, 97}, {thursday + 3*24*ledger.Hour, 0}, {thursday + 3*24*ledger.Hour - 1, 167}} {
		if got := HourOfWeek(c.at); got != c.hour {
			t.Errorf("%d is hour %d, not %d", c.at, got, c.hour)
		}
	}
}

// TestRecentCountsEachRequestOnce: in its bin, under everything and each of its keys;
// what is too old is not put into a younger bin.
func TestRecentCountsEachRequestOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &Recent{}
		want := map[int64]map[Key]Sum{}
		newest := int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "requests") {
			at := ledger.Instant(rapid.Int64Range(1_000_000, 1_000_040).Draw(t, "bin"))*Bin + 5
			cost := ledger.Amount(rapid.Int64Range(0, 1000).Draw(t, "cost"))
			k := Key{"agent", rapid.SampledFrom([]string{"a", "b"}).Draw(t, "agent")}
			r.Add(at, cost, []Key{k})
			n := BinOf(at)
			newest = max(newest, n)
			if want[n] == nil {
				want[n] = map[Key]Sum{}
			}
			for _, x := range []Key{{}, k} {
				s := want[n][x]
				s.Add(Sum{float64(cost), float64(cost) * float64(cost), 1})
				want[n][x] = s
			}
		}
		got := r.Of(newest)
		if len(got) != len(want[newest]) {
			t.Fatalf("%v, want %v", got, want[newest])
		}
		for _, x := range got {
			if want[newest][x.Key] != x.Sum {
				t.Fatalf("%v: %v, want %v", x.Key, x.Sum, want[newest][x.Key])
			}
		}
	})
}

func TestMedianAndMAD(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOfN(rapid.Float64Range(0, 1e12), 1, 50).Draw(t, "values")
		low, high := math.Inf(1), math.Inf(-1)
		for _, x := range v {
			low, high = min(low, x), max(high, x)
		}
		m, s := MedianMAD(v)
		if m < low || m > high || s < 0 || s > madToSigma*(high-low) {
			t.Fatalf("%v: %v, %v", v, m, s)
		}
	})
	if m, s := MedianMAD([]float64{1, 1, 2, 2, 4, 6, 9}); m != 2 || s != madToSigma {
		t.Errorf("median %v, scale %v", m, s)
	}
}

// TestTheDetectorIsBounded: keys beyond the limit are not followed, idle ones go.
func TestTheDetectorIsBounded(t *testing.T) {
	d := New(DefaultConfig())
	var samples []Sample
	for i := range MaxSeries + 100 {
		samples = append(samples, Sample{Key{string(rune('a' + i%5)), string(rune(i + 1000))}, Sum{1, 1, 1}})
	}
	d.Bin(1000, samples)
	if len(d.series) != MaxSeries {
		t.Errorf("%d series", len(d.series))
	}
	d.Bin(1000+forgetAfter+binsOfMinute, nil)
	d.Bin(1000+forgetAfter+2*binsOfMinute, nil)
	if len(d.series) != 0 {
		t.Errorf("%d series after two idle hours", len(d.series))
	}
}

func TestPausesDoNotConfuseTheBins(t *testing.T) {
	w := newWorld()
	w.spend(30*binsOfMinute, 2, 0.01*dollar, bot)
	w.bin += 10 * forgetAfter // the leader was another one
	if got := w.spend(12, 2, 0.01*dollar, bot); len(got) > 0 {
		t.Errorf("%+v", got[0])
	}
	if again := w.d.Bin(w.bin, []Sample{{bot, Sum{1e12, 1e24, 100}}}); again != nil {
		t.Error("a bin counted twice")
	}
}
