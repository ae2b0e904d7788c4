package export

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"purser/internal/audit"
	"purser/ledger"
)

func chain(events ...audit.Event) (list []audit.Link) {
	var at audit.Head
	for i, e := range events {
		l := audit.NewLink(at.Hash, &audit.Entry{Seq: at.Seq + 1, At: 1_790_000_000_000_000_000 + ledger.Instant(i)*ledger.Second, Event: e})
		at = audit.Head{Seq: at.Seq + 1, Hash: l.Hash}
		list = append(list, l)
	}
	return list
}

func file(t interface{ Fatal(...any) }, list []audit.Link) (lines [][]byte) {
	for _, l := range list {
		b, err := AppendLine(nil, l)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, b)
	}
	return lines
}

var someEvents = []audit.Event{
	{Facts: audit.Facts{Node: "n1", Action: "audit.begin"}, Result: audit.Noted, Count: 1},
	{Facts: audit.Facts{Node: "n1", Actor: "root", Address: "192.0.2.1", Action: "budget.put", Target: "budget/b", Before: []byte(`{"limit":"1"}`), After: []byte(`{"limit":"2"}`)}, Result: audit.Applied, Count: 1},
	{Facts: audit.Facts{Node: "n2", Action: "policy.denied", Address: "192.0.2.0/24", Target: "policy/p", After: []byte(`{"rule":"r"}`)}, Result: audit.Denied, Count: 7, First: 1_790_000_000_500_000_000},
	{Facts: audit.Facts{Node: "n1", Actor: "person:é=|\\<&>\u2028", Action: "key.revoke", Target: "key/a b", After: []byte("not json")}, Result: audit.Late, Count: 1},
	{Facts: audit.Facts{Node: "n3", Action: "node.fence", Before: []byte(` {"spaced": 1}`), After: []byte("null")}, Result: audit.Applied, Count: 1},
}

func TestALineIsReadAsItWasWritten(t *testing.T) {
	list := chain(someEvents...)
	lines := file(t, list)
	want := `{"seq":2,"at":"2026-09-21T14:13:21Z","node":"n1","actor":"root","address":"192.0.2.1","action":"budget.put","target":"budget/b","before":{"limit":"1"},"after":{"limit":"2"},"result":"applied","count":1,"prev":"`
	if !strings.HasPrefix(string(lines[1]), want) {
		t.Errorf("line %s\nbegins not with %s", lines[1], want)
	}
	var got []audit.Link
	for l, err := range Read(bytes.NewReader(bytes.Join(lines, nil))) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, l)
	}
	if !reflect.DeepEqual(got, list) {
		t.Errorf("read %+v\nwritten %+v", got, list)
	}
}

// TestAnyEntryIsALine: also one that no node of this build would write.
func TestAnyEntryIsALine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 12), func(b []byte) string { return string(b) })
		e := audit.Event{
			Facts: audit.Facts{
				Node: ledger.NodeID(text.Draw(t, "node")), Actor: rapid.String().Draw(t, "actor"), Address: text.Draw(t, "address"), Action: rapid.String().Draw(t, "action"),
				Target: text.Draw(t, "target"), Before: []byte(rapid.SampledFrom([]string{"", "{}", `"<"`, "null", "1 ", `{"a": 1}`, "\"\u2028\"", `"\ud800"`, "1e5"}).Draw(t, "before")),
				After: []byte(text.Draw(t, "after")),
			}.Clean(),
			Result: rapid.SampledFrom([]audit.Result{audit.Applied, audit.Denied, audit.Late, audit.Noted}).Draw(t, "result"),
			Count:  rapid.Uint64Min(1).Draw(t, "count"), First: ledger.Instant(rapid.Int64().Draw(t, "first")),
		}
		l := audit.NewLink(audit.Hash{1}, &audit.Entry{Seq: rapid.Uint64Min(1).Draw(t, "seq"), At: ledger.Instant(rapid.Int64().Draw(t, "at")), Event: e})
		b, err := AppendLine(nil, l)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ReadLine(bytes.TrimSuffix(b, []byte("\n"))); err != nil || !reflect.DeepEqual(got, l) {
			t.Fatalf("%s is read as %+v, %v", b, got, err)
		}
	})
}

// TestA1EverySingleEditOfAFileIsFound: each byte changed in several ways, removed and
// doubled, each line removed, repeated and exchanged, of a file whose end is known.
func TestA1EverySingleEditOfAFileIsFound(t *testing.T) {
	list := chain(someEvents...)
	lines := file(t, list)
	whole := bytes.Join(lines, nil)
	expect := audit.Expect{After: &audit.Head{}, Heads: []audit.Head{{Seq: uint64(len(list)), Hash: list[len(list)-1].Hash}}}
	verify := func(b []byte) error {
		_, err := audit.Verify(Read(bytes.NewReader(b)), expect)
		return err
	}
	if err := verify(whole); err != nil {
		t.Fatal(err)
	}
	edits := 0
	found := func(b []byte, what string, args ...any) {
		t.Helper()
		edits++
		var broken *audit.BrokenError
		if err := verify(b); !errors.As(err, &broken) {
			t.Errorf("%s: %v", fmt.Sprintf(what, args...), err)
		}
	}
	for i, c := range whole {
		for _, to := range []byte{c ^ 1, c ^ 0x20, c ^ 0x80, ' ', '0', '\n'} {
			if to != c {
				found(append(append(bytes.Clone(whole[:i]), to), whole[i+1:]...), "byte %d, %q, becomes %q", i, c, to)
			}
		}
		found(append(bytes.Clone(whole[:i]), whole[i+1:]...), "byte %d, %q, is removed", i, c)
		for _, in := range []byte{c, ' ', '\n', '0'} {
			found(append(append(bytes.Clone(whole[:i]), in), whole[i:]...), "%q is put in at %d", in, i)
		}
		found(whole[:i], "cut to %d bytes", i)
	}
	for i := range lines {
		found(bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil), "without line %d", i)
		for j := range lines {
			found(bytes.Join(slices.Insert(slices.Clone(lines), j, lines[i]), nil), "line %d twice, at %d", i, j)
			if i != j {
				swapped := slices.Clone(lines)
				swapped[i], swapped[j] = swapped[j], swapped[i]
				found(bytes.Join(swapped, nil), "lines %d and %d exchanged", i, j)
			}
		}
	}
	t.Logf("%d edits of %d bytes, each found", edits, len(whole))
}

func TestALineThatDoesNotEndIsRefused(t *testing.T) {
	for l, err := range Read(strings.NewReader(strings.Repeat("x", 2*maxLine))) {
		if !errors.Is(err, audit.ErrMalformed) {
			t.Errorf("%+v, %v", l, err)
		}
	}
	escaped := audit.Facts{Before: bytes.Repeat([]byte{1}, audit.MaxDetail), After: bytes.Repeat([]byte{1}, audit.MaxDetail)}
	if b := file(t, chain(audit.Event{Facts: escaped, Result: audit.Applied, Count: 1}))[0]; len(b) > maxLine {
		t.Errorf("the longest line has %d bytes, the limit is %d", len(b), maxLine)
	}
}

// TestCEF: a record is one line, whatever was typed: bars in the header, equals signs
// and line feeds in the extension are escaped.
func TestCEF(t *testing.T) {
	hostile := someEvents[3]
	hostile.Actor, hostile.Action, hostile.Target = "a=b\nCEF:0|x", "x|y\\z\n", "t|=\r\n suser=root"
	want := []string{
		`CEF:0|Purser|purser|v1\|2|audit.begin|audit.begin|3|externalId=1 rt=1790000000000 cnt=1 outcome=noted dvchost=n1 act=audit.begin cs4Label=hash cs4=`,
		`CEF:0|Purser|purser|v1\|2|budget.put|budget.put budget/b|3|externalId=2 rt=1790000001000 cnt=1 outcome=applied dvchost=n1 suser=root act=budget.put src=192.0.2.1 cs1Label=target cs1=budget/b cs2Label=before cs2={"limit":"1"} cs3Label=after cs3={"limit":"2"} cs4Label=hash cs4=`,
		`CEF:0|Purser|purser|v1\|2|policy.denied|policy.denied policy/p|5|externalId=3 rt=1790000002000 start=1790000000500 cnt=7 outcome=denied dvchost=n2 act=policy.denied cs6Label=address cs6=192.0.2.0/24 cs1Label=target`,
		`CEF:0|Purser|purser|v1\|2|x\|y\\z |x\|y\\z  t\|=   suser=root|6|externalId=4 rt=1790000003000 cnt=1 outcome=late dvchost=n1 suser=a\=b\nCEF:0|x act=x|y\\z\n cs1Label=target cs1=t|\=\r\n suser\=root cs3Label=after cs3=not json cs4Label=hash cs4=`,
	}
	for i, l := range chain(someEvents[0], someEvents[1], someEvents[2], hostile) {
		b, err := AppendCEF(nil, l, "v1|2")
		if err != nil || !strings.HasPrefix(string(b), want[i]) || strings.Count(string(b), "\n") != 1 || !strings.HasSuffix(string(b), "\n") {
			t.Errorf("CEF %s, %v\nbegins not with %s", b, err, want[i])
		}
	}
	long := chain(audit.Event{Facts: audit.Facts{After: []byte(strings.Repeat("é", audit.MaxDetail/2))}, Result: audit.Applied, Count: 1})[0]
	if b, err := AppendCEF(nil, long, ""); err != nil || len(b) > cefText+500 || !strings.Contains(string(b), "é… cs4Label") {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}
