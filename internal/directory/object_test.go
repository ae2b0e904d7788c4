package directory

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

func putting(kind ObjectKind, id string, expect uint64, spec string, refs ...Ref) PutObject {
	return PutObject{Ref: Ref{kind, id}, Expect: expect, Spec: []byte(spec), Refs: refs}
}

func TestAnObjectChangesFromTheVersionThatWasSeen(t *testing.T) {
	s := New()
	org := Ref{ObjectOrg, "acme"}
	steps := []struct {
		what string
		c    Command
		want Code
	}{
		{"made", putting(ObjectOrg, "acme", 0, `{}`), Applied},
		{"the same again", putting(ObjectOrg, "acme", 0, `{}`), Unchanged},
		{"made twice", putting(ObjectOrg, "acme", 0, `{"a":1}`), VersionMismatch},
		{"changed", putting(ObjectOrg, "acme", 1, `{"a":1}`), Applied},
		{"changed from an old version", putting(ObjectOrg, "acme", 1, `{"a":2}`), VersionMismatch},
		{"that change repeated", putting(ObjectOrg, "acme", 1, `{"a":1}`), Unchanged},
		{"a team of nobody", putting(ObjectTeam, "blue", 0, `{}`, Ref{ObjectOrg, "none"}), MissingReference},
		{"a team", putting(ObjectTeam, "blue", 0, `{}`, org), Applied},
		{"deleted though it is referred to", DeleteObject{org, AnyVersion}, Referenced},
		{"a team below itself", putting(ObjectTeam, "blue", AnyVersion, `{}`, Ref{ObjectTeam, "blue"}), CyclicReference},
		{"a team below", putting(ObjectTeam, "sky", 0, `{}`, Ref{ObjectTeam, "blue"}), Applied},
		{"a circle of two", putting(ObjectTeam, "blue", AnyVersion, `{}`, Ref{ObjectTeam, "sky"}), CyclicReference},
		{"deleted from an old version", DeleteObject{Ref{ObjectTeam, "sky"}, 1}, VersionMismatch},
		{"deleted", DeleteObject{Ref{ObjectTeam, "sky"}, 4}, Applied},
		{"deleted again", DeleteObject{Ref{ObjectTeam, "sky"}, 4}, Unchanged},
		{"the team refers to nothing", putting(ObjectTeam, "blue", 3, `{}`), Applied},
		{"the org is free", DeleteObject{org, 2}, Applied},
		{"no spec", putting(ObjectOrg, "x", 0, ""), InvalidCommand},
		{"too large", putting(ObjectOrg, "x", 0, strings.Repeat("x", MaxSpec+1)), InvalidCommand},
		{"no kind", putting(0, "x", 0, "{}"), InvalidCommand},
		{"a kind too many", putting(numObjectKinds, "x", 0, "{}"), InvalidCommand},
		{"no id", putting(ObjectOrg, "", 0, "{}"), InvalidCommand},
		{"a slash", putting(ObjectOrg, "a/b", 0, "{}"), InvalidCommand},
		{"a long id", putting(ObjectOrg, strings.Repeat("x", MaxObjectID+1), 0, "{}"), InvalidCommand},
		{"references out of order", putting(ObjectOrg, "x", 0, "{}", Ref{ObjectTeam, "blue"}, Ref{ObjectOrg, "acme"}), InvalidCommand},
		{"references twice", putting(ObjectOrg, "x", 0, "{}", Ref{ObjectTeam, "blue"}, Ref{ObjectTeam, "blue"}), InvalidCommand},
	}
	for i, step := range steps {
		version := s.Version()
		out := s.Apply(ledger.Instant(i), step.c)
		if out.Code != step.want {
			t.Fatalf("%s: %v, want %v", step.what, out.Code, step.want)
		}
		if out.Code == Applied && s.Version() != version+1 || out.Code != Applied && s.Version() != version {
			t.Errorf("%s: version %d after %d", step.what, s.Version(), version)
		}
	}
	if o, ok := s.Object(Ref{ObjectTeam, "blue"}); !ok || o.Created != 7 || o.Changed != 15 || len(o.Refs) != 0 {
		t.Errorf("the team is %+v", o)
	}
}

func TestL9ObjectsAreBounded(t *testing.T) {
	s := New()
	spec := strings.Repeat("x", MaxSpec)
	for i := range MaxObjectBytes / MaxSpec {
		if out := s.Apply(1, putting(ObjectOrg, fmt.Sprint(i), 0, spec)); out.Code != Applied {
			t.Fatalf("object %d: %v", i, out.Code)
		}
	}
	if out := s.Apply(1, putting(ObjectOrg, "more", 0, "x")); out.Code != LimitReached {
		t.Errorf("one byte too many: %v", out.Code)
	}
	if out := s.Apply(1, putting(ObjectOrg, "1", AnyVersion, "x")); out.Code != Applied {
		t.Errorf("one became smaller: %v", out.Code)
	}
	if out := s.Apply(1, putting(ObjectOrg, "more", 0, "x")); out.Code != Applied {
		t.Errorf("where there is room: %v", out.Code)
	}
	s = New()
	for i := range MaxObjects {
		s.Apply(1, putting(ObjectOrg, fmt.Sprint(i), 0, "x"))
	}
	if out := s.Apply(1, putting(ObjectTeam, "more", 0, "x")); out.Code != LimitReached {
		t.Errorf("one object too many: %v", out.Code)
	}
	chain := New()
	chain.Apply(1, putting(ObjectTeam, "0", 0, "x"))
	for i := 1; i <= MaxAncestors; i++ {
		if out := chain.Apply(1, putting(ObjectTeam, fmt.Sprint(i), 0, "x", Ref{ObjectTeam, fmt.Sprint(i - 1)})); out.Code != Applied {
			t.Fatalf("link %d: %v", i, out.Code)
		}
	}
	if out := chain.Apply(1, putting(ObjectTeam, "last", 0, "x", Ref{ObjectTeam, fmt.Sprint(MaxAncestors)})); out.Code != LimitReached {
		t.Errorf("a chain too long: %v", out.Code)
	}
}

// objectTwin is a naive table: references are looked for in all of it.
type objectTwin struct {
	version uint64
	rows    map[Ref]Object
}

func (w *objectTwin) reaches(from []Ref, to Ref) bool {
	for _, r := range from {
		if r == to || w.reaches(w.rows[r].Refs, to) {
			return true
		}
	}
	return false
}

func (w *objectTwin) apply(c Command) Code {
	switch c := c.(type) {
	case PutObject:
		old, exists := w.rows[c.Ref]
		switch {
		case exists && string(old.Spec) == string(c.Spec) && reflect.DeepEqual(slices.Clip(old.Refs), slices.Clip(c.Refs)):
			return Unchanged
		case c.Expect != AnyVersion && c.Expect != old.Version:
			return VersionMismatch
		}
		if w.reaches(c.Refs, c.Ref) {
			return CyclicReference
		}
		for _, r := range c.Refs {
			if _, ok := w.rows[r]; !ok {
				return MissingReference
			}
		}
		w.version++
		w.rows[c.Ref] = Object{Ref: c.Ref, Refs: c.Refs, Spec: c.Spec, Version: w.version}
	case DeleteObject:
		old, exists := w.rows[c.Ref]
		switch {
		case !exists:
			return Unchanged
		case c.Expect != AnyVersion && c.Expect != old.Version:
			return VersionMismatch
		}
		for _, o := range w.rows {
			if slices.Contains(o.Refs, c.Ref) {
				return Referenced
			}
		}
		w.version++
		delete(w.rows, c.Ref)
	}
	return Applied
}

func drawRef(t *rapid.T) Ref {
	return Ref{ObjectKind(rapid.IntRange(1, 3).Draw(t, "kind")), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "id")}
}

func drawObjectCommand(t *rapid.T, version uint64) Command {
	expect := rapid.SampledFrom([]uint64{0, AnyVersion, AnyVersion, version, rapid.Uint64Range(0, version).Draw(t, "some version")}).Draw(t, "expect")
	if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
		return DeleteObject{drawRef(t), expect}
	}
	c := PutObject{Ref: drawRef(t), Expect: expect, Spec: []byte(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "spec"))}
	for range rapid.IntRange(0, 2).Draw(t, "refs") {
		c.Refs = append(c.Refs, drawRef(t))
	}
	slices.SortFunc(c.Refs, Ref.Compare)
	c.Refs = slices.Compact(c.Refs)
	return c
}

func TestObjectsAgreeWithTheirTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, w := New(), &objectTwin{rows: map[Ref]Object{}}
		var snap *State
		var digest [32]byte
		for i := range rapid.IntRange(1, 60).Draw(t, "commands") {
			c := drawObjectCommand(t, w.version)
			body := AppendCommand(nil, c)
			read, err := DecodeCommand(body)
			if err != nil || !reflect.DeepEqual(read, c) {
				t.Fatalf("%+v came back as %+v, %v", c, read, err)
			}
			if got, want := s.Apply(ledger.Instant(i), c).Code, w.apply(c); got != want {
				// A missing reference and a circle may both be true of one command.
				if p, ok := c.(PutObject); !ok || got != MissingReference && got != CyclicReference || want != MissingReference && want != CyclicReference || len(p.Refs) < 2 {
					t.Fatalf("command %d, %+v: %v, the twin says %v", i, c, got, want)
				}
			}
			if snap == nil && rapid.IntRange(0, 9).Draw(t, "snapshot") == 0 {
				snap, digest = s.Clone(), s.Digest()
			}
		}
		n := 0
		for k := range numObjectKinds {
			for o := range s.Objects(ObjectKind(k)) {
				n++
				if row := w.rows[o.Ref]; row.Version != o.Version || !bytes.Equal(row.Spec, o.Spec) {
					t.Fatalf("%+v, the twin has %+v", o, row)
				}
			}
		}
		if n != len(w.rows) || n != s.objects.count {
			t.Fatalf("%d objects, counted %d, the twin has %d", n, s.objects.count, len(w.rows))
		}
		if snap != nil && snap.Digest() != digest {
			t.Fatal("a clone changed after it was taken")
		}
		back, err := Load(fromRecords(s.Records()))
		if err != nil {
			t.Fatal(err)
		}
		if back.Digest() != s.Digest() || back.objects.bytes != s.objects.bytes {
			t.Fatal("the state that was loaded is another")
		}
		for r := range w.rows {
			if back.objects.used(r) != s.objects.used(r) {
				t.Fatalf("%v is used %d times after loading, %d before", r, back.objects.used(r), s.objects.used(r))
			}
		}
	})
}

func goldenObjects() []Command {
	return []Command{
		putting(ObjectOrg, "acme", 0, `{"name":"Acme"}`),
		putting(ObjectTeam, "Search_1", AnyVersion, `{"org":"acme"}`, Ref{ObjectOrg, "acme"}),
		DeleteObject{Ref{ObjectTeam, "ann@acme.example"}, 7},
	}
}

func TestCompatObjects(t *testing.T) {
	var commands, records [][]byte
	s := New()
	for i, c := range goldenObjects() {
		commands = append(commands, AppendCommand(nil, c))
		s.Apply(ledger.Instant(1000*i+1), c)
	}
	for i, b := range golden(t, "objects_v1.hex", commands) {
		if c, err := DecodeCommand(b); err != nil || !reflect.DeepEqual(c, goldenObjects()[i]) {
			t.Errorf("command %d reads as %+v, %v", i, c, err)
		}
	}
	for b := range s.Records() {
		records = append(records, bytes.Clone(b))
	}
	back, err := Load(fromRecords(slices.Values(golden(t, "object_records_v1.hex", records))))
	if err != nil || back.Digest() != s.Digest() {
		t.Errorf("the records load as another state: %v", err)
	}
}

func TestObjectRecordsThatNoStateHasAreRefused(t *testing.T) {
	s := New()
	for _, c := range goldenObjects() {
		s.Apply(1, c)
	}
	var records [][]byte
	for b := range s.Records() {
		records = append(records, bytes.Clone(b))
	}
	for what, list := range map[string][][]byte{
		"a reference that leads nowhere": {records[0], records[2]},
		"an object twice":                {records[0], records[1], records[1]},
		"cut short":                      {records[0], records[1][:len(records[1])-1]},
	} {
		if _, err := Load(fromRecords(slices.Values(list))); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
