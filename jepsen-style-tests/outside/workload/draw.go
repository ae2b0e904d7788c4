package workload

import (
	"math/rand/v2"
	"strings"
	"time"
)

// words are what questions are made of; they mean nothing.
var words = strings.Fields("amber basin cedar delta ember fjord grove haven inlet jetty knoll lagoon meadow nook orchard pier quarry ridge shoal tarn upland vale wharf yard zenith")

// text is a question of so many words that nobody else asks: it begins with its id.
func text(rng *rand.Rand, id string, length int) string {
	var b strings.Builder
	b.WriteString(id)
	for range length {
		b.WriteByte(' ')
		b.WriteString(words[rng.IntN(len(words))])
	}
	return b.String()
}

// between draws a time.
func between(rng *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(rng.Int64N(int64(high-low)+1))
}

// gap draws the time to the next of what comes at a rate a second, as a Poisson
// process has it, and at most ten times the mean.
func gap(rng *rand.Rand, rate float64) time.Duration {
	const most = 10
	mean := float64(time.Second) / rate
	return time.Duration(min(rng.ExpFloat64(), most) * mean)
}

// crowd draws members of a crowd, of which few come often and most seldom (Zipf with
// exponent 1.1).
type crowd struct{ zipf *rand.Zipf }

func newCrowd(rng *rand.Rand, size int) crowd {
	const exponent = 1.1
	return crowd{rand.NewZipf(rng, exponent, 1, uint64(size-1))}
}

func (c crowd) next() int { return int(c.zipf.Uint64()) }
