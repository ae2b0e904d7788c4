package openai

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// The fields of a Responses request that the gateway reads.
const (
	rModel = iota + 1
	rInput
	rInstructions
	rStream
	rMaxOutput
	rMaxCalls
	rTools
	rServiceTier
	rUser
	rMetadata
	rStore
	rBackground
	rPrevious
	rConversation
	rPrompt
	rUnpriced
	rText
	rHarmless
)

// guardedResponses are the fields of which no other spelling is let through.
var guardedResponses = []string{
	"model", "input", "instructions", "stream", "max_output_tokens", "max_tool_calls", "tools", "tool_choice",
	"service_tier", "store", "background", "previous_response_id", "conversation", "prompt", "context_management",
}

func responsesField(name []byte) int {
	switch string(name) {
	case "model":
		return rModel
	case "input":
		return rInput
	case "instructions":
		return rInstructions
	case "stream":
		return rStream
	case "max_output_tokens":
		return rMaxOutput
	case "max_tool_calls":
		return rMaxCalls
	case "tools":
		return rTools
	case "service_tier":
		return rServiceTier
	case "user":
		return rUser
	case "metadata":
		return rMetadata
	case "store":
		return rStore
	case "background":
		return rBackground
	case "previous_response_id":
		return rPrevious
	case "conversation":
		return rConversation
	case "prompt":
		return rPrompt
	case "context_management",
		// Of providers that speak this dialect: another model than the one named, or paid work beside it.
		"models", "route", "provider", "plugins":
		return rUnpriced
	case "tool_choice", "text", "personality":
		return rText
	// Fields that neither add to the prompt nor multiply the answer.
	case "temperature", "top_p", "top_logprobs", "parallel_tool_calls", "reasoning", "include", "truncation",
		"stream_options", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
		"prompt_cache_options", "moderation", "access_programs", "image":
		return rHarmless
	}
	return fUnknown
}

// responses reads the body of /v1/responses and of the routes below it that
// take a prompt.
func (d *decoder) responses() error {
	d.call.Store = d.call.Endpoint == dialect.Responses // unless it says otherwise
	var seen fields
	err := d.body(func(key jsonscan.Str, name []byte) (err error) {
		f := responsesField(name)
		if f == fUnknown {
			err = lookalike(name, guardedResponses...)
		} else if f < rUnpriced {
			err = seen.add(f, name)
		}
		if err != nil {
			return err
		}
		return d.responsesMember(f, key, name)
	})
	if err != nil {
		return err
	}
	return d.responsesWhole(seen)
}

// body reads the object that a body is: do reads the value of each member.
func (d *decoder) body(do func(key jsonscan.Str, name []byte) error) error {
	if err := d.expect(jsonscan.Object, "body", "an object"); err != nil {
		return err
	}
	if err := d.cur.EachMember(func(key jsonscan.Str) error { return do(key, d.cur.Name(key)) }); err != nil {
		return err
	}
	d.call.Sites.Close = d.cur.Pos - 1
	return d.cur.End()
}

// responsesWhole checks what only the whole body shows.
func (d *decoder) responsesWhole(seen fields) error {
	c := d.call
	switch {
	case !seen.has(rModel):
		return missing("model")
	case c.Endpoint != dialect.Responses && c.Stream:
		return invalidValue("stream", "this route does not stream")
	case d.template && !seen.has(rTools):
		// A template may bring tools of its own, which those of the request replace.
		return dialect.NewError(dialect.CodeUnbounded, "prompt",
			"A stored prompt may bring tools whose cost cannot be bounded beforehand. Send 'tools' with it; the list may be empty.")
	}
	return nil
}

// responsesMember reads the value of one field.
func (d *decoder) responsesMember(f int, key jsonscan.Str, name []byte) (err error) {
	c := d.call
	switch f {
	case rModel:
		return d.model()
	case rInput:
		return d.items()
	case rInstructions:
		return d.instructions()
	case rStream:
		c.Stream, err = d.bool("stream")
	case rMaxOutput:
		return d.outputCap(key, name)
	case rMaxCalls:
		return d.callLimit()
	case rTools:
		return d.responseTools("tools")
	case rServiceTier:
		c.ServiceTier, err = d.short("service_tier", maxTier)
	case rUser:
		return d.user()
	case rMetadata:
		return d.metadata()
	case rStore:
		if !d.cur.TakeNull() {
			c.Store, err = d.bool("store")
		}
	case rBackground:
		return d.background()
	case rPrevious:
		return d.refer("previous_response_id")
	case rConversation:
		return d.conversation()
	case rPrompt:
		if !d.cur.TakeNull() {
			d.template = true
			d.call.Hide("prompt")
			return d.deepText()
		}
	case rUnpriced:
		if !d.cur.TakeNull() {
			return unpriced(name)
		}
	case rHarmless:
		if string(name) == "reasoning" {
			c.Conceals = c.Conceals || d.cur.Kind() != jsonscan.Null
		}
		return d.cur.Skip()
	default:
		c.Conceals = c.Conceals || f == fUnknown // providers have names of their own for reasoning
		// Formats, choices, and extensions of some provider: they may end up in the prompt.
		return d.call.AddRaw(&d.cur)
	}
	return err
}

// unpriced refuses a field by its name.
func unpriced(name []byte) error {
	return dialect.NewError(dialect.CodeUnsupported, string(name),
		"'%s' is not supported here: its cost cannot be bounded beforehand. Leave it out.", name)
}

// instructions reads the system message of a request.
func (d *decoder) instructions() error {
	if d.cur.TakeNull() {
		return nil
	}
	d.call.Messages++
	switch d.cur.Kind() {
	case jsonscan.Array:
		return d.itemList("instructions")
	default:
		s, err := d.string("instructions")
		if err == nil {
			d.call.AddText(s)
		}
		return err
	}
}

func (d *decoder) background() error {
	asked, err := d.bool("background")
	if err == nil && asked {
		err = dialect.NewError(dialect.CodeUnsupported, "background",
			"'background' is not supported here: such a response goes on after the connection, where its cost is not seen. Leave it out, or set it to false.")
	}
	return err
}

// callLimit reads max_tool_calls.
func (d *decoder) callLimit() (err error) {
	c := d.call
	isNull := d.cur.Kind() == jsonscan.Null
	start := d.cur.Pos
	if isNull {
		err = d.cur.Null()
	} else {
		c.MaxCalls, err = d.count("max_tool_calls", 0, MaxCalls)
		c.NoCalls = c.MaxCalls == 0
	}
	c.Sites.CallsValue = dialect.Span{Start: start, End: d.cur.Pos}
	return err
}

// refer notes the id of an earlier answer that the field names.
func (d *decoder) refer(param string) error {
	if d.cur.TakeNull() {
		return nil
	}
	id, err := d.short(param, MaxID)
	if err != nil {
		return err
	}
	return d.referTo(id, param)
}

func (d *decoder) referTo(id, param string) error {
	d.call.Hide(param)
	if len(d.call.References) == MaxReferences {
		return tooMany(param, MaxReferences)
	}
	d.call.References = append(d.call.References, dialect.Reference{ID: id, Param: param})
	return nil
}

// conversation reads an id, or an object with one.
func (d *decoder) conversation() error {
	if d.cur.Kind() != jsonscan.Object {
		return d.refer("conversation")
	}
	found := false
	err := d.cur.EachMember(func(key jsonscan.Str) error {
		switch name := d.cur.Name(key); {
		case string(name) != "id":
			return d.plainMember(name, "id")
		case found:
			return ambiguous("conversation.id", "is given twice")
		}
		found = true
		return d.refer("conversation.id")
	})
	if err != nil {
		return err
	}
	if !found {
		return missing("conversation.id")
	}
	return nil
}
