package directory

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

var update = flag.Bool("update", false, "write testdata of the present version")

// golden compares got with testdata/name, which holds one line of hexadecimal each.
func golden(t *testing.T, name string, got [][]byte) [][]byte {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		var out strings.Builder
		for _, b := range got {
			fmt.Fprintln(&out, hex.EncodeToString(b))
		}
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want [][]byte
	for line := range strings.Lines(string(text)) {
		b, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, b)
	}
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Fatalf("%s: the stored form has changed; give it a new version", path)
	}
	return want
}

// goldenCommands has every kind, and a key with every field.
func goldenCommands() []Command {
	k := Key{ID: "ci-bot", Name: "CI büro", CacheOff: true, Expires: 1_700_000_000_000_000_000, AllowModels: []string{"gpt-5", "gpt-5-mini"}}
	for i := range k.Hash {
		k.Hash[i] = byte(i)
	}
	k.Bound.Values[ledger.DimOrg] = "acme"
	k.Bound.Values[ledger.DimEnv] = "prod"
	k.Bound.Tags = []ledger.Tag{{Name: "job", Value: "42"}}
	k.Required = []ledger.DimRef{{Dim: ledger.DimCustomer}, {Dim: ledger.DimTag, Tag: "ticket"}}
	bare := Key{ID: "x", Hash: Hash{31: 1}}
	return []Command{PutKey{Key: k}, PutKey{Key: bare}, RevokeKey{ID: "ci-bot"}, ForgetKey{ID: "x"},
		PutToken{Hash: Hash{7: 9}, Expires: 1_700_000_000_000_000_000},
		AdmitNode{Node: Node{ID: "n1", Store: ledger.StoreID{1, 2}, Address: "10.0.0.1:7071", Region: "eu", Zone: "a"}},
		AdmitNode{Node: Node{ID: "n2", Store: ledger.StoreID{3}, Address: "n2:7071"}, Token: Hash{7: 9}},
		SetNode{ID: "n1", State: NodeDraining},
		ForgetNodes{},
	}
}

func TestCompatCommands_v1(t *testing.T) {
	var got [][]byte
	for _, c := range goldenCommands() {
		got = append(got, AppendCommand(nil, c))
	}
	for i, b := range golden(t, "commands_v1.hex", got) {
		c, err := DecodeCommand(b)
		if err != nil || !reflect.DeepEqual(c, goldenCommands()[i]) {
			t.Errorf("command %d decodes to %+v, %v", i, c, err)
		}
	}
}

// goldenGateways are the commands that came with gateways.
func goldenGateways() []Command {
	return []Command{
		AdmitGateway{Node: Node{ID: "g1", Store: ledger.StoreID{4, 5}, Address: "10.0.1.1:7071", Region: "eu", Zone: "b"}, Token: Hash{7: 8}},
		AdmitGateway{Node: Node{ID: "m0", Store: ledger.StoreID{6}, Address: "m0:7071"}},
	}
}

func TestCompatGateways_v1(t *testing.T) {
	var commands, records [][]byte
	for _, c := range goldenGateways() {
		commands = append(commands, AppendCommand(nil, c))
	}
	for i, b := range golden(t, "gateways_v1.hex", commands) {
		c, err := DecodeCommand(b)
		if err != nil || !reflect.DeepEqual(c, goldenGateways()[i]) {
			t.Errorf("command %d decodes to %+v, %v", i, c, err)
		}
	}
	s := gatewayState()
	for b := range s.Records() {
		records = append(records, bytes.Clone(b))
	}
	back, err := Load(fromRecords(slices.Values(golden(t, "gateway_records_v1.hex", records))))
	if err != nil || back.Digest() != s.Digest() || !reflect.DeepEqual(back.Nodes(), s.Nodes()) {
		t.Errorf("the records load to another state: %v", err)
	}
}

// gatewayState has a gateway between two members, by their IDs.
func gatewayState() *State {
	s := New()
	s.Apply(1000, AdmitNode{Node: Node{ID: "a", Address: "a:1"}})
	for i, id := range []ledger.NodeID{"g1", "z"} {
		s.Apply(2000, PutToken{Hash: Hash{7: byte(8 + i)}, Expires: 9000})
		if id == "z" {
			s.Apply(3000, AdmitNode{Node: Node{ID: id, Address: "z:1"}, Token: Hash{7: 9}})
		}
	}
	s.Apply(4000, goldenGateways()[0])
	s.Apply(5000, SetNode{ID: "g1", State: NodeDraining})
	return s
}

func goldenState() *State {
	s := New()
	for i, c := range goldenCommands() {
		if c.Kind() == KindForgetNodes {
			continue // it would leave no node to store
		}
		s.Apply(ledger.Instant(i+1)*1000, c)
	}
	s.Apply(9000, PutKey{Key: testKey("last")})
	return s
}

func TestCompatRecords_v1(t *testing.T) {
	var got [][]byte
	for b := range goldenState().Records() {
		got = append(got, bytes.Clone(b))
	}
	want := golden(t, "records_v1.hex", got)
	s, err := Load(fromRecords(slices.Values(want)))
	if err != nil {
		t.Fatal(err)
	}
	if s.Digest() != goldenState().Digest() {
		t.Error("the records load to another state")
	}
}

func TestCompatOutcomes_v1(t *testing.T) {
	outcomes := []Outcome{{Code: Applied, Version: 300}, {Code: LimitReached}}
	var got [][]byte
	for _, o := range outcomes {
		got = append(got, AppendOutcome(nil, o))
	}
	for i, b := range golden(t, "outcomes_v1.hex", got) {
		if o, err := DecodeOutcome(b); err != nil || o != outcomes[i] {
			t.Errorf("outcome %d decodes to %+v, %v", i, o, err)
		}
	}
	for _, bad := range [][]byte{nil, {1}, {1, 0, 0}, {2, 1, 0}, {1, 1}, {1, 1, 0, 0}} {
		if _, err := DecodeOutcome(bad); err == nil {
			t.Errorf("DecodeOutcome(%x) accepted", bad)
		}
	}
}

func TestCommandsSurviveTheirStoredForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCommand(t)
		back, err := DecodeCommand(AppendCommand([]byte{}, c))
		if err != nil || !reflect.DeepEqual(back, c) {
			t.Fatalf("%+v came back as %+v, %v", c, back, err)
		}
	})
	full := PutKey{Key: *fullKey()}
	if back, err := DecodeCommand(AppendCommand(nil, full)); err != nil || !reflect.DeepEqual(back, Command(full)) {
		t.Errorf("the fullest key came back otherwise: %v", err)
	}
}

func TestL10DecodersRefuseWhatNoEncoderWrote(t *testing.T) {
	for _, c := range slices.Concat(goldenCommands(), goldenGateways(), goldenLife(), goldenSuspended(), goldenAlertCommands()) {
		b := AppendCommand(nil, c)
		for n := range b {
			if _, err := DecodeCommand(b[:n]); !errors.Is(err, ErrMalformed) {
				t.Errorf("%T cut to %d bytes: %v", c, n, err)
			}
		}
		if _, err := DecodeCommand(append(b, 0)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%T with a byte more: %v", c, err)
		}
	}
	for _, b := range [][]byte{{2, byte(KindRevokeKey), 1, 'a'}, {1, 99, 1, 'a'}, {0, 0}} {
		if _, err := DecodeCommand(b); !errors.Is(err, ErrUnknown) {
			t.Errorf("DecodeCommand(%x) = %v, want unknown", b, err)
		}
	}
}

func TestL10ApplyRefusesACommandOfAnotherPackage(t *testing.T) {
	if out := New().Apply(1, nil); out.Code != InvalidCommand {
		t.Errorf("Apply(nil) = %v", out.Code)
	}
}

func TestAppendCommandRefusesACommandWithoutStoredForm(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	AppendCommand(nil, stranger{})
}

type stranger struct{}

func (stranger) Kind() Kind { return 77 }

func TestLoadRefusesWhatIsNoState(t *testing.T) {
	var good [][]byte
	for b := range goldenState().Records() {
		good = append(good, bytes.Clone(b))
	}
	header := good[0]
	broken := errors.New("disk on fire")
	cases := map[string]struct {
		records iter.Seq2[[]byte, error]
		want    error
	}{
		"nothing":        {seq(), ErrMalformed},
		"no header":      {seq(good[1:]...), ErrMalformed},
		"two headers":    {seq(header, header), ErrMalformed},
		"one key less":   {seq(append([][]byte{header}, good[2:]...)...), ErrMalformed},
		"one key twice":  {seq(append(slices.Clone(good[:len(good)-1]), good[1])...), ErrMalformed},
		"empty record":   {seq(header, nil), ErrMalformed},
		"cut record":     {seq(header, good[1][:20]), ErrMalformed},
		"long record":    {seq(header, append(bytes.Clone(good[1]), 0)), ErrMalformed},
		"later version":  {seq(append([]byte{2}, header[1:]...)), ErrUnknown},
		"unknown kind":   {seq(header, []byte{1, 99}), ErrUnknown},
		"read error":     {func(yield func([]byte, error) bool) { yield(nil, broken) }, broken},
		"too many keys":  {seq(appendUint([]byte{1, recordHeader, 0, 0}, MaxKeys+1)), ErrMalformed},
		"version beyond": {seq([]byte{1, recordHeader, 0, 0, 3}, good[1]), ErrMalformed},
		"invalid key":    {seq([]byte{1, recordHeader, 0, 9, 1}, invalidKeyRecord()), ErrMalformed},
	}
	for name, c := range cases {
		if _, err := Load(c.records); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func invalidKeyRecord() []byte {
	k := testKey("NOT AN ID")
	b := appendKey([]byte{codecVersion, recordKey}, &k)
	return append(b, 0, 0, 1)
}

func seq(records ...[]byte) iter.Seq2[[]byte, error] { return fromRecords(slices.Values(records)) }

func FuzzDecodeCommand(f *testing.F) {
	for _, c := range slices.Concat(goldenCommands(), goldenGateways(), goldenLife(), goldenSuspended(), goldenAlertCommands()) {
		f.Add(AppendCommand(nil, c))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeCommand(b)
		if err != nil {
			if !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrMalformed) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		again, err := DecodeCommand(AppendCommand(nil, c))
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%+v came back as %+v, %v", c, again, err)
		}
		s := New() // L10: any decodable command can be applied
		s.Apply(1, c)
		s.Apply(2, c)
		if _, err := Load(fromRecords(s.Records())); err != nil {
			t.Fatalf("a state that was reached cannot be loaded: %v", err)
		}
	})
}

func FuzzLoad(f *testing.F) {
	for b := range goldenState().Records() {
		f.Add(bytes.Clone(b), bytes.Clone(b))
	}
	for b := range goldenAlertState().Records() {
		f.Add(bytes.Clone(b), bytes.Clone(b))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		s, err := Load(seq(a, b))
		if err == nil {
			_ = s.Digest()
		}
	})
}
