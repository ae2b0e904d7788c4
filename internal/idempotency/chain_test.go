package idempotency

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

const hour = ledger.Instant(3600 * ledger.Second)

// TestTwoChainsShareAHome draws a cluster's life (members come and go) and two claims of
// one key within its time, each decided by what is true then and by notes of removals
// that homes have made late. If both chains can be completed, they share a home.
func TestTwoChainsShareAHome(t *testing.T) {
	completed, sole, excluded := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		type life struct{ joined, removed ledger.Instant }
		var lives []life
		for range rapid.IntRange(1, 7).Draw(t, "members") {
			l := life{joined: ledger.Instant(rapid.IntRange(0, 120).Draw(t, "joined")) * hour, removed: 1 << 62}
			if rapid.IntRange(0, 2).Draw(t, "leaves") == 0 {
				l.removed = l.joined + ledger.Instant(rapid.IntRange(0, 60).Draw(t, "stays"))*hour
			}
			lives = append(lives, l)
		}
		since := ledger.Instant(rapid.IntRange(0, 120).Draw(t, "since")) * hour
		k := MakeKey("scope", rapid.StringN(1, 8, 16).Draw(t, "key"))
		at := func(now ledger.Instant, name string) Homes {
			var list []Member
			for i, l := range lives {
				if l.joined > now {
					continue
				}
				m := Member{ID: fmt.Sprintf("n%d", i), Joined: l.joined, Removed: l.removed <= now}
				noted := l.removed + ledger.Instant(rapid.IntRange(0, 30).Draw(t, name))*hour
				m.Forgotten = m.Removed && now-noted >= ledger.Instant(Season)
				if m.Forgotten {
					excluded++
				}
				list = append(list, m)
			}
			return Chain(list, k, since, now)
		}
		first := since + ledger.Instant(rapid.IntRange(0, 90).Draw(t, "first"))*hour
		second := first + ledger.Instant(rapid.IntRange(0, int(ledger.Instant(LongestTTL)/hour)).Draw(t, "second"))*hour
		earlier, later := at(first, "noted"), at(second, "noted again")
		one, two := earlier.IDs, later.IDs
		if earlier.gone != "" || later.gone != "" || len(one) == 0 || len(two) == 0 {
			return
		}
		completed++
		if len(one) == 1 && len(two) == 1 {
			sole++
		}
		if !slices.ContainsFunc(one, func(h string) bool { return slices.Contains(two, h) }) {
			t.Fatalf("lives %v, since %d: at %d %v, at %d %v", lives, since/hour, first/hour, one, second/hour, two)
		}
	})
	if completed < 20 || sole == 0 || excluded == 0 {
		t.Errorf("%d pairs were completed, %d by one home, %d members were forgotten: the test shows nothing", completed, sole, excluded)
	}
}

// TestChains: who decides, in the cases that operators meet.
func TestChains(t *testing.T) {
	const now = 1000 * hour
	old, fresh := ledger.Instant(1), now-hour
	k := MakeKey("scope", "key")
	all := Chain([]Member{{ID: "a", Joined: fresh}, {ID: "b", Joined: fresh}, {ID: "c", Joined: fresh}}, k, 0, now)
	first, second, third := all.IDs[0], all.IDs[1], all.IDs[2]
	for name, c := range map[string]struct {
		members []Member
		since   ledger.Instant
		want    []string
		gone    string // of the last of them
	}{
		"the first alone":           {[]Member{{ID: first, Joined: old}, {ID: second, Joined: old}}, 0, []string{first}, ""},
		"a new one, and before it":  {[]Member{{ID: first, Joined: fresh}, {ID: second, Joined: old}, {ID: third, Joined: old}}, 0, []string{first, second}, ""},
		"a new one of another key":  {[]Member{{ID: second, Joined: fresh}, {ID: first, Joined: old}}, 0, []string{first}, ""},
		"all are new":               {[]Member{{ID: first, Joined: fresh}, {ID: second, Joined: fresh}}, 0, []string{first, second}, ""},
		"new, of a newer scope":     {[]Member{{ID: first, Joined: fresh}, {ID: second, Joined: fresh}}, now, []string{first}, ""},
		"as old as the scope":       {[]Member{{ID: first, Joined: fresh}, {ID: second, Joined: fresh}}, fresh, []string{first, second}, ""},
		"one was removed":           {[]Member{{ID: first, Joined: old, Removed: true}, {ID: second, Joined: old}}, 0, []string{second}, first},
		"one was, and all are new":  {[]Member{{ID: first, Joined: old, Removed: true}, {ID: second, Joined: fresh}, {ID: third, Joined: fresh}}, 0, []string{second, third}, first},
		"one was, long ago":         {[]Member{{ID: first, Joined: old, Removed: true, Forgotten: true}, {ID: second, Joined: old}}, 0, []string{second}, ""},
		"one that does not count":   {[]Member{{ID: first, Joined: old}, {ID: second, Joined: old, Removed: true}}, 0, []string{first}, ""},
		"just under a season there": {[]Member{{ID: first, Joined: now - ledger.Instant(Season) + 1}, {ID: second, Joined: old}}, 0, []string{first, second}, ""},
		"a season there":            {[]Member{{ID: first, Joined: now - ledger.Instant(Season)}, {ID: second, Joined: old}}, 0, []string{first}, ""},
	} {
		got := Chain(c.members, k, c.since, now)
		if gone := got.Barred(c.want[len(c.want)-1]); !slices.Equal(got.IDs, c.want) || gone != c.gone {
			t.Errorf("%s: %v gone %q, want %v gone %q", name, got.IDs, gone, c.want, c.gone)
		}
	}
}

// TestAMemberThatJoinsIsNotBarredByRemovalsBefore: it cannot know how long ago they were.
// The end of the chain does, and is asked too.
func TestAMemberThatJoinsIsNotBarredByRemovalsBefore(t *testing.T) {
	const now = 1000 * hour
	k := MakeKey("scope", "key")
	all := Chain([]Member{{ID: "a", Joined: now}, {ID: "b", Joined: now}, {ID: "c", Joined: now}}, k, 0, now)
	removed, fresh, old := all.IDs[0], all.IDs[1], all.IDs[2]
	for _, forgotten := range []bool{false, true} { // by the end
		members := []Member{{ID: removed, Removed: true}, {ID: fresh, Joined: now - hour}, {ID: old}}
		seen := Chain(members, k, 0, now) // by the one that has joined
		members[0].Forgotten = forgotten
		end := Chain(members, k, 0, now)
		want := removed
		if forgotten {
			want = ""
		}
		if gone := seen.Barred(fresh); gone != "" || !slices.Equal(seen.IDs, []string{fresh, old}) {
			t.Errorf("the one that has joined: %v, barred by %q", seen.IDs, gone)
		}
		if gone := end.Barred(old); gone != want || !slices.Equal(end.IDs, []string{fresh, old}) {
			t.Errorf("the end, forgotten %v: %v, barred by %q", forgotten, end.IDs, gone)
		}
	}
}

// TestKeysAreSpread: members are home of about as many keys each.
func TestKeysAreSpread(t *testing.T) {
	members := []Member{{ID: "n1"}, {ID: "n2"}, {ID: "n3"}, {ID: "n4"}, {ID: "n5"}}
	counts := map[string]int{}
	for i := range 5000 {
		homes := Chain(members, MakeKey("s", fmt.Sprint(i)), 1, 1)
		counts[homes.IDs[0]]++
	}
	for node, n := range counts {
		if n < 850 || n > 1150 {
			t.Errorf("%s has %d of 5000", node, n)
		}
	}
	if MakeKey("a", "bc") == MakeKey("ab", "c") {
		t.Error("two scopes share a key")
	}
}
