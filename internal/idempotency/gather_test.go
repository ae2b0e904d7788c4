package idempotency

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"purser/ledger"
)

// cluster is members that come and go, each a home with entries of its own, and nodes
// that ask them for claims of one key, a step at a time in any order. Answers are lost,
// reports are late, lost for a time or lost with their node; homes are away. It is the
// protocol as nodes carry it out, with the steps between which a process may die.
type cluster struct {
	now     ledger.Instant
	since   ledger.Instant
	members []*member
	askers  []*asker
	key     Key
	chance  *rand.Rand

	refused, several int
}

type member struct {
	id      string
	joined  ledger.Instant
	removed ledger.Instant // 0: never
	seen    map[string]ledger.Instant
	away    bool
	entry   *Entry
}

type asker struct {
	ask     Ask
	way     *Gathering
	began   ledger.Instant
	granted bool
	sent    ledger.Instant // 0: not
	ended   bool
	dead    bool
	how     Ending
	untold  []string
}

func (c *cluster) member(id string) *member {
	return c.members[slices.IndexFunc(c.members, func(m *member) bool { return m.id == id })]
}

// chain is who has to grant, as a home sees it that is up to date.
func (c *cluster) chain(at *member, k Key) Homes {
	var list []Member
	for _, m := range c.members {
		gone := m.removed > 0
		if _, known := at.seen[m.id]; gone && !known {
			at.seen[m.id] = c.now
		}
		list = append(list, Member{ID: m.id, Joined: m.joined, Removed: gone, Forgotten: gone && (at.seen[m.id] < c.since || c.now-at.seen[m.id] >= ledger.Instant(Season))})
	}
	return Chain(list, k, c.since, c.now)
}

// answer is what a home says.
func (c *cluster) answer(m *member, a *Ask) *Reply {
	v := m.entry.Judge(a, c.now)
	if v == Running {
		w := c.word(m.entry.Token)
		if w == GaveUp {
			m.entry, _ = m.entry.End(m.entry.Token, Released, 0)
		}
		if v = m.entry.Judge(a, c.now); v == Running {
			v = Heard(w)
		}
	}
	if v != Free && v != Granted {
		return &Reply{Verdict: v}
	}
	homes := c.chain(m, a.Key)
	switch {
	case homes.Barred(m.id) != "":
		return &Reply{Verdict: Unavailable, Why: "gone"}
	case !slices.Contains(homes.IDs, m.id):
		return &Reply{Verdict: Elsewhere, Homes: homes.IDs}
	}
	if v = m.entry.Judge(a, c.now); v == Free {
		m.entry, v = Claim(a, "n", c.now+ledger.Instant(LongestTTL)), Granted
	}
	return &Reply{Verdict: v, Homes: homes.IDs}
}

func (c *cluster) word(token Token) Word {
	i := slices.IndexFunc(c.askers, func(a *asker) bool { return a.ask.Token == token })
	switch a := c.askers[i]; {
	case c.draw(5) == 0:
		return Silent
	case a.dead:
		return NoneOfMine
	case !a.ended:
		return Runs
	case a.how == Released:
		return GaveUp
	case len(a.untold) > 0:
		return Ended
	default:
		return NoneOfMine
	}
}

func (a *asker) end(how Ending) {
	a.ended, a.how, a.untold = true, how, slices.Clone(a.way.Taken)
}

// steps is what can happen next, and how often.
var steps = []struct {
	weight int
	do     func(*cluster)
}{
	{6, func(c *cluster) {
		a := &asker{ask: Ask{Key: c.key, Print: Print{1}, Token: Token{byte(len(c.askers)), byte(len(c.askers) >> 8)}}, began: c.now}
		first := c.draw(len(c.members)) // of whatever view
		for c.members[first].removed > 0 {
			first = c.draw(len(c.members))
		}
		a.way = Gather(c.members[first].id)
		c.askers = append(c.askers, a)
	}},
	{30, func(c *cluster) {
		if a := c.some(func(a *asker) bool { return !a.granted && !a.ended }); a != nil {
			c.step(a)
		}
	}},
	{8, func(c *cluster) {
		a := c.some(func(a *asker) bool { return a.granted && a.sent == 0 && !a.ended })
		switch {
		case a == nil:
		case c.now-a.began > hour/4: // as old as a claim may be
			a.end(Released)
		default:
			a.sent = c.now
		}
	}},
	{4, func(c *cluster) {
		if a := c.some(func(a *asker) bool { return a.sent > 0 && !a.ended }); a != nil {
			a.end([]Ending{Kept, Unkept, Doubtful, Released}[c.draw(4)]) // of Released, the provider did nothing
			if a.how == Released {
				a.sent = 0
			}
		}
	}},
	{12, func(c *cluster) {
		if a := c.some(func(a *asker) bool { return len(a.untold) > 0 }); a != nil {
			c.tell(a)
		}
	}},
	{1, func(c *cluster) {
		if a := c.some(func(*asker) bool { return true }); a != nil {
			a.dead = true
		}
	}},
	{1, func(c *cluster) {
		if len(c.members) < 7 {
			c.join()
		}
	}},
	{1, func(c *cluster) {
		m, there := c.members[c.draw(len(c.members))], 0
		for _, o := range c.members {
			if o.removed == 0 {
				there++
			}
		}
		if there > 1 && m.removed == 0 && c.draw(2) == 0 {
			m.removed = c.now
		}
	}},
	{1, func(c *cluster) { m := c.members[c.draw(len(c.members))]; m.away = !m.away && c.draw(3) == 0 }},
	{4, func(c *cluster) { c.now += ledger.Instant(1+c.draw(10)) * 60 * ledger.Second }},
	{3, func(c *cluster) { c.now += ledger.Instant(1+c.draw(13)) * hour }},
}

func (c *cluster) draw(n int) int { return c.chance.IntN(n) }

func (c *cluster) join() {
	c.members = append(c.members, &member{id: fmt.Sprintf("n%d", len(c.members)), joined: c.now, seen: map[string]ledger.Instant{}})
	c.now++
}

func (c *cluster) some(which func(*asker) bool) *asker {
	var list []*asker
	for _, a := range c.askers {
		if !a.dead && which(a) {
			list = append(list, a)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[c.draw(len(list))]
}

func (c *cluster) step(a *asker) {
	home, more := a.way.Next()
	if !more {
		if a.way.Outcome().Verdict != Granted {
			c.refused++
			a.end(Released)
			return
		}
		a.granted = true
		if len(a.way.Taken) > 1 {
			c.several++
		}
		return
	}
	m := c.member(home)
	if m.away || m.removed > 0 {
		a.way.Hear(nil, "away")
		return
	}
	reply := c.answer(m, &a.ask)
	if c.draw(12) == 0 {
		reply = nil // it is lost
	}
	a.way.Hear(reply, "lost")
}

func (c *cluster) tell(a *asker) {
	a.untold = slices.DeleteFunc(a.untold, func(id string) bool {
		m := c.member(id)
		if m.removed > 0 {
			return true
		}
		if m.away || c.draw(4) == 0 {
			return false
		}
		m.entry, _ = m.entry.End(a.ask.Token, a.how, 1)
		return true
	})
}

// check is that no two calls were sent within a key's time.
func (c *cluster) check() error {
	for i, a := range c.askers {
		for _, b := range c.askers[i+1:] {
			if a.sent == 0 || b.sent == 0 {
				continue
			}
			if max(a.sent, b.sent)-min(a.began, b.began) < ledger.Instant(LongestTTL) {
				return fmt.Errorf("two calls, at %v and %v h: %+v, %+v", a.sent/hour, b.sent/hour, *a.way, *b.way)
			}
		}
	}
	return nil
}

// TestOneCallWhateverMembersComeAndGo: no two calls within a key's time.
func TestOneCallWhateverMembersComeAndGo(t *testing.T) {
	weights := 0
	for _, s := range steps {
		weights += s.weight
	}
	sent, later, refused, several := 0, 0, 0, 0
	for seed := range uint64(3000) {
		c := &cluster{chance: rand.New(rand.NewPCG(seed, 58)), now: 1}
		c.key = MakeKey("scope", fmt.Sprint(seed))
		for range 1 + c.draw(4) {
			c.join()
			c.now += ledger.Instant(c.draw(2)) * 30 * hour
		}
		if len(c.members) > 2 && c.draw(2) == 0 { // one leaves, and some see it at once
			c.members[0].removed = c.now
			for _, m := range c.members[1:] {
				if c.draw(2) == 0 {
					m.seen["n0"] = c.now
				}
			}
			c.now++
		}
		c.since = ledger.Instant(c.draw(2)) * c.now
		c.now++
		for range 400 {
			n := c.draw(weights)
			for _, s := range steps {
				if n -= s.weight; n < 0 {
					s.do(c)
					break
				}
			}
			if err := c.check(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		calls := 0
		for _, a := range c.askers {
			if a.sent > 0 {
				calls++
			}
		}
		sent, refused, several = sent+calls, refused+c.refused, several+c.several
		later += max(0, calls-1)
	}
	t.Logf("%d calls, %d of them after another's time, %d refusals, %d claims of several homes", sent, later, refused, several)
	if sent < 1000 || later < 1000 || refused < 1000 || several < 1000 {
		t.Errorf("%d calls, %d after another's time, %d refused, %d by several homes: the test shows little", sent, later, refused, several)
	}
}

// TestGathering tells the ways there are.
func TestGathering(t *testing.T) {
	granted := func(homes ...string) *Reply { return &Reply{Verdict: Granted, Homes: homes} }
	for name, c := range map[string]struct {
		answers []*Reply // of a, then of whoever is asked next
		asked   string
		want    Verdict
		taken   string
	}{
		"one home":                    {[]*Reply{granted("a")}, "a", Granted, "a"},
		"two":                         {[]*Reply{granted("a", "b"), granted("a", "b")}, "a b", Granted, "a b"},
		"it is another":               {[]*Reply{{Verdict: Elsewhere, Homes: []string{"b"}}, granted("b")}, "a b", Granted, "b"},
		"one home is silent":          {[]*Reply{granted("a", "b"), nil}, "a b", Unavailable, "a b"},
		"the second has an answer":    {[]*Reply{granted("a", "b"), {Verdict: Replay}}, "a b", Replay, "a"},
		"the first has one":           {[]*Reply{{Verdict: Replay}}, "a", Replay, ""},
		"the second knows of a third": {[]*Reply{granted("a", "b"), granted("b", "c"), granted("c")}, "a b c", Granted, "a b c"},
		"the second says it is none":  {[]*Reply{granted("a", "b"), {Verdict: Elsewhere, Homes: []string{"a"}}}, "a b", Unavailable, "a"},
		"one that is none is needed":  {[]*Reply{{Verdict: Elsewhere, Homes: []string{"b"}}, granted("b", "a")}, "a b", Unavailable, "b"},
		"nobody is a home":            {[]*Reply{{Verdict: Elsewhere}}, "a", Unavailable, ""},
		"each knows of another, again": {func() (l []*Reply) {
			for i := range 40 {
				l = append(l, granted(fmt.Sprint(i)))
			}
			return l
		}(), "a 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14", Unavailable, "a 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14"},
	} {
		g := Gather("a")
		var asked []string
		for _, r := range c.answers {
			home, ok := g.Next()
			if !ok {
				break
			}
			asked = append(asked, home)
			g.Hear(r, "why")
		}
		if home, more := g.Next(); more {
			t.Errorf("%s: it would ask %s", name, home)
		}
		if got := g.Outcome().Verdict; got != c.want || strings.Join(asked, " ") != c.asked || strings.Join(g.Taken, " ") != c.taken {
			t.Errorf("%s: %v, asked %v, taken %v", name, got, asked, g.Taken)
		}
	}
}
