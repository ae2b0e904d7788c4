package anthropic

import (
	"bytes"
	"errors"
	"fmt"

	"purser/proxy/dialect/jsonscan"
)

// ErrNotFoldable says that a stream is not a whole answer, or has in it what
// cannot be put together or taken apart without guessing. Such an answer is not
// stored.
var ErrNotFoldable = errors.New("answer has no other form")

func notFoldable(why string) error { return fmt.Errorf("%w: %s", ErrNotFoldable, why) }

// pair is a member: its key without quotes, and its value.
type pair struct {
	key, value []byte
}

// maxPairs bounds the members of one object.
const maxPairs = 64

// object is a JSON object taken apart, in the order of its members.
type object []pair

// get gives the value under key, nil if there is none.
func (o object) get(key string) []byte {
	for i := range o {
		if string(o[i].key) == key {
			return o[i].value
		}
	}
	return nil
}

// set puts value under key, keeping the place of a key that is there.
func (o *object) set(key string, value []byte) {
	for i := range *o {
		if string((*o)[i].key) == key {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, pair{[]byte(key), value})
}

// text is the inside of the string under key; false if it is no string.
func (o object) text(key string) ([]byte, bool) {
	v := o.get(key)
	if len(v) < 2 || v[0] != '"' {
		return nil, false
	}
	return v[1 : len(v)-1], true
}

// is says whether the value under key is the string want.
func (o object) is(key, want string) bool {
	got, ok := o.text(key)
	return ok && string(got) == want
}

// takeApart reads an object, in which no key is twice.
func takeApart(raw []byte) (object, error) {
	cur := jsonscan.Cursor{Doc: raw}
	if cur.Kind() != jsonscan.Object {
		return nil, notFoldable("something that is not an object")
	}
	if err := cur.Open(); err != nil {
		return nil, notFoldable(err.Error())
	}
	o := make(object, 0, 8)
	for first := true; ; first = false {
		key, more, err := cur.Member(first)
		if err != nil {
			return nil, notFoldable(err.Error())
		}
		if !more {
			break
		}
		name := raw[key.Start:key.End]
		if len(o) == maxPairs || o.get(string(name)) != nil {
			return nil, notFoldable("an object with a key given twice, or too many")
		}
		cur.Kind()
		start := cur.Pos
		if err := cur.Skip(); err != nil {
			return nil, notFoldable(err.Error())
		}
		o = append(o, pair{name, raw[start:cur.Pos]})
	}
	if err := cur.End(); err != nil {
		return nil, notFoldable(err.Error())
	}
	return o, nil
}

// elementsOf gives the elements of an array.
func elementsOf(raw []byte) ([][]byte, error) {
	cur := jsonscan.Cursor{Doc: raw}
	if cur.Kind() != jsonscan.Array {
		return nil, notFoldable("something that is not an array")
	}
	if err := cur.Open(); err != nil {
		return nil, notFoldable(err.Error())
	}
	var list [][]byte
	for first := true; ; first = false {
		more, err := cur.Element(first)
		if err != nil {
			return nil, notFoldable(err.Error())
		}
		if !more {
			return list, nil
		}
		cur.Kind()
		start := cur.Pos
		if err := cur.Skip(); err != nil {
			return nil, notFoldable(err.Error())
		}
		list = append(list, raw[start:cur.Pos])
	}
}

func (o object) append(dst []byte) []byte {
	for i, p := range o {
		dst = append(dst, "{,"[min(i, 1)], '"')
		dst = append(append(dst, p.key...), `":`...)
		dst = append(dst, p.value...)
	}
	if len(o) == 0 {
		dst = append(dst, '{')
	}
	return append(dst, '}')
}

func quoted(inside []byte) []byte {
	return append(append(append(make([]byte, 0, len(inside)+2), '"'), inside...), '"')
}

var null = []byte("null")

func isNull(value []byte) bool { return bytes.Equal(value, null) }
