package qdrant

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"

	"purser/ledger"
	"purser/semcache/semantic"
)

// TestCompatPointV1: points of every build are read, and written in the same place.
func TestCompatPointV1(t *testing.T) {
	p := semantic.Point{Tenant: "acme", Scope: scope("s"), ID: entry("one"), Vector: []float32{0.6, -0.8}, Expires: 1_800_000_000*ledger.Second + 999, Payload: []byte{0, 1, 0xfe, 0xff}}
	got, err := proto.MarshalOptions{Deterministic: true}.Marshal(pointOf(&p))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/point_v1.hex")
	if err != nil {
		t.Fatal(err)
	}
	want, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	var golden, now api.PointStruct
	for raw, into := range map[*api.PointStruct][]byte{&golden: want, &now: got} {
		if err := proto.Unmarshal(into, raw); err != nil {
			t.Fatal(err)
		}
	}
	if !proto.Equal(&golden, &now) {
		t.Errorf("a point is\n%v, want\n%v\n%x", &now, &golden, got)
	}
	q := semantic.Query{Tenant: "acme", Scope: p.Scope, Now: 1_799_999_999 * ledger.Second}
	n, ok := neighbourOf(&api.ScoredPoint{Id: golden.Id, Score: 0.5, Payload: golden.Payload}, &q)
	if !ok || n.ID != p.ID || n.Expires != 1_800_000_000*ledger.Second || !bytes.Equal(n.Payload, p.Payload) {
		t.Errorf("it is read as %+v, %v", n, ok)
	}
}

func TestPointIDsAreUUIDsOfVersionFive(t *testing.T) {
	a, b := pointID(scope("s"), entry("one")), pointID(scope("s"), entry("two"))
	if a == b || a == pointID(scope("z"), entry("one")) || len(a) != 36 || a[14] != '5' || !strings.ContainsRune("89ab", rune(a[19])) {
		t.Errorf("ids %s and %s", a, b)
	}
}

func TestCollectionNames(t *testing.T) {
	for id, want := range map[string]string{
		"static-3f2a.1":         "sem_static-3f2a.1",
		"ollama/nomic:v1":       "sem_ollama-nomic-v1-64e0054d7aa1d443",
		strings.Repeat("x", 65): "sem_" + strings.Repeat("x", 40) + "-9537c5fdf120482f",
		"..":                    "sem_..",
	} {
		if got := Collection("sem_", id); got != want {
			t.Errorf("%q is %q, want %q", id, got, want)
		}
	}
	if Collection("sem_", "a/b") == Collection("sem_", "a:b") {
		t.Error("two embedders have one collection")
	}
}

// FuzzNeighbour: whatever a server sends, a neighbour is of the tenant and scope that
// were asked for, or none.
func FuzzNeighbour(f *testing.F) {
	p := point("acme", "s", "one", 0)
	q := query("acme", "s", 0)
	for _, one := range []*api.PointStruct{pointOf(&p), {}, {Payload: map[string]*api.Value{fieldVersion: api.NewValueInt(1), fieldEntry: api.NewValueNull()}}} {
		raw, err := proto.Marshal(&api.ScoredPoint{Id: one.Id, Payload: one.Payload, Score: 0.9})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s api.ScoredPoint
		if proto.Unmarshal(raw, &s) != nil {
			return
		}
		n, ok := neighbourOf(&s, &q)
		if ok && (s.Payload[fieldTenant].GetStringValue() != tenantHash("acme") || s.Payload[fieldScope].GetStringValue() != scopeHash(q.Scope) ||
			n.Expires <= q.Now || !(n.Similarity > q.Floor) || n.Similarity > 1 || len(n.Payload) > semantic.MaxPayload) {
			t.Errorf("neighbour %+v", n)
		}
	})
}
