package copies

import (
	"bytes"
	"encoding/hex"
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestCompatForm compares what is stored and sent with the bytes of form 1.
func TestCompatForm(t *testing.T) {
	tok := token{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	p := push{origin: "node-a", token: tok, begin: true, state: state{complete: true, sealed: true, upto: 1_700_000_000_000_000_000, incarnation: 3}, items: []Item{{[]byte("rkey"), []byte("value")}}}
	m := mark{tok, state{complete: true, upto: 7}}
	co := course{peer: "node-b", token: tok, begun: true, next: []byte("rnext")}
	lines := []string{
		hex.EncodeToString(appendPush(nil, &p)),
		hex.EncodeToString(appendMark(nil, &m)),
		hex.EncodeToString(appendCourse(nil, &co)),
		hex.EncodeToString(noteKey(7, 9)),
		hex.EncodeToString(markKey("node-a", "node-b")),
	}
	want, err := os.ReadFile("testdata/form1.golden")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(lines, "\n") + "\n"; got != string(want) {
		t.Errorf("form 1 is\n%s\nwant\n%s", got, want)
	}
	gotPush, err1 := decodePush(appendPush(nil, &p))
	gotMark, err2 := decodeMark(appendMark(nil, &m))
	gotCourse, err3 := decodeCourse(appendCourse(nil, &co))
	if err1 != nil || err2 != nil || err3 != nil || !reflect.DeepEqual(gotPush, p) || gotMark != m || !reflect.DeepEqual(gotCourse, co) {
		t.Errorf("read again: %+v %v, %+v %v, %+v %v", gotPush, err1, gotMark, err2, gotCourse, err3)
	}
}

func FuzzDecodePush(f *testing.F) {
	f.Add(appendPush(nil, &push{origin: "a", items: []Item{{[]byte("k"), []byte("v")}, {nil, nil}}}))
	f.Add([]byte{form})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePush(b)
		if err != nil {
			return
		}
		again, err := decodePush(appendPush(nil, &p))
		if err != nil || again.origin != p.origin || len(again.items) != len(p.items) || again.state != p.state {
			t.Errorf("%+v became %+v, %v", p, again, err)
		}
		for i := range p.items {
			if !bytes.Equal(again.items[i].Key, p.items[i].Key) || !bytes.Equal(again.items[i].Value, p.items[i].Value) {
				t.Errorf("item %d changed", i)
			}
		}
	})
}
