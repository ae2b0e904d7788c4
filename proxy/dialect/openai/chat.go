package openai

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// The fields of a chat request that the gateway reads.
const (
	fUnknown = iota
	fModel
	fMessages
	fStream
	fStreamOptions
	fN
	fMaxTokens
	fMaxCompletionTokens
	fTools
	fFunctions
	fToolChoice
	fFunctionCall
	fResponseFormat
	fPrediction
	fModalities
	fAudio
	fServiceTier
	fUser
	fMetadata
	fStore
	fUnpriced
	fHidden
	fHarmless
)

// guarded are the fields of which no other spelling is let through.
var guarded = []string{
	"model", "messages", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens",
	"tools", "functions", "response_format", "prediction", "modalities", "audio", "service_tier",
	"best_of", "web_search_options", "store",
}

func chatField(name []byte) int {
	switch string(name) {
	case "model":
		return fModel
	case "messages":
		return fMessages
	case "stream":
		return fStream
	case "stream_options":
		return fStreamOptions
	case "n":
		return fN
	case "max_tokens":
		return fMaxTokens
	case "max_completion_tokens":
		return fMaxCompletionTokens
	case "tools":
		return fTools
	case "functions":
		return fFunctions
	case "tool_choice":
		return fToolChoice
	case "function_call":
		return fFunctionCall
	case "response_format":
		return fResponseFormat
	case "prediction":
		return fPrediction
	case "modalities":
		return fModalities
	case "audio":
		return fAudio
	case "service_tier":
		return fServiceTier
	case "user":
		return fUser
	case "metadata":
		return fMetadata
	case "store":
		return fStore
	case "best_of", "web_search_options",
		// Of providers that speak this dialect: another model than the one named, or paid work beside it.
		"models", "route", "provider", "plugins", "search_parameters", "enable_search", "web_search":
		return fUnpriced
	case "previous_response_id", "conversation", "prompt", "context_management":
		return fHidden
	// Fields that neither add to the prompt nor multiply the answer.
	case "temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs",
		"top_logprobs", "seed", "stop", "parallel_tool_calls", "reasoning_effort", "verbosity",
		"safety_identifier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "moderation":
		return fHarmless
	}
	return fUnknown
}

// chat reads the body of /v1/chat/completions.
func (d *decoder) chat() error {
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
		f := chatField(name)
		if f == fUnknown {
			if err := lookalike(name, guarded...); err != nil {
				return err
			}
		} else if f < fUnpriced {
			if err := seen.add(f, name); err != nil {
				return err
			}
		}
		if err := d.chatMember(f, key, name); err != nil {
			return err
		}
	}
	d.call.Sites.Close = d.cur.Pos - 1
	if err := d.cur.End(); err != nil {
		return err
	}
	return d.chatWhole(seen)
}

// chatWhole checks what only the whole body shows.
func (d *decoder) chatWhole(seen fields) error {
	switch c := d.call; {
	case !seen.has(fModel) && !d.named:
		return missing("model")
	case !seen.has(fMessages):
		return missing("messages")
	case !c.Sites.StreamOptions.Empty() && !c.Stream && c.Raw[c.Sites.StreamOptions.Start] == '{':
		return invalidValue("stream_options", "it is only allowed when 'stream' is true")
	}
	return nil
}

// chatMember reads the value of one field.
func (d *decoder) chatMember(f int, key jsonscan.Str, name []byte) (err error) {
	c := d.call
	switch f {
	case fModel:
		return d.model()
	case fMessages:
		return d.messages()
	case fStream:
		c.Stream, err = d.bool("stream")
	case fStreamOptions:
		return d.streamOptions()
	case fN:
		if !d.cur.TakeNull() {
			c.N, err = d.count("n", 1, MaxAnswers)
		}
	case fMaxTokens, fMaxCompletionTokens:
		return d.outputCap(key, name)
	case fTools, fFunctions:
		if f == fTools {
			return d.tools("tools")
		}
		return d.tools("functions")
	case fToolChoice, fFunctionCall, fResponseFormat:
		return d.call.AddRaw(&d.cur)
	case fPrediction:
		if !d.cur.TakeNull() {
			var start, end int
			start, end, err = d.cur.Value()
			c.PredictionBytes = int64(end - start)
		}
	case fModalities:
		return d.modalities()
	case fServiceTier:
		c.ServiceTier, err = d.short("service_tier", maxTier)
	case fUser:
		return d.user()
	case fMetadata:
		return d.metadata()
	case fStore:
		c.Store, err = d.bool("store")
	case fAudio, fUnpriced:
		if !d.cur.TakeNull() {
			return unpriced(name)
		}
	case fHidden:
		if !d.cur.TakeNull() {
			d.call.Hide(string(name))
			return d.call.AddRaw(&d.cur)
		}
	case fHarmless:
		if string(name) == "reasoning_effort" {
			c.Conceals = c.Conceals || d.cur.Kind() != jsonscan.Null
		}
		return d.cur.Skip()
	default:
		c.Conceals = c.Conceals || f == fUnknown // providers have names of their own for reasoning
		// An extension of some provider: it may end up in the prompt.
		return d.call.AddRaw(&d.cur)
	}
	return err
}

// outputCap reads max_tokens or max_completion_tokens.
func (d *decoder) outputCap(key jsonscan.Str, name []byte) error {
	c, isNull := d.call, d.cur.Kind() == jsonscan.Null
	start := d.cur.Pos
	if isNull {
		if err := d.cur.Null(); err != nil {
			return err
		}
	} else {
		n, err := d.count(string(name), 1, MaxCap)
		if err != nil {
			return err
		}
		if c.MaxOutput != 0 {
			return ambiguous(string(name), "and its other form, 'max_tokens' or 'max_completion_tokens', are both set")
		}
		c.MaxOutput = n
	}
	value := dialect.Span{Start: start, End: d.cur.Pos}
	s := &c.Sites
	if !s.CapValue.Empty() && isNull {
		s.CapNull = value
		return nil
	}
	s.CapNull = s.CapValue // null, or it would have been refused above
	s.CapKey = dialect.Span{Start: key.Start - 1, End: key.End + 1}
	s.CapValue = value
	return nil
}

func (d *decoder) streamOptions() error {
	k := d.cur.Kind()
	start := d.cur.Pos
	if k == jsonscan.Null {
		if err := d.cur.Null(); err != nil {
			return err
		}
		d.call.Sites.StreamOptions = dialect.Span{Start: start, End: d.cur.Pos}
		return nil
	}
	if err := d.expect(jsonscan.Object, "stream_options", "an object"); err != nil {
		return err
	}
	if err := d.cur.Open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		key, more, err := d.cur.Member(first)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if err := d.streamOption(d.cur.Name(key)); err != nil {
			return err
		}
	}
	d.call.Sites.StreamOptions = dialect.Span{Start: start, End: d.cur.Pos}
	return nil
}

func (d *decoder) streamOption(name []byte) error {
	if string(name) != "include_usage" {
		return d.plainMember(name, "include_usage")
	}
	s := &d.call.Sites
	if !s.IncludeUsage.Empty() {
		return ambiguous("stream_options.include_usage", "is given twice")
	}
	d.cur.Kind()
	start := d.cur.Pos
	asked, err := d.bool("stream_options.include_usage")
	if err != nil {
		return err
	}
	d.call.IncludeUsage = asked
	s.IncludeUsage = dialect.Span{Start: start, End: d.cur.Pos}
	return nil
}

func (d *decoder) modalities() error {
	if d.cur.TakeNull() {
		return nil
	}
	if err := d.expect(jsonscan.Array, "modalities", "an array"); err != nil {
		return err
	}
	if err := d.cur.Open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := d.cur.Element(first)
		if !more || err != nil {
			return err
		}
		s, err := d.string("modalities")
		if err != nil {
			return err
		}
		if string(d.cur.Name(s)) != "text" {
			return dialect.NewError(dialect.CodeUnsupported, "modalities",
				"Only the modality 'text' is supported here: the cost of others cannot be bounded beforehand.")
		}
	}
}

// metadata keeps the client's labels that are strings; other values go
// upstream without being looked at.
func (d *decoder) metadata() error {
	if d.cur.TakeNull() {
		return nil
	}
	if err := d.expect(jsonscan.Object, "metadata", "an object"); err != nil {
		return err
	}
	if err := d.cur.Open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		key, more, err := d.cur.Member(first)
		if !more || err != nil {
			return err
		}
		if len(d.call.Metadata) == MaxMetadata {
			return tooMany("metadata", MaxMetadata)
		}
		if d.cur.Kind() != jsonscan.String {
			if err := d.cur.Skip(); err != nil {
				return err
			}
			continue
		}
		value, err := d.cur.String()
		if err != nil {
			return err
		}
		d.call.Metadata = append(d.call.Metadata, dialect.Field{Name: d.cur.Text(key), Value: d.cur.Text(value)})
	}
}
