package openai

import (
	"bytes"

	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/pieces"
	"purser/proxy/dialect/sse"
)

// foldResponse appends the response that a whole stream amounts to: the one its
// last event carries. Only a completed response has another form.
func foldResponse(dst, stream []byte) ([]byte, error) {
	var whole []byte
	err := pieces.Events(stream, func(e sse.Event) error {
		switch {
		case e.Lines == 0 || string(bytes.TrimSpace(e.Data)) == "[DONE]":
			return nil
		case whole != nil:
			return pieces.NotFoldable("an event after the last")
		}
		x, err := readEvent(e.Data)
		if err != nil {
			return pieces.NotFoldable("an event that is not JSON")
		}
		switch string(e.Data[x.kind.Start:x.kind.End]) {
		case "response.completed":
			if x.response.Empty() {
				return pieces.NotFoldable("no response in the last event")
			}
			whole = e.Data[x.response.Start:x.response.End]
		case "response.failed", "response.incomplete", "error":
			return pieces.NotFoldable("a response that is not complete")
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case whole == nil:
		return nil, pieces.NotFoldable("no last event")
	}
	cur := jsonscan.Cursor{Doc: whole}
	if cur.Skip() != nil {
		return nil, pieces.NotFoldable("a response that is not JSON")
	}
	return append(dst, whole...), nil
}
