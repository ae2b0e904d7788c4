package semcache

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// trace is keys as they are asked for.
type trace []Key

// traces are what the policy is judged by: a few questions that are asked again and
// again (Zipf), the same with scans of what is asked once between (a batch job), and
// sessions whose questions are repeated soon or never.
func traces(asked int) map[string]trace {
	r := rand.New(rand.NewPCG(6, 43))
	zipf := rand.NewZipf(r, 1.01, 1, 50_000)
	key := func(kind string, n uint64) Key { return keyOf(fmt.Sprint(kind, n)) }
	out := map[string]trace{}
	for i := range asked {
		out["zipf"] = append(out["zipf"], key("z", zipf.Uint64()))
		if i/2000%2 == 0 {
			out["zipf and scans"] = append(out["zipf and scans"], key("z", zipf.Uint64()))
		} else {
			out["zipf and scans"] = append(out["zipf and scans"], key("s", uint64(i)))
		}
		recent := uint64(i)
		if r.IntN(2) == 0 {
			recent -= min(recent, uint64(r.ExpFloat64()*300))
		}
		out["soon or never"] = append(out["soon or never"], key("r", recent))
	}
	return out
}

// hitRate asks a cache of about so many entries, and fills what it misses.
func hitRate(get func(*Key) bool, put func(*Key), asked trace) float64 {
	hits := 0
	for i := range asked {
		if k := asked[i]; get(&k) {
			hits++
		} else {
			put(&k)
		}
	}
	return float64(hits) / float64(len(asked))
}

// clock is what W-TinyLFU is compared with: second chances in the order of coming
// (CLOCK), which every answer enters.
type clock struct {
	ring []tick
	at   map[Key]int
	hand int
}

type tick struct {
	key  Key
	used bool
}

func (c *clock) get(k *Key) bool {
	i, ok := c.at[*k]
	if ok {
		c.ring[i].used = true
	}
	return ok
}

func (c *clock) put(k *Key) {
	if len(c.ring) < cap(c.ring) {
		c.at[*k] = len(c.ring)
		c.ring = append(c.ring, tick{key: *k})
		return
	}
	for ; c.ring[c.hand].used; c.hand = (c.hand + 1) % len(c.ring) {
		c.ring[c.hand].used = false
	}
	delete(c.at, c.ring[c.hand].key)
	c.ring[c.hand], c.at[*k] = tick{key: *k}, c.hand
	c.hand = (c.hand + 1) % len(c.ring)
}

func compare(asked int) map[string][2]float64 {
	const entries = 1600
	e := answer(strings.Repeat("x", 700), start)
	out := map[string][2]float64{}
	for name, tr := range traces(asked) {
		f := newFront(&Config{MemoryBytes: e.size() * entries, StoreBytes: e.size() * entries * 10, TenantShare: 25})
		l := &clock{ring: make([]tick, 0, entries), at: map[Key]int{}}
		out[name] = [2]float64{
			hitRate(func(k *Key) bool { return f.look(k, asking) != nil }, func(k *Key) { f.put(k, e) }, tr),
			hitRate(l.get, l.put, tr),
		}
	}
	return out
}

// What is asked for once does not push out what is asked for again and again, and
// what is asked for again soon is there.
func TestAdmissionIsWorthIt(t *testing.T) {
	got := compare(60_000)
	for name, rates := range got {
		t.Logf("%-15s W-TinyLFU %.1f %%, CLOCK %.1f %%", name, 100*rates[0], 100*rates[1])
	}
	for name, gain := range map[string]float64{"zipf": 0.03, "zipf and scans": 0.03, "soon or never": -0.12} {
		if g := got[name][0] - got[name][1]; g < gain {
			t.Errorf("%s: %.3f more hits than CLOCK", name, g)
		}
	}
}

// One tenant that fills without end takes from others no more than what they have
// beyond their share.
func TestOneTenantDoesNotFlushTheOthers(t *testing.T) {
	w := inMemory(t, small(1<<10, 100*1256, 100*1256))
	quiet := func(i int) Key { return MakeKey(Scope{Tenant: "quiet"}, fmt.Append(nil, i)) }
	for i := range 15 {
		w.pass(1)
		w.fill(t, quiet(i), answer(strings.Repeat("x", 970), w.now()))
	}
	for i := range 2000 {
		w.pass(1)
		k := MakeKey(Scope{Tenant: "loud"}, fmt.Append(nil, i))
		w.get(k)
		w.fill(t, k, answer(strings.Repeat("x", 970), w.now()))
		w.get(k) // and asks for more than the quiet one
	}
	w.cache.makeRoom()
	for i := range 15 {
		if _, hit := w.get(quiet(i)); !hit {
			t.Errorf("entry %d of the quiet tenant is gone", i)
		}
	}
	if st := w.cache.Stats(); st.Bytes > 100*1256 || st.Tenants != 2 {
		t.Errorf("%+v", st)
	}
}

func BenchmarkPolicy(b *testing.B) {
	for b.Loop() {
		for name, rates := range compare(400_000) {
			name = strings.ReplaceAll(name, " ", "-")
			b.ReportMetric(100*rates[0], name+"-%")
			b.ReportMetric(100*rates[1], name+"-clock-%")
		}
	}
}
