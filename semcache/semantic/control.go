package semantic

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
)

// control is what was measured of one route at one bound of error: would-be hits whose
// question was asked anew, and how many of their answers were wrong. Hits of the same
// normal form are not among them.
type control struct {
	route  string
	delta  float64
	level  int    // how much stricter than delta: halved for each, at haltLevel nothing is served
	labels uint64 // since the level changed; both are halved at the window's end
	wrong  uint64
	upper  float64 // bound of the share that is wrong: 1 while there is no label
}

const (
	// haltLevel is where nothing is served any more.
	haltLevel = 3
	// maxControls bounds the pairs of route and bound that are told apart; those beyond
	// share one.
	maxControls = 1024
	// window is how many labels count at the most, as a multiple of what it takes to see
	// that a bound is kept: so that what was long ago counts less and less.
	window = 20
	// confidence of the bounds: one-sided 95 %.
	confidence = 0.95
)

// controlKey tells controls apart. Bounds are compared to a thousandth of a percent.
type controlKey struct {
	route string
	delta int // hundred-thousandths
}

func keyOfControl(route string, delta float64) controlKey {
	return controlKey{route, int(math.Round(delta * 1e5))}
}

// controls is every control.
type controls struct {
	mu sync.RWMutex
	of map[controlKey]*control
}

func (c *controls) get(route string, delta float64) (control, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	k := c.of[keyOfControl(route, delta)]
	if k == nil {
		return control{}, false
	}
	return *k, true
}

// bound is the upper bound of the error of what would be served; 1 while unknown.
func (c *controls) bound(route string, delta float64) float64 {
	k, ok := c.get(route, delta)
	if !ok {
		return 1
	}
	return k.upper
}

// strict is the bound of error that entries have to meet at present.
func (c *controls) strict(route string, delta float64) float64 {
	k, _ := c.get(route, delta)
	return delta / float64(uint(1)<<min(k.level, haltLevel-1))
}

func (c *controls) halted(route string, delta float64) bool {
	k, _ := c.get(route, delta)
	return k.level >= haltLevel
}

// observe notes a label, and returns the control as it is then, and whether its level
// changed.
func (c *controls) observe(route string, delta float64, good bool) (now control, changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := keyOfControl(route, delta)
	k := c.of[key]
	if k == nil {
		if len(c.of) >= maxControls {
			key.route = ""
			route = ""
		}
		if k = c.of[key]; k == nil {
			if c.of == nil {
				c.of = map[controlKey]*control{}
			}
			k = &control{route: route, delta: delta, upper: 1}
			c.of[key] = k
		}
	}
	changed = k.observe(good)
	return *k, changed
}

// observe counts a label. The level rises when more is wrong than may be, for certain,
// and falls when less than half of that is: both with the confidence above. Labels of
// one level say nothing of another.
func (k *control) observe(good bool) (changed bool) {
	k.labels++
	if !good {
		k.wrong++
	}
	if float64(k.labels) > window/k.delta {
		k.labels, k.wrong = (k.labels+1)/2, (k.wrong+1)/2
	}
	k.upper = upperBound(k.labels, k.wrong)
	switch {
	case k.level < haltLevel && !good && lowerBound(k.labels, k.wrong) > k.delta:
		k.level++
	case k.level > 0 && k.upper < k.delta/2:
		k.level--
	default:
		return false
	}
	k.labels, k.wrong, k.upper = 0, 0, 1
	return true
}

// upperBound and lowerBound are the bounds of the share of which x of n were seen,
// after Clopper and Pearson (1934), one-sided each; 1 and 0 without any.
func upperBound(n, x uint64) float64 {
	if n == 0 {
		return 1
	}
	return solve(func(p float64) bool { return tail(n, x, p) <= 1-confidence })
}

func lowerBound(n, x uint64) float64 {
	if x == 0 {
		return 0
	}
	return solve(func(p float64) bool { return 1-tail(n, x-1, p) >= 1-confidence })
}

// solve finds the least p for which over is true, which it is for all above.
func solve(over func(p float64) bool) float64 {
	low, high := 0.0, 1.0
	for range 40 {
		if mid := (low + high) / 2; over(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// tail is the probability of at most x of n, each with probability p.
func tail(n, x uint64, p float64) float64 {
	switch {
	case x >= n:
		return 1
	case p <= 0:
		return 1
	case p >= 1:
		return 0
	}
	logP, logQ := math.Log(p), math.Log1p(-p)
	term := float64(n) * logQ
	total := math.Exp(term)
	for i := uint64(1); i <= x; i++ {
		term += math.Log(float64(n-i+1)) - math.Log(float64(i)) + logP - logQ
		total += math.Exp(term)
	}
	return min(total, 1)
}

// controlVersion of the stored form: version, delta, level, labels, wrong, route. Its
// key is the hash of route and delta.
const controlVersion = 1

func (k *control) key() []byte {
	h := sha256.Sum256(fmt.Appendf(nil, "%d %s", keyOfControl(k.route, k.delta).delta, k.route))
	return h[:]
}

func (k *control) encode() []byte {
	b := binary.BigEndian.AppendUint64([]byte{controlVersion}, math.Float64bits(k.delta))
	for _, n := range [...]uint64{uint64(k.level), k.labels, k.wrong} {
		b = binary.AppendUvarint(b, n)
	}
	return append(b, k.route...)
}

func decodeControl(b []byte) (k control, ok bool) {
	if len(b) < 9 || b[0] != controlVersion {
		return k, false
	}
	k.delta = math.Float64frombits(binary.BigEndian.Uint64(b[1:]))
	in := input{b: b[9:]}
	k.level, k.labels, k.wrong = in.length(haltLevel), in.uvarint(), in.uvarint()
	k.route = string(in.b)
	if in.bad || k.wrong > k.labels || !(k.delta > 0 && k.delta < 1) || float64(k.labels) > window/k.delta+1 {
		return k, false
	}
	k.upper = upperBound(k.labels, k.wrong)
	return k, true
}

// loadControls reads what was measured before.
func (t *Tier) loadControls() error {
	err := t.each(roomControl, func(_, value []byte) {
		if k, ok := decodeControl(value); ok && len(t.controls.of) < maxControls {
			if t.controls.of == nil {
				t.controls.of = map[controlKey]*control{}
			}
			t.controls.of[keyOfControl(k.route, k.delta)] = &k
		}
	})
	if err != nil {
		return fmt.Errorf("read what was measured of the semantic cache: %w", err)
	}
	return nil
}

// list is every control, in order of route and delta.
func (c *controls) list() []control {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]control, 0, len(c.of))
	for _, k := range c.of {
		out = append(out, *k)
	}
	slices.SortFunc(out, func(a, b control) int {
		if d := strings.Compare(a.route, b.route); d != 0 {
			return d
		}
		return int(math.Copysign(1, a.delta-b.delta))
	})
	return out
}
