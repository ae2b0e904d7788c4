package semcache

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// check verifies what must hold of a shard.
func (s *shard) check() error {
	var bytes int64
	n := 0
	for p := s.hand; p != nil; p = p.next {
		if p.next.prev != p || p.prev.next != p || s.at[p.key] != p {
			return fmt.Errorf("the ring is torn at %x", p.key[:4])
		}
		bytes += p.entry.size()
		n++
		if n > len(s.at) {
			return fmt.Errorf("the ring has more than the %d seats", len(s.at))
		}
		if p.next == s.hand {
			break
		}
	}
	if n != len(s.at) || bytes != s.bytes || bytes > s.most {
		return fmt.Errorf("%d seats of %d bytes in the ring, %d and %d counted, %d allowed", n, bytes, len(s.at), s.bytes, s.most)
	}
	return nil
}

func TestFrontStaysBoundedAndWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFront(shards * 4096)
		last := map[string]*Entry{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			name := fmt.Sprint(rapid.IntRange(0, 60).Draw(t, "key"))
			k := keyOf(name)
			k[tenantPrefix] = byte(rapid.IntRange(0, 1).Draw(t, "shard")) // crowd two of them
			id := string(k[:])
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0, 1, 2:
				e := answer(strings.Repeat("x", rapid.IntRange(0, 400).Draw(t, "size")), start)
				last[id] = e
				f.put(&k, e)
			case 3, 4:
				if e := f.get(&k); e != nil && e != last[id] {
					t.Fatal("not the last entry of its key")
				}
				if f.get(&k) != nil && !f.used(&k) {
					t.Fatal("asked for, but not in use")
				}
			case 5:
				f.remove(&k)
				if f.get(&k) != nil {
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
	f := newFront(shards * 16 << 10)
	hot := keyOf("hot")
	f.put(&hot, answer("hot", start))
	for i := range 5000 {
		k := keyOf(fmt.Sprint(i))
		k[tenantPrefix] = hot[tenantPrefix]
		f.put(&k, answer("cold", start))
		if i%10 == 0 && f.get(&hot) == nil {
			t.Fatalf("the entry in use was evicted after %d others", i)
		}
	}
}

func TestFrontRefusesWhatWouldEmptyIt(t *testing.T) {
	f := newFront(shards * 8 << 10)
	k := keyOf("q")
	f.put(&k, answer("small", start))
	f.put(&k, answer(strings.Repeat("x", 2<<10), start))
	if e := f.get(&k); e != nil {
		t.Errorf("%d bytes are there, and the older answer must not be", len(e.Body))
	}
	if f.bytes() != 0 {
		t.Errorf("%d bytes", f.bytes())
	}
}
