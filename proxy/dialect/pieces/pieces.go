package pieces

import (
	"bytes"
	"errors"
	"fmt"

	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/sse"
)

// ErrNotFoldable says that a stream is not a whole answer, or has in it what
// cannot be put together or taken apart without guessing. Such an answer is not
// stored.
var ErrNotFoldable = errors.New("answer has no other form")

// NotFoldable is ErrNotFoldable with the reason.
func NotFoldable(why string) error { return fmt.Errorf("%w: %s", ErrNotFoldable, why) }

// Events calls do with each event of a whole stream, also with one that nothing
// closed. Nothing of the stream has been checked.
func Events(stream []byte, do func(sse.Event) error) error {
	var scan sse.Scanner
	scan.Feed(stream)
	for {
		e, ok, err := scan.Next()
		if err != nil {
			return NotFoldable(err.Error())
		}
		if !ok {
			break
		}
		if err := do(e); err != nil {
			return err
		}
	}
	if e, ok := scan.Rest(); ok {
		return do(e)
	}
	return nil
}

// Members calls do with each member of the object raw: its key as written, without
// quotes, and its value.
func Members(raw []byte, do func(key, value []byte) error) error {
	cur := jsonscan.Cursor{Doc: raw, LoneSurrogates: true}
	if cur.Kind() != jsonscan.Object {
		return NotFoldable("something that is not an object")
	}
	return cur.EachMember(func(key jsonscan.Str) error {
		start, end, err := cur.Value()
		if err != nil {
			return err
		}
		return do(raw[key.Start:key.End], raw[start:end])
	})
}

// Elements calls do with each element of the array raw.
func Elements(raw []byte, do func(value []byte) error) error {
	cur := jsonscan.Cursor{Doc: raw, LoneSurrogates: true}
	if cur.Kind() != jsonscan.Array {
		return NotFoldable("something that is not an array")
	}
	return cur.EachElement(func(int) error {
		start, end, err := cur.Value()
		if err != nil {
			return err
		}
		return do(raw[start:end])
	})
}

// Index gives the index member of the object raw, or none.
func Index(raw []byte, none int64) (int64, error) {
	index := none
	err := Members(raw, func(key, value []byte) error {
		if string(key) == "index" {
			cur := jsonscan.Cursor{Doc: value}
			if n, whole, err := cur.Int(); err == nil && whole {
				index = n
			}
		}
		return nil
	})
	return index, err
}

// IsNull says whether a value is null.
func IsNull(value []byte) bool { return value[0] == 'n' }

// AppendCompact appends raw without the white space between its tokens, as the data
// of an event must be, which is one line.
func AppendCompact(dst, raw []byte) []byte {
	quoted := false
	for i := 0; i < len(raw); i++ {
		switch b := raw[i]; {
		case quoted && b == '\\':
			dst = append(dst, b)
			i++
		case b == '"':
			quoted = !quoted
		case !quoted && (b == ' ' || b == '\t' || b == '\n' || b == '\r'):
			continue
		}
		dst = append(dst, raw[i])
	}
	return dst
}

// OneLine gives raw without line ends: itself if it has none, else compact.
func OneLine(raw []byte) []byte {
	if !bytes.ContainsAny(raw, "\r\n") {
		return raw
	}
	return AppendCompact(make([]byte, 0, len(raw)), raw)
}
