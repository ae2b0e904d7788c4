package anomaly

import (
	"cmp"
	"slices"

	"purser/ledger"
)

const (
	// MaxTold bounds the anomalies that are told and last: what goes up everywhere at once
	// is not told of each value.
	MaxTold = 32
	// seenAgain is how many bins a detector that begins has to see what was told before it.
	seenAgain = 18
)

// Telling decides what of a detector's news is told: not what a narrower key explains, each
// anomaly once though another detector takes over, and not more than [MaxTold] at a time. It
// is not safe for concurrent use.
type Telling struct {
	told  map[Key]*told
	first int64 // bin; 0: none was seen yet
}

// told is an anomaly that was told, and is not over.
type told struct {
	began ledger.Instant // as it was told
	seen  bool           // by this detector
}

// NewTelling goes on where another stopped, which has told of these and not of their end.
func NewTelling(open []Event) *Telling {
	t := &Telling{told: map[Key]*told{}}
	for _, e := range open {
		t.told[e.Key] = &told{began: e.Began}
	}
	return t
}

// News is what of the news of a bin is told, and how much is not because too much is told
// already. What has ended has the begin that was told.
func (t *Telling) News(bin int64, news []*Event) (tell []Event, untold int) {
	if t.first == 0 {
		t.first = bin
	}
	for _, e := range news {
		was := t.told[e.Key]
		switch {
		case e.Ended != 0 && was != nil:
			delete(t.told, e.Key)
			over := *e
			over.Began = was.began
			tell = append(tell, over)
		case e.Ended != 0:
		case was != nil:
			was.seen = true
		case e.By != Key{}:
		case len(t.told) >= MaxTold:
			untold++
		default:
			t.told[e.Key] = &told{began: e.Began, seen: true}
			tell = append(tell, *e)
		}
	}
	if bin != t.first+seenAgain {
		return tell, untold
	}
	var over []Event
	for k, was := range t.told {
		if !was.seen {
			delete(t.told, k)
			over = append(over, Event{Key: k, Began: was.began, Ended: ledger.Instant(bin+1) * Bin})
		}
	}
	slices.SortFunc(over, func(a, b Event) int {
		return cmp.Or(cmp.Compare(a.Dim, b.Dim), cmp.Compare(a.Value, b.Value))
	})
	return append(tell, over...), untold
}
