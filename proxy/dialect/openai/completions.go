package openai

import (
	"purser/proxy/dialect/jsonscan"
)

// usualCompletion is max_tokens of a legacy completion that names none.
const usualCompletion = 16

// completions reads the body of /v1/completions.
func (d *decoder) completions() error {
	d.call.UsualOutput = usualCompletion
	var seen fields
	err := d.body(func(key jsonscan.Str, name []byte) (err error) {
		f := completionsField(name)
		if f == fUnknown {
			err = lookalike(name, "model", "prompt", "stream", "stream_options", "n", "max_tokens", "best_of", "service_tier")
		} else if f < fUnpriced {
			err = seen.add(f, name)
		}
		if err != nil {
			return err
		}
		return d.completionsMember(f, key, name)
	})
	if err != nil {
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
	if d.cur.TakeNull() {
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
	d.call.Model = usualModeration
	var seen fields
	return d.body(func(_ jsonscan.Str, name []byte) error {
		if string(name) != "model" {
			return d.plainMember(name, "model")
		}
		if err := seen.add(fModel, name); err != nil {
			return err
		}
		return d.model()
	})
}
