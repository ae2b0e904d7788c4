package gemini

import (
	"fmt"
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/price"
)

// The fields of a generateContent body that the gateway reads.
const (
	bContents = iota + 1
	bSystem
	bTools
	bToolConfig
	bSafety
	bConfig
	bCached
	bTier
	bStore
	bLabels
	bModel
	bContinuation
	bUnpriced
)

var bodyNames = newNames("contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "generationConfig",
	"cachedContent", "serviceTier", "store", "labels", "model", "continuationToken",
	// Another model than the one named, or paid work beside it.
	"modelArmorConfig", "routingConfig", "modelSelectionConfig", "generationOutputConfig")

// generate reads the body of generateContent.
func (d *decoder) generate() error {
	met, err := d.object(bodyNames, place{}, d.bodyMember)
	if err != nil {
		return err
	}
	if !met.has(bContents) || d.call.Messages == 0 {
		return missing("contents")
	}
	if d.call.ServiceTier == "" {
		d.call.ServiceTier = standardTier // what Google serves a call at that names none
	}
	d.call.Meters = d.meters()
	return nil
}

// meters are what the call can be counted on; 0 for any, as media are. An answer
// that the request does not say is text may have pictures or sound in it.
func (d *decoder) meters() price.Set {
	c := d.call
	switch {
	case len(c.Images) > 0 || c.Files > 0 || c.HiddenContext != "":
		return 0
	case d.modalities && !d.media:
		return price.Text
	}
	return price.Text | price.Output
}

func (d *decoder) bodyMember(field int, _ []byte) (err error) {
	c := d.call
	switch field {
	case bContents:
		return d.contents("contents")
	case bSystem:
		return d.system("systemInstruction")
	case bTools:
		return d.tools("tools")
	case bSafety:
		return d.cur.Skip()
	case bConfig:
		return d.generationConfig()
	case bCached:
		if !d.cur.TakeNull() {
			d.call.Hide("cachedContent")
			_, err = d.string("cachedContent")
		}
	case bTier:
		return d.tier()
	case bStore:
		c.Store, err = d.bool("store")
	case bLabels:
		return d.labels()
	case bModel:
		return d.modelValue("model")
	case bContinuation:
		if !d.cur.TakeNull() {
			d.call.Hide("continuationToken")
			return d.call.AddRaw(&d.cur)
		}
	case bToolConfig, 0:
		// A field unknown to us may end up in the prompt.
		return d.call.AddRaw(&d.cur)
	default:
		if !d.cur.TakeNull() {
			return unbounded(bodyNames.camel[field-1])
		}
	}
	return err
}

// system reads a content that stands alone.
func (d *decoder) system(at string) error {
	switch d.cur.Kind() {
	case jsonscan.Null:
		return d.cur.Null()
	case jsonscan.String: // refused by Google, and a text in any case
		d.call.Messages++
		return d.call.AddStrings(&d.cur)
	}
	d.within, d.content = at, -1
	d.call.Messages++
	return d.oneContent()
}

const standardTier = "standard"

// tier reads the service tier, which has two spellings too: flex is
// SERVICE_TIER_FLEX.
func (d *decoder) tier() error {
	name, err := d.short("serviceTier", maxTier)
	if long, ok := strings.CutPrefix(name, "SERVICE_TIER_"); ok {
		name = strings.ToLower(long)
	}
	if name == "unspecified" {
		name = ""
	}
	d.call.ServiceTier = name
	return err
}

// labels keeps the client's labels.
func (d *decoder) labels() error {
	if d.cur.TakeNull() {
		return nil
	}
	if err := d.expect(jsonscan.Object, "labels", "an object"); err != nil {
		return err
	}
	return d.cur.EachMember(func(key jsonscan.Str) error {
		if len(d.call.Metadata) == MaxLabels {
			return tooMany("labels", MaxLabels)
		}
		value, err := d.string("labels")
		if err != nil {
			return err
		}
		d.call.Metadata = append(d.call.Metadata, dialect.Field{Name: d.cur.Text(key), Value: d.cur.Text(value)})
		return nil
	})
}

// The fields of a generationConfig that the gateway reads. Those from
// gHarmless on neither add to the prompt nor multiply the answer.
const (
	gCap = iota + 1
	gCandidates
	gThinking
	gModalities
	gSchema
	gJSONSchema
	gFormat
	gSpeech
	gRouting
	gModelConfig
	gModelSelection
	gTranslation
	gTranscription
	gHarmless
)

var configNames = newNames("maxOutputTokens", "candidateCount", "thinkingConfig", "responseModalities",
	"responseSchema", "responseJsonSchema", "responseFormat", "speechConfig",
	"routingConfig", "modelConfig", "modelSelectionConfig", "translationConfig", "audioTranscriptionConfig",
	"temperature", "topP", "topK", "seed", "stopSequences", "presencePenalty", "frequencyPenalty", "responseLogprobs",
	"logprobs", "responseMimeType", "enableEnhancedCivicAnswers", "mediaResolution", "audioTimestamp", "imageConfig",
	"enableAffectiveDialog")

const configAt = "generationConfig"

func (d *decoder) generationConfig() error {
	d.cur.Kind()
	start := d.cur.Pos
	if d.cur.TakeNull() {
		d.call.Sites.CapParent = dialect.Span{Start: start, End: d.cur.Pos}
		return nil
	}
	_, err := d.object(configNames, place{name: configAt}, d.configMember)
	d.call.Sites.CapParent = dialect.Span{Start: start, End: d.cur.Pos}
	return err
}

func (d *decoder) configMember(field int, _ []byte) (err error) {
	c := d.call
	switch {
	case field == gCap:
		return d.outputCap()
	case field == gCandidates:
		if !d.cur.TakeNull() {
			c.N, err = d.count(configAt+".candidateCount", 1, MaxAnswers)
		}
		return err
	case field == gThinking:
		return d.thinking()
	case field == gModalities:
		return d.responseModalities()
	case field >= gHarmless:
		return d.cur.Skip()
	case field >= gRouting:
		if !d.cur.TakeNull() {
			return unbounded(param(configAt, configNames.camel[field-1]))
		}
		return nil
	}
	return d.call.AddRaw(&d.cur) // schemas, and what is unknown
}

func (d *decoder) outputCap() (err error) {
	d.cur.Kind()
	start := d.cur.Pos
	if !d.cur.TakeNull() {
		d.call.MaxOutput, err = d.count(configAt+".maxOutputTokens", 1, MaxCap)
	}
	d.call.Sites.CapValue = dialect.Span{Start: start, End: d.cur.Pos}
	return err
}

var thinkingNames = newNames("thinkingBudget")

// thinking reads the thinkingConfig. Of its budgets only 0 is a promise, and
// only of some models; others are what the model aims at.
func (d *decoder) thinking() error {
	if d.cur.TakeNull() {
		return nil
	}
	const at = configAt + ".thinkingConfig"
	_, err := d.object(thinkingNames, place{name: at}, func(field int, _ []byte) error {
		if field == 0 || d.cur.TakeNull() {
			if field == 0 {
				return d.cur.Skip()
			}
			return nil
		}
		budget, err := d.count(at+".thinkingBudget", -1, MaxCap)
		d.call.NoThinking = budget == 0 && err == nil
		return err
	})
	return err
}

// responseModalities says what the answer is made of; where it says nothing, the
// model decides.
func (d *decoder) responseModalities() error {
	if d.cur.TakeNull() {
		return nil
	}
	const at = configAt + ".responseModalities"
	if err := d.expect(jsonscan.Array, at, "an array of strings"); err != nil {
		return err
	}
	return d.cur.EachElement(func(i int) error {
		s, err := d.string(at)
		if err != nil {
			return err
		}
		switch d.modalities = true; string(d.cur.Name(s)) {
		case "TEXT":
		case "IMAGE", "AUDIO":
			d.media, d.call.Conceals = true, true // it is in the stream, and its tokens are not
		default:
			return unbounded(fmt.Sprintf("%s[%d]", at, i))
		}
		return nil
	})
}
