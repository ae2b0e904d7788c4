package alert

import (
	"fmt"
	"strings"
	"testing"

	"purser/ledger"
)

// ranks are conditions as "what=rank", those without a word when they end in brackets.
func ranks(list []Condition) string {
	var out []string
	for _, c := range list {
		what := fmt.Sprintf("%s=%d", c.Key[strings.LastIndexByte(c.Key, '/')+1:], c.Rank)
		if c.Over.Type == "" {
			what = "(" + what + ")"
		}
		out = append(out, what)
	}
	return strings.Join(out, " ")
}

func TestWhatIsKnownOfANode(t *testing.T) {
	p := DefaultPatience()
	for name, c := range map[string]struct {
		node Node
		want string
	}{
		"it answers":                       {Node{Answers: true}, "down=0 allowance=0 clock=0"},
		"its clock is ahead":               {Node{Answers: true, Ahead: 3 * ledger.Second}, "down=0 allowance=0 clock=1"},
		"its clock is behind":              {Node{Answers: true, Ahead: -3 * ledger.Second}, "down=0 allowance=0 clock=1"},
		"silent for a moment":              {Node{Silent: 29 * ledger.Second}, ""},
		"silent for long":                  {Node{Silent: 30 * ledger.Second}, "down=1"},
		"silent for long, with allowance":  {Node{Silent: 299 * ledger.Second, Holds: map[string]int64{"usd": 1}}, "down=1"},
		"its allowance is out of reach":    {Node{Silent: 300 * ledger.Second, Holds: map[string]int64{"usd": 1}}, "down=1 allowance=1"},
		"it holds nothing":                 {Node{Silent: 300 * ledger.Second}, "down=1 allowance=0"},
		"removed, and holds something":     {Node{Removed: true, Silent: ledger.Hour, Holds: map[string]int64{"usd": 1}}, "(down=0) allowance=1 (clock=0)"},
		"removed and fenced":               {Node{Removed: true, Fenced: true, Silent: ledger.Hour, Holds: map[string]int64{"usd": 1}}, "(down=0) allowance=0 (clock=0)"},
		"removed, of which little is seen": {Node{Removed: true, Silent: ledger.Second}, "(down=0) (clock=0)"},
	} {
		c.node.ID, c.node.Role = "n2", "member"
		if got := ranks(p.Node(nil, &c.node, 1)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	n := Node{ID: "n2", Silent: ledger.Hour, Holds: map[string]int64{"usd": int64(12 * dollar), "requests": 7}}
	held := p.Node(nil, &n, 1)[1]
	if held.Data["outstanding_usd"] != int64(12*dollar) || held.Data["outstanding_requests"] != int64(7) || !strings.Contains(held.Summary, "$12.00") {
		t.Errorf("%+v", held)
	}
}

func TestUpstreamsAndCertificates(t *testing.T) {
	p := DefaultPatience()
	if c := p.Upstream(&Upstream{Node: "n1", Name: "openai", Open: 2, Models: []string{"a", "b"}}, 1); c.Rank != 1 || c.Key != "upstream/n1/openai" || c.Over.Type != UpstreamUp {
		t.Errorf("%+v", c)
	}
	if c := p.Upstream(&Upstream{Node: "n1", Name: "openai"}, 1); c.Rank != 0 {
		t.Errorf("%+v", c)
	}
	now := 100 * ledger.Day
	for left, want := range map[ledger.Instant]uint32{15 * ledger.Day: 0, 14*ledger.Day + 1: 0, 14 * ledger.Day: 1, 4 * ledger.Day: 1, 3 * ledger.Day: 2, -ledger.Day: 2} {
		if c := p.Certificate(&Certificate{Name: "n1/cluster", Node: "n1", Ends: now + left}, now); c.Rank != want {
			t.Errorf("%d days: rank %d", left/ledger.Day, c.Rank)
		}
	}
}

func TestKeysThatEnd(t *testing.T) {
	p, now := DefaultPatience(), 100*ledger.Day
	for ends, want := range map[ledger.Instant]bool{0: false, now: false, now - 1: false, now + 1: true, now + 7*ledger.Day: true, now + 7*ledger.Day + 1: false} {
		c, ok := p.Expiring(&Expiring{Type: KeyExpiring, ID: "key_1", Name: "ci", Ends: ends}, now)
		if ok != want || ok && (c.Until != ends || c.Data["key"] != "key_1") {
			t.Errorf("%d: %+v, %v", ends-now, c, ok)
		}
	}
	a, _ := p.Expiring(&Expiring{Type: KeyExpiring, ID: "k", Ends: now + 1}, now)
	b, _ := p.Expiring(&Expiring{Type: KeyExpiring, ID: "k", Ends: now + 2}, now)
	c, _ := p.Expiring(&Expiring{Type: CredentialExpiring, ID: "k", Ends: now + 1}, now)
	if a.Key == b.Key || a.Key == c.Key || c.Data["credential"] != "k" {
		t.Errorf("keys %s, %s, %s", a.Key, b.Key, c.Key)
	}
}
