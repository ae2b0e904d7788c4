package openai

import (
	"bytes"

	"purser/proxy/dialect/jsonscan"
)

// The helpers here work on JSON that has been checked before.

// members calls do with each member of the object raw: its key as written,
// without quotes, and its value.
func members(raw []byte, do func(key, value []byte) error) error {
	cur := jsonscan.Cursor{Doc: raw, LoneSurrogates: true}
	if cur.Kind() != jsonscan.Object {
		return notFoldable("something that is not an object")
	}
	if err := cur.Open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		key, more, err := cur.Member(first)
		if !more || err != nil {
			return err
		}
		cur.Kind()
		start := cur.Pos
		if err := cur.Skip(); err != nil {
			return err
		}
		if err := do(raw[key.Start:key.End], raw[start:cur.Pos]); err != nil {
			return err
		}
	}
}

// elements calls do with each element of the array raw.
func elements(raw []byte, do func(value []byte) error) error {
	cur := jsonscan.Cursor{Doc: raw, LoneSurrogates: true}
	if cur.Kind() != jsonscan.Array {
		return notFoldable("something that is not an array")
	}
	if err := cur.Open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := cur.Element(first)
		if !more || err != nil {
			return err
		}
		cur.Kind()
		start := cur.Pos
		if err := cur.Skip(); err != nil {
			return err
		}
		if err := do(raw[start:cur.Pos]); err != nil {
			return err
		}
	}
}

// indexOf gives the index member of the object raw, or none.
func indexOf(raw []byte, none int64) (int64, error) {
	index := none
	err := members(raw, func(key, value []byte) error {
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

func isNull(value []byte) bool { return value[0] == 'n' }

// appendPairs appends members, each after a comma.
func appendPairs(dst []byte, list []pair) []byte {
	for _, p := range list {
		dst = append(append(append(dst, `,"`...), p.key...), `":`...)
		dst = append(dst, p.value...)
	}
	return dst
}

// appendWrapped appends members whose values are insides, each after a comma.
func appendWrapped(dst []byte, list []pair, open, end byte) []byte {
	for _, p := range list {
		dst = append(append(append(dst, `,"`...), p.key...), '"', ':', open)
		dst = append(append(dst, p.value...), end)
	}
	return dst
}

// appendObject appends an object of members that body appends each after a comma.
func appendObject(dst []byte, body func([]byte) []byte) []byte {
	at := len(dst)
	dst = body(append(dst, '{'))
	if len(dst) > at+1 { // take the first comma away
		copy(dst[at+1:], dst[at+2:])
		dst = dst[:len(dst)-1]
	}
	return append(dst, '}')
}

// oneLine gives checked JSON without line ends between its tokens, as the data of
// an event must be: raw itself if it has none.
func oneLine(raw []byte) []byte {
	if !bytes.ContainsAny(raw, "\r\n") {
		return raw
	}
	out := make([]byte, 0, len(raw))
	inside := false
	for i := 0; i < len(raw); i++ {
		switch b := raw[i]; {
		case inside && b == '\\':
			out = append(out, b, raw[i+1])
			i++
		case b == '"':
			inside = !inside
			out = append(out, b)
		case !inside && (b == ' ' || b == '\t' || b == '\r' || b == '\n'):
		default:
			out = append(out, b)
		}
	}
	return out
}
