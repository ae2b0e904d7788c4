package openai

import (
	"fmt"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

const (
	eModel = iota + 1
	eInput
	eUser
)

func embeddingsField(name []byte) int {
	switch string(name) {
	case "model":
		return eModel
	case "input":
		return eInput
	case "user":
		return eUser
	}
	return fUnknown
}

// embeddings reads the body of /v1/embeddings.
func (d *decoder) embeddings() error {
	if err := d.expect(jsonscan.Object, "body", "an object"); err != nil {
		return err
	}
	if err := d.cur.Open(); err != nil {
		return err
	}
	var seen fields
	for first := true; ; first = false {
		key, more, err := d.cur.Member(first)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		name := d.cur.Name(key)
		f := embeddingsField(name)
		if f != fUnknown {
			err = seen.add(f, name)
		} else {
			err = lookalike(name, "model", "input")
		}
		if err == nil {
			err = d.embeddingsMember(f)
		}
		if err != nil {
			return err
		}
	}
	d.call.Sites.Close = d.cur.Pos - 1
	if err := d.cur.End(); err != nil {
		return err
	}
	switch {
	case !seen.has(eModel) && !d.named:
		return missing("model")
	case !seen.has(eInput):
		return missing("input")
	}
	return nil
}

func (d *decoder) embeddingsMember(f int) error {
	switch f {
	case eModel:
		return d.model()
	case eInput:
		return d.input("input")
	case eUser:
		return d.user()
	}
	return d.cur.Skip()
}

// input reads a string, strings, token ids, or arrays of token ids, which
// are the value of field.
func (d *decoder) input(field string) error {
	d.list = field
	const what = "a string, an array of strings, or an array of tokens"
	switch k := d.cur.Kind(); k {
	case jsonscan.String:
		d.call.Messages = 1
		return d.deepText()
	case jsonscan.Array:
	case jsonscan.Invalid:
		return d.cur.Skip()
	default:
		return invalidType(field, what, k)
	}
	if err := d.cur.Open(); err != nil {
		return err
	}
	kind := jsonscan.Invalid
	for first := true; ; first = false {
		more, err := d.cur.Element(first)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		k := d.cur.Kind()
		if first {
			kind = k
		} else if k != kind && k != jsonscan.Invalid {
			return invalidType(fmt.Sprintf("%s[%d]", d.list, d.message), "entries of one kind", k)
		}
		if err := d.inputElement(k, what); err != nil {
			return err
		}
		d.message++
	}
	if d.message == 0 {
		return invalidValue(field, "it is empty")
	}
	if kind == jsonscan.Number {
		d.call.Messages = 1 // one input made of these tokens
	} else {
		d.call.Messages = d.message
	}
	return nil
}

func (d *decoder) inputElement(k jsonscan.Kind, what string) error {
	switch k {
	case jsonscan.Number:
		return d.tokenID()
	case jsonscan.String, jsonscan.Array:
		if d.message == MaxInputs {
			return tooMany(d.list, MaxInputs)
		}
		if k == jsonscan.String {
			return d.deepText()
		}
		return d.tokenIDs()
	case jsonscan.Invalid:
		return d.cur.Skip()
	}
	return invalidType(fmt.Sprintf("%s[%d]", d.list, d.message), what, k)
}

func (d *decoder) tokenIDs() error {
	if err := d.cur.Open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := d.cur.Element(first)
		if err != nil {
			return err
		}
		if !more {
			if first {
				return invalidValue(fmt.Sprintf("%s[%d]", d.list, d.message), "it is empty")
			}
			return nil
		}
		if err := d.tokenID(); err != nil {
			return err
		}
	}
}

func (d *decoder) tokenID() error {
	if d.call.TokenInputs++; d.call.TokenInputs > MaxTokenIDs {
		return dialect.NewError(dialect.CodeLimit, d.list, "'%s' has too many tokens: the limit is %d.", d.list, MaxTokenIDs)
	}
	if d.cur.Kind() != jsonscan.Number {
		return d.expect(jsonscan.Number, d.list, "an array of tokens")
	}
	_, whole, err := d.cur.Int()
	if err == nil && !whole {
		return invalidValue(d.list, "tokens must be whole numbers")
	}
	return err
}
