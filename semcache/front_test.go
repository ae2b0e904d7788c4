package semcache

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// check verifies what must hold of a shard.
func (s *shard) check() error {
	var all int64
	n := 0
	tenants := map[tenant]int64{}
	for i := range s.parts {
		var bytes int64
		ends := &s.parts[i].ends
		for p := ends.next; p != ends; p = p.next {
			if p.next.prev != p || p.prev.next != p || s.at[p.key] != p || p.in != i {
				return fmt.Errorf("list %d is torn at %x", i, p.key[:4])
			}
			bytes += p.entry.size()
			tenants[p.key.tenant()] += p.entry.size()
			if n++; n > len(s.at) {
				return fmt.Errorf("the lists have more than the %d seats", len(s.at))
			}
		}
		if bytes != s.parts[i].bytes {
			return fmt.Errorf("%d bytes in list %d, %d counted", bytes, i, s.parts[i].bytes)
		}
		all += bytes
	}
	if n != len(s.at) || all > s.most || s.parts[window].bytes > s.parts[window].most || !maps.Equal(tenants, s.tenants) {
		return fmt.Errorf("%d seats of %d bytes in the lists, %d counted, %d allowed; %v, %v", n, all, len(s.at), s.most, tenants, s.tenants)
	}
	return nil
}

func TestFrontStaysBoundedAndWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFront(&Config{MemoryBytes: shards * 4096, TenantShare: 25})
		last := map[string]*Entry{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			name := fmt.Sprint(rapid.IntRange(0, 60).Draw(t, "key"))
			k := keyOf(name)
			k[0] = byte(rapid.IntRange(0, 2).Draw(t, "tenant"))
			k[tenantPrefix] = byte(rapid.IntRange(0, 1).Draw(t, "shard")) // crowd two of them
			id := string(k[:])
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0, 1, 2:
				e := answer(strings.Repeat("x", rapid.IntRange(0, 400).Draw(t, "size")), start)
				last[id] = e
				f.put(&k, e)
			case 3, 4:
				if e := f.look(&k, asking); e != nil && e != last[id] {
					t.Fatal("not the last entry of its key")
				}
				if f.look(&k, asking); !f.wanted(&k) {
					t.Fatal("asked for twice, but not wanted")
				}
			case 5:
				f.remove(&k)
				if f.look(&k, asking) != nil {
					t.Fatal("removed, but there")
				}
			}
			for i := range f {
				if err := f[i].check(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestFrontKeepsWhatIsUsed(t *testing.T) {
	f := newFront(&Config{MemoryBytes: shards * 16 << 10, TenantShare: 25})
	hot := keyOf("hot")
	f.put(&hot, answer("hot", start))
	for i := range 5000 {
		k := keyOf(fmt.Sprint(i))
		k[tenantPrefix] = hot[tenantPrefix]
		f.put(&k, answer("cold", start))
		if i%10 == 0 && f.look(&hot, asking) == nil {
			t.Fatalf("the entry in use was evicted after %d others", i)
		}
	}
}

func TestFrontRefusesWhatWouldEmptyIt(t *testing.T) {
	f := newFront(&Config{MemoryBytes: shards * 8 << 10, TenantShare: 25})
	k := keyOf("q")
	f.put(&k, answer("small", start))
	f.put(&k, answer(strings.Repeat("x", 2<<10), start))
	if e := f.look(&k, asking); e != nil {
		t.Errorf("%d bytes are there, and the older answer must not be", len(e.Body))
	}
	if f.bytes() != 0 {
		t.Errorf("%d bytes", f.bytes())
	}
}
