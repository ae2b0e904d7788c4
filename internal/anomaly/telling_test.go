package anomaly

import (
	"fmt"
	"testing"

	"purser/ledger"
)

func begun(value string, at ledger.Instant) *Event {
	return &Event{Key: Key{"agent", value}, Began: at, Flagged: at + ledger.Minute}
}

func ended(e *Event, at ledger.Instant) *Event {
	over := *e
	over.Ended = at
	return &over
}

// TestWhatIsExplainedIsNotTold: nor its end.
func TestWhatIsExplainedIsNotTold(t *testing.T) {
	x := NewTelling(nil)
	agent, all := begun("bot", 100), &Event{Began: 100, By: Key{"agent", "bot"}}
	if tell, untold := x.News(10, []*Event{agent, all}); len(tell) != 1 || tell[0].Key != agent.Key || untold != 0 {
		t.Errorf("told %+v, %d not", tell, untold)
	}
	if tell, _ := x.News(20, []*Event{ended(all, 300), ended(agent, 300)}); len(tell) != 1 || tell[0].Key != agent.Key || tell[0].Ended != 300 {
		t.Errorf("the end of %+v", tell)
	}
}

// TestATakeoverTellsNothingTwice: what the one before has told is told again neither while it
// lasts nor as another when it ends; what is not seen any more is over.
func TestATakeoverTellsNothingTwice(t *testing.T) {
	x := NewTelling([]Event{*begun("lasts", 100), *begun("is over", 200)})
	again, other := begun("lasts", 900), begun("begins", 900)
	var told []Event
	for bin := int64(50); bin < 50+3*seenAgain; bin++ {
		var news []*Event
		switch bin {
		case 52:
			news = []*Event{again, other}
		case 50 + 2*seenAgain:
			news = []*Event{ended(again, 1000)}
		}
		tell, _ := x.News(bin, news)
		told = append(told, tell...)
	}
	got := ""
	for _, e := range told {
		got += fmt.Sprintf("%s %d %v; ", e.Value, e.Began, e.Ended != 0)
	}
	if want := "begins 900 false; is over 200 true; lasts 100 true; "; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

// TestWhatGoesUpEverywhereIsNotToldOfEach: and there is room when something is over.
func TestWhatGoesUpEverywhereIsNotToldOfEach(t *testing.T) {
	x := NewTelling(nil)
	var news []*Event
	for i := range 3 * MaxTold {
		news = append(news, begun(fmt.Sprint(i), 100))
	}
	tell, untold := x.News(10, news)
	if len(tell) != MaxTold || untold != 2*MaxTold || tell[0].Value != "0" {
		t.Errorf("%d are told, %d not", len(tell), untold)
	}
	over := ended(news[0], 300)
	never := ended(news[MaxTold], 300)
	if tell, untold := x.News(11, []*Event{over, never, begun("new", 200)}); len(tell) != 2 || tell[0].Key != over.Key || tell[1].Value != "new" || untold != 0 {
		t.Errorf("%+v, %d not", tell, untold)
	}
}

// TestOneDimensionDoesNotKeepTheOthersOut: there is room for a team beside customers without
// number.
func TestOneDimensionDoesNotKeepTheOthersOut(t *testing.T) {
	d := New(DefaultConfig())
	for i := range 2 * MaxSeries {
		d.of(Key{"customer", fmt.Sprint(i)})
	}
	if len(d.series) != maxOfDim || d.of(Key{"team", "search"}) == nil || d.of(Key{}) == nil {
		t.Errorf("%d customers are followed, and no team", len(d.series))
	}
	for n := int64(100); n < 100+2*forgetAfter; n++ {
		d.Bin(n, nil)
	}
	if d.of(Key{"customer", "another"}) == nil {
		t.Error("what is idle is forgotten, and nothing has its place")
	}
}

// TestASkewedClockLosesNothing: a node whose clock is a minute off, either way, counts into
// the bins that the node that judges asks for, and one question that was slow changes nothing.
func TestASkewedClockLosesNothing(t *testing.T) {
	for _, ahead := range []ledger.Instant{-ledger.Minute, 0, ledger.Minute} { // of the judge's clock
		var o Offset
		var r Recent
		counted, spent := 0.0, 0.0
		next := BinOf(1000 * ledger.Minute)
		for at := 1000 * ledger.Minute; at < 1010*ledger.Minute; at += ledger.Second { // true time, the judge's
			own := at - ahead
			if bin := BinOf(at - ledger.Second); bin > next {
				sent := at
				if next%7 == 0 {
					sent -= 2 * ledger.Second // it was slow
				}
				o.Asked(sent, own)
				for _, x := range r.Of(next) {
					counted += x.Cost
				}
				next = bin
			}
			if at < 1001*ledger.Minute { // nobody has asked yet
				continue
			}
			r.Add(own+o.Ahead(), 1, nil)
			spent++
		}
		if missing := spent - counted; missing > 12 { // the last bin is not asked for
			t.Errorf("clocks %d s apart: %v of %v are missing", ahead/ledger.Second, missing, spent)
		}
	}
}
