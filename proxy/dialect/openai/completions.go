package openai

import (
	"purser/proxy/dialect/jsonscan"
)

// usualCompletion is max_tokens of a legacy completion that names none.
const usualCompletion = 16

// completions reads the body of /v1/completions.
func (d *decoder) completions() error {
	if err := d.expect(jsonscan.Object, "body", "an object"); err != nil {
		return err
	}
	if err := d.cur.Open(); err != nil {
		return err
	}
	d.call.UsualOutput = usualCompletion
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
		f := completionsField(name)
		if f == fUnknown {
			err = lookalike(name, "model", "prompt", "stream", "stream_options", "n", "max_tokens", "best_of", "service_tier")
		} else if f < fUnpriced {
			err = seen.add(f, name)
		}
		if err != nil {
			return err
		}
		if err := d.completionsMember(f, key, name); err != nil {
			return err
		}
	}
	d.call.Sites.Close = d.cur.Pos - 1
	if err := d.cur.End(); err != nil {
		return err
	}
	if !seen.has(fMessages) {
		return missing("prompt")
	}
	d.call.N *= int64(d.call.Messages) // each prompt has its own answers
	return d.chatWhole(seen)
}

// completionsField names the fields that mean what they mean in chat by the
// same; the prompt stands in the place of the messages.
func completionsField(name []byte) int {
	switch string(name) {
	case "prompt":
		return fMessages
	case "best_of":
		return fUnpriced
	case "echo":
		return fHarmless
	case "model", "stream", "stream_options", "n", "max_tokens", "service_tier", "user",
		"temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "seed", "stop":
		return chatField(name)
	}
	return fUnknown
}

func (d *decoder) completionsMember(f int, key jsonscan.Str, name []byte) error {
	if f != fMessages {
		return d.chatMember(f, key, name)
	}
	if d.null() {
		d.call.Messages = 1 // as if it were the end of a text
		return nil
	}
	return d.input("prompt")
}

// usualModeration is the model of a moderation that names none.
const usualModeration = "omni-moderation-latest"

// moderations reads the body of /v1/moderations, which costs nothing: of it only
// the model counts.
func (d *decoder) moderations() error {
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
		switch name := d.cur.Name(key); {
		case string(name) != "model":
			err = d.plainMember(name, "model")
		case seen.has(fModel):
			err = ambiguous("model", "is given twice")
		default:
			seen |= 1 << fModel
			err = d.model()
		}
		if err != nil {
			return err
		}
	}
	d.call.Sites.Close = d.cur.Pos - 1
	if !seen.has(fModel) {
		d.call.Model = usualModeration
	}
	return d.cur.End()
}
