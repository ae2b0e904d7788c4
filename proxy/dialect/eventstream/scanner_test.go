package eventstream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"reflect"
	"strings"
	"testing"

	lib "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"pgregory.net/rapid"
)

// frame encodes a message with AWS's own encoder. Headers are pairs.
func frame(t interface{ Fatal(...any) }, payload string, headers ...string) []byte {
	m := lib.Message{Payload: []byte(payload)}
	for i := 0; i < len(headers); i += 2 {
		m.Headers.Set(headers[i], lib.StringValue(headers[i+1]))
	}
	var b bytes.Buffer
	if err := lib.NewEncoder().Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// stream is what Bedrock answers ConverseStream with, cut short.
func stream(t interface{ Fatal(...any) }) []byte {
	var b []byte
	for _, e := range [][2]string{
		{"messageStart", `{"role":"assistant"}`},
		{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"héllo"}}`},
		{"messageStop", `{"stopReason":"end_turn"}`},
		{"metadata", `{"usage":{"inputTokens":8,"outputTokens":2,"totalTokens":10}}`},
	} {
		b = append(b, frame(t, e[1], ":event-type", e[0], ":content-type", "application/json", ":message-type", "event")...)
	}
	b = append(b, frame(t, `{"message":"slow down"}`, ":exception-type", "throttlingException", ":content-type", "application/json", ":message-type", "exception")...)
	return append(b, frame(t, "", ":error-code", "InternalError", ":error-message", "it broke", ":message-type", "error")...)
}

// seen is an event that outlives the scanner.
type seen struct {
	kind                  Kind
	typ, message, payload string
	raw                   string
}

// scan feeds the pieces and gives what was found, what was left and the error.
func scan(s *Scanner, pieces ...[]byte) (found []seen, rest int, err error) {
	for _, p := range pieces {
		own := bytes.Clone(p)
		s.Feed(own)
		clear(own) // the scanner keeps nothing of a piece
		for {
			e, ok, err := s.Next()
			if err != nil {
				return found, s.Rest(), err
			}
			if !ok {
				break
			}
			found = append(found, seen{e.Kind, e.Type, e.Message, string(e.Payload), string(e.Raw)})
		}
	}
	return found, s.Rest(), nil
}

func TestMessagesAreFoundWhereverTheStreamIsCut(t *testing.T) {
	all := stream(t)
	want, rest, err := scan(&Scanner{}, all)
	if err != nil || rest != 0 || len(want) != 6 {
		t.Fatal(len(want), rest, err)
	}
	if e := want[1]; e.kind != Data || e.typ != "contentBlockDelta" || !strings.Contains(e.payload, "héllo") {
		t.Errorf("%+v", e)
	}
	if e := want[4]; e.kind != Exception || e.typ != "throttlingException" || e.payload != `{"message":"slow down"}` {
		t.Errorf("%+v", e)
	}
	if e := want[5]; e.kind != Failure || e.typ != "InternalError" || e.message != "it broke" || e.payload != "" {
		t.Errorf("%+v", e)
	}
	raw := ""
	for _, e := range want {
		raw += e.raw
	}
	if raw != string(all) {
		t.Error("the frames are not the stream")
	}
	s := &Scanner{}
	for cut := range len(all) + 1 {
		s.Reset()
		if got, rest, err := scan(s, all[:cut], all[cut:]); err != nil || rest != 0 || !reflect.DeepEqual(got, want) {
			t.Fatalf("cut at %d: %d found, %d left, %v", cut, len(got), rest, err)
		}
	}
	s.Reset()
	var bytewise [][]byte
	for i := range all {
		bytewise = append(bytewise, all[i:i+1])
	}
	if got, _, err := scan(s, bytewise...); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("byte by byte: %d found, %v", len(got), err)
	}
}

// TestABrokenOffStreamHasARest: what was whole was given, what is left is known.
func TestABrokenOffStreamHasARest(t *testing.T) {
	all := stream(t)
	whole, _, _ := scan(&Scanner{}, all)
	for end := range len(all) {
		got, rest, err := scan(&Scanner{}, all[:end])
		given := 0
		for i, e := range got {
			given += len(e.raw)
			if e != whole[i] {
				t.Fatal(end, e)
			}
		}
		if err != nil || given+rest != end {
			t.Fatalf("cut off at %d: %d given, %d left, %v", end, given, rest, err)
		}
	}
}

// TestNoChangedBitGoesUnnoticed: the checksums find each, and after an error
// nothing more is given.
func TestNoChangedBitGoesUnnoticed(t *testing.T) {
	good := frame(t, `{"a":1}`, ":message-type", "event", ":event-type", "x")
	for bit := range 8 * len(good) {
		bad := bytes.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		s := &Scanner{}
		got, _, err := scan(s, append(bad, good...))
		if !errors.Is(err, ErrChecksum) || len(got) != 0 {
			t.Fatalf("bit %d: %d found, %v", bit, len(got), err)
		}
		s.Feed(good)
		if _, ok, again := s.Next(); ok || !errors.Is(again, err) {
			t.Fatalf("bit %d: went on after the error: %v", bit, again)
		}
	}
}

// prelude is the beginning of a frame with true checksums of what it claims.
func prelude(size, headers uint32, rest string) []byte {
	b := binary.BigEndian.AppendUint32(nil, size)
	b = binary.BigEndian.AppendUint32(b, headers)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(b, rest...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func TestFramesThatAreNone(t *testing.T) {
	for name, c := range map[string]struct {
		max  int
		in   []byte
		want error
	}{
		"larger than the limit":       {100, prelude(101, 0, ""), ErrTooLarge},
		"larger than the usual limit": {0, prelude(MaxFrame+1, 0, ""), ErrTooLarge},
		"more headers than allowed":   {0, prelude(1<<20, maxHeaders+1, ""), ErrTooLarge},
		"the largest number":          {0, prelude(1<<32-1, 0, ""), ErrTooLarge},
		"too small":                   {0, prelude(15, 0, ""), ErrFrame},
		"headers beyond the frame":    {0, prelude(20, 5, "abcd"), ErrFrame},
		"a header cut off":            {0, prelude(18, 2, "\x05a"), ErrFrame},
		"a header of no type":         {0, prelude(19, 3, "\x01a\x63"), ErrFrame},
		"no message type":             {0, frame(t, "{}", ":event-type", "x"), ErrFrame},
		"a message type of its own":   {0, frame(t, "{}", ":message-type", "order"), ErrFrame},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Scanner{Max: c.max}
			if got, _, err := scan(s, c.in); !errors.Is(err, c.want) || len(got) != 0 {
				t.Errorf("%d found, %v", len(got), err)
			}
		})
	}
}

// TestAnyMessagesComeBack: whatever is encoded is found again, cut anyhow.
func TestAnyMessagesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []byte
		var want []seen
		for range rapid.IntRange(0, 5).Draw(t, "messages") {
			payload := string(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload"))
			name := rapid.StringMatching(`[a-zA-Z]{1,20}`).Draw(t, "type")
			raw := frame(t, payload, ":message-type", "event", ":event-type", name)
			want = append(want, seen{Data, name, "", payload, string(raw)})
			all = append(all, raw...)
		}
		var pieces [][]byte
		for rest := all; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		if got, rest, err := scan(&Scanner{}, pieces...); err != nil || rest != 0 || !reflect.DeepEqual(got, want) {
			t.Fatalf("%d of %d found, %d left, %v", len(got), len(want), rest, err)
		}
	})
}

func FuzzScanner(f *testing.F) {
	f.Add(stream(f), uint8(3))
	f.Add(prelude(18, 2, "\x05a"), uint8(1))
	f.Add(prelude(1<<31, 0, ""), uint8(9))
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		var pieces [][]byte
		for rest := in; len(rest) > 0; {
			n := min(int(size)%13+1, len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		whole, left, errWhole := scan(&Scanner{}, in)
		cut, _, errCut := scan(&Scanner{}, pieces...)
		if !reflect.DeepEqual(whole, cut) || fmt.Sprint(errWhole) != fmt.Sprint(errCut) {
			t.Errorf("whole: %d and %v, in pieces: %d and %v", len(whole), errWhole, len(cut), errCut)
		}
		given := 0
		for _, e := range whole {
			given += len(e.raw)
		}
		if errWhole == nil && given+left != len(in) {
			t.Errorf("%d given and %d left of %d", given, left, len(in))
		}
	})
}
