package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var patience = Patience{Stable: 10 * time.Second, Dead: time.Minute, Lag: 100}

// scene reads "n1 voter eu/a stable, n2 nonvoter us/b silent 2m": what Raft has
// and what the leader, the first, sees. "absent" is in no configuration.
func scene(t *testing.T, text string) View {
	t.Helper()
	v := View{}
	for _, part := range strings.Split(text, ",") {
		words := strings.Fields(part)
		n := Seen{ID: words[0], Address: words[0] + ":1"}
		if v.Self == "" {
			v.Self = n.ID
		}
		s := Server{ID: n.ID, Address: n.Address}
		listed := true
		for i, w := range words[1:] {
			switch {
			case w == "voter":
				s.Voter = true
			case w == "nonvoter":
			case w == "absent":
				listed = false
			case w == "stable":
				n.Answers = time.Minute
			case w == "young":
				n.Answers = time.Second
			case w == "behind":
				n.Behind = 1000
			case w == "removed":
				n.Removed = true
			case w == "leaving":
				n.Leaving = true
			case w == "moved":
				n.Address = "new:1"
			case w == "silent":
				d, err := time.ParseDuration(words[i+2])
				if err != nil {
					t.Fatal(err)
				}
				n.Silent = d
			case strings.Contains(w, "/"):
				n.Region, n.Zone, _ = strings.Cut(w, "/")
			}
		}
		if listed {
			v.Servers = append(v.Servers, s)
		}
		v.Nodes = append(v.Nodes, n)
	}
	return v
}

func TestPlan(t *testing.T) {
	for _, c := range []struct{ name, scene, want string }{
		{"alone", "n1 voter", "-"},
		{"a new node", "n1 voter, n2 absent", "add as non-voter n2 n2:1"},
		{"not stable yet", "n1 voter, n2 nonvoter young", "-"},
		{"too far behind", "n1 voter, n2 nonvoter stable behind", "-"},
		{"the second votes", "n1 voter, n2 nonvoter stable", "make voter n2 n2:1"},
		{"the third votes", "n1 voter, n2 voter stable, n3 nonvoter stable", "make voter n3 n3:1"},
		{"a fourth would add nothing", "n1 voter, n2 voter stable, n3 voter stable, n4 nonvoter stable", "-"},
		{"a fourth and a fifth do", "n1 voter, n2 voter stable, n3 voter stable, n4 nonvoter stable, n5 nonvoter stable", "make voter n4 n4:1"},
		{"five are enough", "n1 voter, n2 voter stable, n3 voter stable, n4 voter stable, n5 voter stable, n6 nonvoter stable, n7 nonvoter stable", "-"},
		{"another zone first", "n1 voter eu/a, n2 nonvoter eu/a stable, n3 nonvoter eu/b stable", "make voter n3 n3:1"},
		{"another region first", "n1 voter eu/a, n2 nonvoter eu/b stable, n3 nonvoter us/a stable", "make voter n3 n3:1"},
		{"it has moved", "n1 voter, n2 voter stable moved, n3 voter stable", "make voter n2 new:1"},
		{"a non-voter has moved", "n1 voter, n2 nonvoter young moved", "add as non-voter n2 new:1"},
		{"the leader has moved", "n1 voter moved", "make voter n1 new:1"},
		{"removed", "n1 voter, n2 voter stable, n3 voter stable removed", "remove n3"},
		{"removed, and the rest could not decide", "n1 voter, n2 voter silent 5m, n3 voter stable removed", "-"},
		{"a removed non-voter always goes", "n1 voter, n2 voter silent 5m, n3 nonvoter removed", "remove n3"},
		{"removed before it was added", "n1 voter, n2 absent removed", "-"},
		{"dead, nobody to replace it", "n1 voter, n2 voter stable, n3 voter silent 5m", "-"},
		{"dead, one to replace it", "n1 voter, n2 voter stable, n3 voter silent 5m, n4 nonvoter stable", "demote to non-voter n3"},
		{"silent, but not for long", "n1 voter, n2 voter stable, n3 voter silent 5s, n4 nonvoter stable", "-"},
		{"dead, but the rest could not decide", "n1 voter, n2 voter silent 5s, n3 voter silent 5m, n4 nonvoter stable", "-"},
		{"leaving, one to replace it", "n1 voter, n2 voter stable, n3 voter stable leaving, n4 nonvoter stable", "demote to non-voter n3"},
		{"leaving, nobody to replace it", "n1 voter, n2 voter stable, n3 voter stable leaving", "-"},
		{"leaving is not promoted", "n1 voter, n2 nonvoter stable leaving", "-"},
	} {
		got := "-"
		if change, ok := Plan(scene(t, c.scene), patience); ok {
			got = strings.TrimSpace(fmt.Sprintf("%s %s %s", change.Kind, change.ID, change.Address))
		}
		if got != c.want {
			t.Errorf("%s (%s): %s, want %s", c.name, c.scene, got, c.want)
		}
	}
}

// TestPlanNeverLosesTheQuorum: whatever the leader sees, carrying out the plan to
// its end terminates, leaves at most MaxVoters, and no step takes away a quorum
// that answers.
func TestPlanNeverLosesTheQuorum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := View{Self: "n0"}
		for i := range rapid.IntRange(1, 8).Draw(t, "nodes") {
			n := Seen{
				ID: fmt.Sprintf("n%d", i), Address: "a:1",
				Region:  rapid.SampledFrom([]string{"eu", "us"}).Draw(t, "region"),
				Zone:    rapid.SampledFrom([]string{"a", "b"}).Draw(t, "zone"),
				Removed: i > 0 && rapid.IntRange(0, 4).Draw(t, "removed") == 0,
				Leaving: i > 0 && rapid.IntRange(0, 4).Draw(t, "leaving") == 0,
				Behind:  uint64(rapid.IntRange(0, 200).Draw(t, "behind")),
			}
			if i > 0 && rapid.Bool().Draw(t, "silent") {
				n.Silent = time.Duration(rapid.IntRange(1, 120).Draw(t, "for")) * time.Second
			} else {
				n.Answers = time.Duration(rapid.IntRange(0, 20).Draw(t, "for")) * time.Second
			}
			v.Nodes = append(v.Nodes, n)
			if i == 0 || rapid.Bool().Draw(t, "listed") {
				v.Servers = append(v.Servers, Server{ID: n.ID, Address: rapid.SampledFrom([]string{"a:1", "b:1"}).Draw(t, "at"), Voter: i == 0 || rapid.Bool().Draw(t, "voter") && voters(v) < MaxVoters})
			}
		}
		decides := func() bool {
			alive := 0
			for _, s := range v.Servers {
				if s.Voter && (s.ID == v.Self || slices.ContainsFunc(v.Nodes, func(n Seen) bool { return n.ID == s.ID && n.Silent == 0 })) {
					alive++
				}
			}
			return alive >= voters(v)/2+1
		}
		could := decides()
		for step := 0; ; step++ {
			c, ok := Plan(v, patience)
			if !ok {
				break
			}
			if step > 50 {
				t.Fatalf("no end: %+v after %+v", c, v)
			}
			carryOut(&v, c)
			if could && !decides() {
				t.Fatalf("%+v took the quorum: %+v", c, v)
			}
			could = decides()
			if voters(v) > MaxVoters || !slices.ContainsFunc(v.Servers, func(s Server) bool { return s.ID == v.Self }) {
				t.Fatalf("%+v leads to %+v", c, v)
			}
		}
	})
}

func carryOut(v *View, c Change) {
	i := slices.IndexFunc(v.Servers, func(s Server) bool { return s.ID == c.ID })
	if i < 0 {
		v.Servers = append(v.Servers, Server{ID: c.ID})
		i = len(v.Servers) - 1
	}
	switch c.Kind {
	case AddNonvoter:
		v.Servers[i].Address = c.Address
	case AddVoter:
		v.Servers[i].Address, v.Servers[i].Voter = c.Address, true
	case Demote:
		v.Servers[i].Voter = false
	case Remove:
		v.Servers = slices.Delete(v.Servers, i, i+1)
	}
}
