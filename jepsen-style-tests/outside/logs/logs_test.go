package logs

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	boltdb "github.com/hashicorp/raft-boltdb/v2"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/history"
	"purser/ledger"
)

// sealed is an entry of one command, as the log has it.
func sealed(c ledger.Command) []byte { return sealedAt(1, c) }

// sealedAt is one that was stamped at a time.
func sealedAt(at ledger.Instant, c ledger.Command) []byte {
	const header, crc = 15, 11
	b := make([]byte, header)
	b[0], b[2] = 1, 1
	binary.BigEndian.PutUint64(b[3:], uint64(at))
	b = ledger.AppendCommand(b, c)
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(crc32.Checksum(b[:crc], table), table, b[header:])
	binary.BigEndian.PutUint32(b[crc:], sum)
	return b
}

// node writes a log of these commands, after a first entry that is none.
func node(t *testing.T, first uint64, commands ...ledger.Command) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "raft"), 0o700); err != nil {
		t.Fatal(err)
	}
	store, err := boltdb.New(boltdb.Options{Path: filepath.Join(dir, "raft", "raft.db"), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.StoreLog(&raft.Log{Index: first, Term: 1, Type: raft.LogNoop}); err != nil {
		t.Fatal(err)
	}
	for i, c := range commands {
		if err := store.StoreLog(&raft.Log{Index: first + 1 + uint64(i), Term: 2, Type: raft.LogCommand, Data: sealed(c)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func put(limit ledger.Amount) ledger.Command {
	return ledger.PutBudget{Budget: ledger.Budget{ID: "b", Unit: ledger.USD, Limit: limit, Window: ledger.Window{Kind: ledger.Total}}}
}

// digest is what a node that applied these says.
func digest(commands ...ledger.Command) string {
	s := ledger.New()
	for _, c := range commands {
		s.Apply(1, c)
	}
	return fmt.Sprintf("%x", s.Digest())
}

func exchange(seq uint64) *ledger.Exchange {
	return &ledger.Exchange{Node: "n1-1", Incarnation: 1, Seq: seq}
}

func ended(disks map[string]string, applied uint64, digest string) (*history.History, *history.End) {
	end := &history.End{Disks: disks, Nodes: map[string]history.NodeEnd{}}
	for place := range disks {
		end.Nodes[place] = history.NodeEnd{Status: admin.Status{AppliedLog: applied, Digest: digest}}
	}
	return &history.History{Meta: history.Meta{Nodes: 3}}, end
}

func TestLogsAreCarriedOutOnceMore(t *testing.T) {
	register := ledger.Register{Node: "n1-1"}
	good := []ledger.Command{put(5), register, exchange(1)}
	for _, c := range []struct {
		name   string
		disks  []string
		digest string
		want   []string // findings
		logs   int
	}{
		{"good", []string{node(t, 1, good...), node(t, 1, good...), node(t, 1, good...)}, digest(good...), nil, 3},
		{"what one alone has does not count", []string{node(t, 1, good...), node(t, 1, good...), node(t, 1, put(5), register, exchange(1), put(9))}, digest(good...), nil, 3},
		{"another digest", []string{node(t, 1, good...), node(t, 1, good...), node(t, 1, good...)}, digest(put(6)), []string{"C5: after entry 4"}, 3},
		{"another entry", []string{node(t, 1, good...), node(t, 1, good...), node(t, 1, put(6), register, exchange(1))}, digest(good...), []string{"C7: entry 2 of term 2 is another on n3 than on n1"}, 3},
		{"after a snapshot", []string{node(t, 1, good...), node(t, 7, good...), node(t, 1, good...)}, digest(good...), nil, 2},
	} {
		disks := map[string]string{}
		for i, dir := range c.disks {
			disks[fmt.Sprintf("n%d", i+1)] = dir
		}
		h, end := ended(disks, 4, c.digest)
		found := Judge(h, end)
		if r := end.Replay; r.Logs != c.logs || r.Entries != 4 || len(r.Skipped) != 3-c.logs {
			t.Errorf("%s: read %+v", c.name, r)
		}
		if len(found) != len(c.want) {
			t.Errorf("%s: %v, want %q", c.name, found, c.want)
			continue
		}
		for i, f := range found {
			if !strings.Contains(f.Checker+": "+f.What, c.want[i]) {
				t.Errorf("%s: %v, want %q", c.name, f, c.want[i])
			}
		}
	}
}

// TestAnExchangeThatIsAppliedTwice: the ledger itself answers the second with Repeated,
// so that the checker is shown outcomes.
func TestAnExchangeThatIsAppliedTwice(t *testing.T) {
	e := &raft.Log{Data: sealed(exchange(3))}
	if got := exchanges(e, []any{ledger.Outcome{Code: ledger.Applied}}); len(got) != 1 || got[0] != "exchange 3 of n1-1, incarnation 1" {
		t.Errorf("%q", got)
	}
	if got := exchanges(e, []any{ledger.Outcome{Code: ledger.Repeated}}); got != nil {
		t.Errorf("a repeated one counts: %q", got)
	}
}

func TestADamagedEntryIsFound(t *testing.T) {
	bad := sealed(put(5))
	bad[len(bad)-1] ^= 1
	found := replay([]*raft.Log{{Index: 1, Type: raft.LogCommand, Data: bad}}, nil, nil)
	if len(found) != 1 || !strings.Contains(found[0].What, "entry 1 cannot be carried out once more") {
		t.Errorf("%v", found)
	}
}

// TestANodeThatEndsInPeaceGivesItsLeasesBack: what it has is looked at as of its end.
func TestANodeThatEndsInPeaceGivesItsLeasesBack(t *testing.T) {
	row := ledger.Row{Account: ledger.AccountKey{Budget: "b"}}
	takes := &ledger.Exchange{Node: "n1-1", Incarnation: 1, Seq: 1, Rows: []ledger.Row{row}, Needs: []ledger.Need{{Claims: []ledger.Claim{{Missing: 3}}}}}
	row.Done = true
	returns := &ledger.Exchange{Node: "n1-1", Incarnation: 1, Seq: 2, Rows: []ledger.Row{row}}
	var entries []*raft.Log
	for at, c := range []ledger.Command{put(5), ledger.Register{Node: "n1-1"}, takes, put(6), returns, put(7)} {
		entries = append(entries, &raft.Log{Index: uint64(at) + 1, Type: raft.LogCommand, Data: sealedAt(ledger.Instant(at+1)*10, c)})
	}
	for at, want := range map[ledger.Instant]int{25: 0, 35: 1, 45: 1, 55: 0, 65: 0} {
		found := replay(entries, nil, []stop{{"n1-1", at}})
		if len(found) != want || want > 0 && !strings.Contains(found[0].What, "n1-1 ended in peace, and has 1 leases") {
			t.Errorf("ended at %d: %v", at, found)
		}
	}
}
