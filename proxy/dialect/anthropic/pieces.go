package anthropic

import (
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/pieces"
)

// object is a JSON object taken apart, in the order of its members.
type object []pieces.Pair

// get gives the value under key, nil if there is none.
func (o object) get(key string) []byte {
	for i := range o {
		if string(o[i].Key) == key {
			return o[i].Value
		}
	}
	return nil
}

// set puts value under key, keeping the place of a key that is there.
func (o *object) set(key string, value []byte) {
	for i := range *o {
		if string((*o)[i].Key) == key {
			(*o)[i].Value = value
			return
		}
	}
	*o = append(*o, pieces.Named(key, value))
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
		return nil, pieces.NotFoldable("something that is not an object")
	}
	if err := cur.Open(); err != nil {
		return nil, pieces.NotFoldable(err.Error())
	}
	o := make(object, 0, 8)
	for first := true; ; first = false {
		key, more, err := cur.Member(first)
		if err != nil {
			return nil, pieces.NotFoldable(err.Error())
		}
		if !more {
			break
		}
		name := raw[key.Start:key.End]
		if len(o) == pieces.MaxPairs || o.get(string(name)) != nil {
			return nil, pieces.NotFoldable("an object with a key given twice, or too many")
		}
		start, end, err := cur.Value()
		if err != nil {
			return nil, pieces.NotFoldable(err.Error())
		}
		o = append(o, pieces.Pair{Key: name, Value: raw[start:end]})
	}
	if err := cur.End(); err != nil {
		return nil, pieces.NotFoldable(err.Error())
	}
	return o, nil
}

// elementsOf gives the elements of an array that was part of an object taken apart.
func elementsOf(raw []byte) (list [][]byte, err error) {
	err = pieces.Elements(raw, func(value []byte) error {
		list = append(list, value)
		return nil
	})
	return list, err
}

func (o object) append(dst []byte) []byte {
	for i, p := range o {
		dst = append(dst, "{,"[min(i, 1)], '"')
		dst = append(append(dst, p.Key...), `":`...)
		dst = append(dst, p.Value...)
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
