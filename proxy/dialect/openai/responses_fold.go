package openai

import (
	"bytes"

	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/sse"
)

// foldResponse appends the response that a whole stream amounts to: the one its
// last event carries. Only a completed response has another form.
func foldResponse(dst, stream []byte) ([]byte, error) {
	var scan sse.Scanner
	scan.Feed(stream)
	var whole []byte
	take := func(e sse.Event) error {
		switch {
		case e.Lines == 0 || string(bytes.TrimSpace(e.Data)) == "[DONE]":
			return nil
		case whole != nil:
			return notFoldable("an event after the last")
		}
		x, err := readEvent(e.Data)
		if err != nil {
			return notFoldable("an event that is not JSON")
		}
		switch string(e.Data[x.kind.Start:x.kind.End]) {
		case "response.completed":
			if x.response.Empty() {
				return notFoldable("no response in the last event")
			}
			whole = e.Data[x.response.Start:x.response.End]
		case "response.failed", "response.incomplete", "error":
			return notFoldable("a response that is not complete")
		}
		return nil
	}
	for {
		e, ok, err := scan.Next()
		if err != nil {
			return nil, notFoldable(err.Error())
		}
		if !ok {
			break
		}
		if err := take(e); err != nil {
			return nil, err
		}
	}
	if e, ok := scan.Rest(); ok {
		if err := take(e); err != nil {
			return nil, err
		}
	}
	if whole == nil {
		return nil, notFoldable("no last event")
	}
	cur := jsonscan.Cursor{Doc: whole}
	if cur.Skip() != nil {
		return nil, notFoldable("a response that is not JSON")
	}
	return append(dst, whole...), nil
}
