package forecast

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

// weekly is spending with a daily and a weekly profile, and days that differ by chance.
func weekly(rng *rand.Rand, hours int, noise float64) []ledger.Amount {
	var out []ledger.Amount
	today := 0.0
	for i := range hours {
		if i%day == 0 {
			today = math.Exp(noise * rng.NormFloat64())
		}
		v := 1e9 * today * (2 - math.Cos(2*math.Pi*float64(i%day)/day)) * math.Exp(0.2*rng.NormFloat64())
		if i/day%7 >= 5 {
			v *= 0.3
		}
		out = append(out, ledger.Amount(v))
	}
	return out
}

// TestTheIntervalHoldsAboutAsOftenAsItSays: four of five, over spans of a day to a month,
// and histories of two days to six weeks.
func TestTheIntervalHoldsAboutAsOftenAsItSays(t *testing.T) {
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, 0))
	held, wide, n := 0, 0.0, 0
	for range 60 {
		for _, known := range []int{14 * day, 28 * day, 42 * day} {
			for _, ahead := range []int{day, 5 * day, 20 * day} {
				all := weekly(rng, known+ahead, 0.2)
				p, ok := Project(History{Amounts: all[:known]}, ledger.Instant(known)*ledger.Hour, ledger.Instant(known+ahead)*ledger.Hour)
				if !ok || p.Low > p.Expected || p.Expected > p.High {
					t.Fatalf("%+v, %v", p, ok)
				}
				var came ledger.Amount
				for _, a := range all[known:] {
					came += a
				}
				n++
				wide += float64(p.High-p.Low) / float64(came)
				if came >= p.Low && came <= p.High {
					held++
				}
			}
		}
	}
	share := float64(held) / float64(n)
	t.Logf("seed %d: held in %.1f %% of %d, and was %.0f %% of what came wide", seed, 100*share, n, 100*wide/float64(n))
	if share < 0.72 || share > 0.97 {
		t.Errorf("an interval for four of five held in %.1f %% of %d", 100*share, n)
	}
}

func TestTheShapeIsWhatIsKnown(t *testing.T) {
	for _, c := range []struct {
		hours int
		shape string
	}{{2, ""}, {3, Flat}, {47, Flat}, {48, Daily}, {335, Daily}, {336, Weekly}} {
		h := History{Amounts: make([]ledger.Amount, c.hours)}
		for i := range h.Amounts {
			h.Amounts[i] = 1000
		}
		p, ok := Project(h, ledger.Instant(c.hours)*ledger.Hour, ledger.Instant(c.hours+10)*ledger.Hour)
		if ok != (c.shape != "") || p.Shape != c.shape || ok && p.Expected != 10_000 {
			t.Errorf("%d hours: %+v, %v", c.hours, p, ok)
		}
	}
}

// TestPartsOfHoursCountInPart: what is asked for may begin and end within an hour.
func TestPartsOfHoursCountInPart(t *testing.T) {
	h := History{Amounts: []ledger.Amount{3600, 3600, 3600, 3600}}
	p, ok := Project(h, 4*ledger.Hour+30*ledger.Minute, 5*ledger.Hour+15*ledger.Minute)
	if !ok || p.Expected != 2700 {
		t.Errorf("%+v, %v, want 2700", p, ok)
	}
	if _, ok := Project(h, 5*ledger.Hour, 5*ledger.Hour); ok {
		t.Error("there is a projection of no time")
	}
}

// TestAnyHistoryGivesASaneProjection: none is negative, out of order or not a number.
func TestAnyHistoryGivesASaneProjection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := History{From: rapid.Int64Range(0, 1e6).Draw(t, "from")}
		for range rapid.IntRange(0, 400).Draw(t, "hours") {
			h.Amounts = append(h.Amounts, ledger.Amount(rapid.Int64Range(-1e12, 1e15).Draw(t, "amount")))
		}
		now := ledger.Instant(h.From+int64(len(h.Amounts))) * ledger.Hour
		p, ok := Project(h, now, now+ledger.Instant(rapid.Int64Range(1, int64(60*24*ledger.Hour)).Draw(t, "span")))
		if ok && (p.Low < 0 || p.Low > p.Expected || p.Expected > p.High || p.High > ledger.MaxAmount) {
			t.Fatalf("%+v", p)
		}
	})
}
