package gemini

import (
	"bytes"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation/conversationtest"
	wire "purser/proxy/dialect/gemini"
)

// FuzzReadRequest: any body is read or refused, and what was read can be written
// for the dialect it came in, unless it is refused there by name.
func FuzzReadRequest(f *testing.F) {
	for _, q := range written {
		body, e := Dialect{}.AppendRequest(nil, q())
		if e != nil {
			f.Fatal(e)
		}
		f.Add(body)
	}
	f.Add([]byte(with(`"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"ARRAY","items":{"anyOf":[{"type":"STRING","nullable":true}]}}}]}]`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		q, refused := Dialect{}.ReadRequest(body, target(false))
		if (q == nil) == (refused == nil) {
			t.Fatalf("%v %v", q, refused)
		}
		if refused != nil {
			return
		}
		out, refused := Dialect{}.AppendRequest(nil, q)
		if refused != nil {
			return
		}
		var c dialect.Call
		if e := wire.Decode(&c, target(false), body); e != nil {
			return // the gateway does not come to reading it
		}
		if e := wire.Decode(&c, target(false), out); e != nil {
			t.Fatalf("%v\n%s\n%s", e, body, out)
		}
	})
}

// FuzzReadAnswer: any body gives an answer or an error.
func FuzzReadAnswer(f *testing.F) {
	for _, a := range told {
		f.Add(Dialect{}.AppendAnswer(nil, &a, setting(false), report()))
	}
	f.Add([]byte(`{"error":"x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := Dialect{}.ReadAnswer(body)
		if (a == nil) == (err == nil) {
			t.Fatalf("%v %v", a, err)
		}
		if a == nil {
			return
		}
		var r dialect.Report
		if wire.ReadAnswer(&r, dialect.Chat, Dialect{}.AppendAnswer(nil, a, setting(false), report())); r.Choices != 1 {
			t.Fatalf("%+v", r)
		}
		(Dialect{}).ReadError(body)
	})
}

// FuzzReader: any stream gives events in their order, the same ones however it is
// cut.
func FuzzReader(f *testing.F) {
	for _, stream := range heard {
		f.Add([]byte(stream), 3)
	}
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		r := Dialect{}.NewReader()
		want, wantErr := conversationtest.Read(r, stream, 0)
		if wrong := conversationtest.Ordered(want); wrong != "" {
			t.Fatal(wrong)
		}
		got, err := conversationtest.Read(r, stream, max(size&63, 1))
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(described(got), described(want)) {
			t.Fatalf("%v %v\n%s\n%s", err, wantErr, described(got), described(want))
		}
		w := Dialect{}.NewWriter()
		conversationtest.Write(w, setting(true), want, nil)
	})
}
