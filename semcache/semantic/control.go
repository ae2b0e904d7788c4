package semantic

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"purser/internal/packed"
	"purser/internal/store"
	"purser/semcache/decide"
)

// control is what was measured of one route at one bound of error: would-be hits whose
// question was asked anew, and how many of their answers were wrong. Hits of the same
// normal form are not among them.
type control struct {
	route string
	delta float64
	decide.Measured
	unsure uint64 // comparisons that could not tell, since the start

	lower, upper float64 // bounds of the share that is wrong: 0 and 1 while there is no label
}

const (
	// maxControls bounds the pairs of route and bound that are told apart; those beyond
	// share one.
	maxControls = 1024
	// twoSided is the confidence of both bounds together: 95 % for each alone.
	twoSided = 0.90
)

func (k *control) measure() {
	k.lower, k.upper = decide.ClopperPearson(int(k.Bad), int(k.All), twoSided)
}

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
	// writing is held while one moves and is stored, so that the stored forms of one come
	// in their order. It is taken before mu.
	writing sync.Mutex

	mu sync.RWMutex
	of map[controlKey]*control
}

func (c *controls) get(route string, delta float64) control {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if k := c.of[keyOfControl(route, delta)]; k != nil {
		return *k
	}
	if k := c.of[keyOfControl("", delta)]; k != nil && len(c.of) >= maxControls {
		return *k
	}
	return control{route: route, delta: delta, upper: 1}
}

// observe notes a label of an entry with a lower bound of being right, and returns the
// control as it is then. would says that it would have been served. A comparison that
// could not tell is counted, and moves nothing.
func (c *controls) observe(route string, delta float64, l decide.Label, lower float64, would bool) (now control, did decide.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[controlKey]*control{}
	}
	key := keyOfControl(route, delta)
	k := c.of[key]
	if k == nil && len(c.of) >= maxControls {
		key.route = ""
		k = c.of[key]
	}
	if k == nil {
		k = &control{route: key.route, delta: delta, upper: 1}
		c.of[key] = k
	}
	if l == decide.Undecided {
		k.unsure++
		return *k, decide.Kept
	}
	k.Measured, did = k.Observe(l, lower, delta, would)
	k.measure()
	return *k, did
}

// reset begins anew what was measured of a route, or of all, and returns what is left.
func (c *controls) reset(route string) (list []control) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.of {
		if route == "" || k.route == route {
			k.Measured = decide.Measured{}
			k.measure()
			list = append(list, *k)
		}
	}
	return list
}

// list is every control, in order of route and bound.
func (c *controls) list() []control {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]control, 0, len(c.of))
	for _, k := range c.of {
		out = append(out, *k)
	}
	slices.SortFunc(out, func(a, b control) int {
		return cmp.Or(strings.Compare(a.route, b.route), cmp.Compare(a.delta, b.delta))
	})
	return out
}

// Moved says that the measured error of a route made the tier stricter, or less so.
type Moved struct {
	Route string
	Delta float64
	Level int  // 0: as configured; each higher one halves the error that is allowed for
	Off   bool // nothing similar is served until somebody resets the route
}

// observe moves the control of a route.
func (t *Tier) observe(v *Visit, l decide.Label, lower float64, would bool) {
	t.controls.writing.Lock()
	k, did := t.controls.observe(v.route, v.policy.Delta, l, lower, would)
	t.keepControl(&k)
	t.controls.writing.Unlock()
	if did == decide.Kept {
		return
	}
	t.log.Warn("semantic cache: the measured error of a route moves what it serves", "route", k.route, "error_bound", k.delta, "level", int(k.Level), "off", k.Off)
	if t.tell != nil {
		t.tell(Moved{Route: k.route, Delta: k.delta, Level: int(k.Level), Off: k.Off})
	}
}

// Reset begins anew what was measured of a route, or of all for "": so that one that
// was turned off serves again. It returns how many bounds of error there were.
func (t *Tier) Reset(route string) int {
	t.controls.writing.Lock()
	defer t.controls.writing.Unlock()
	list := t.controls.reset(route)
	for i := range list {
		t.keepControl(&list[i])
	}
	return len(list)
}

func (t *Tier) keepControl(k *control) {
	b := t.store.NewBatch()
	set(b, append([]byte{store.PrefixSemantic, roomControl}, k.key()...), k.encode())
	t.apply(b, "write what was measured")
}

// controlVersion of the stored form: version, delta, level, floor, off, bad, all,
// unsure, the tally, route. Its key is the hash of route and delta.
const controlVersion = 1

func (k *control) key() []byte {
	h := sha256.Sum256(fmt.Appendf(nil, "%d %s", keyOfControl(k.route, k.delta).delta, k.route))
	return h[:]
}

func (k *control) encode() []byte {
	b := binary.BigEndian.AppendUint64([]byte{controlVersion}, math.Float64bits(k.delta))
	off := byte(0)
	if k.Off {
		off = 1
	}
	b = append(b, byte(k.Level), byte(k.Floor), off)
	b = binary.BigEndian.AppendUint16(b, k.Bad)
	b = binary.BigEndian.AppendUint16(b, k.All)
	b = binary.AppendUvarint(b, k.unsure)
	for _, n := range k.Seen {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(n.Good)), uint64(n.Bad))
	}
	return append(b, k.route...)
}

func decodeControl(b []byte) (k control, ok bool) {
	const fixed = 1 + 8 + 3 + 4
	if len(b) < fixed || b[0] != controlVersion || b[11] > 1 {
		return k, false
	}
	k.delta = math.Float64frombits(binary.BigEndian.Uint64(b[1:]))
	k.Level, k.Floor, k.Off = int8(b[9]), int8(b[10]), b[11] == 1
	k.Bad, k.All = binary.BigEndian.Uint16(b[12:]), binary.BigEndian.Uint16(b[14:])
	in := packed.Reader{Rest: b[fixed:]}
	k.unsure = in.Uvarint(math.MaxUint64)
	for i := range k.Seen {
		k.Seen[i] = decide.Marks{Good: uint32(in.Uvarint(decide.MaxTally)), Bad: uint32(in.Uvarint(decide.MaxTally))}
	}
	k.route = string(in.Rest)
	if in.Bad || !k.Sound() || !(k.delta > 0 && k.delta < 1) {
		return k, false
	}
	k.Measured = decide.Remember(k.Controller, k.Seen, k.delta)
	k.measure()
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
