package simprovider

import (
	"strconv"

	"github.com/tidwall/gjson"
)

var (
	geminiEmbed      = endpoint{name: "embedContent", decode: decodeGeminiEmbed, answer: answerGeminiEmbed}
	geminiEmbedBatch = endpoint{name: "batchEmbedContents", decode: decodeGeminiBatch, answer: answerGeminiEmbed}
)

func decodeGeminiEmbed(x *call) *apiError {
	root, ok := x.root()
	if !ok {
		return geminiInvalid("Invalid JSON payload received.")
	}
	return x.geminiInputs([]gjson.Result{root}, false)
}

func decodeGeminiBatch(x *call) *apiError {
	root, ok := x.root()
	if !ok {
		return geminiInvalid("Invalid JSON payload received.")
	}
	return x.geminiInputs(list(root.Get("requests")), true)
}

func (x *call) geminiInputs(requests []gjson.Result, batch bool) *apiError {
	if err := x.geminiModel(true); err != nil {
		return err
	}
	x.gen.tier, x.gemini.batch = "standard", batch
	r := &x.embed
	*r = embedRequest{inputs: r.inputs[:0], dimensions: x.gen.model.Dimensions}
	for _, one := range requests {
		name := one.Get("model").Str
		if batch && name != "models/"+x.gen.model.ID {
			return geminiInvalid("The model of each request must be that of the path.")
		}
		if d := either(one, "outputDimensionality", "output_dimensionality"); d.Exists() {
			r.dimensions = int(min(max(d.Int(), 1), int64(x.gen.model.Dimensions)))
		}
		text := ""
		for _, p := range list(one.Get("content.parts")) {
			text += p.Get("text").Str
		}
		if text == "" {
			return geminiInvalid("content is empty")
		}
		r.inputs = append(r.inputs, text)
		x.gen.input += x.p.embeds(text)
	}
	if len(r.inputs) == 0 {
		return geminiInvalid("* BatchEmbedContentsRequest.requests: requests is not specified")
	}
	return nil
}

func answerGeminiEmbed(x *call, b []byte) []byte {
	if x.gemini.batch {
		b = append(b, `{"embeddings":[`...)
	} else {
		b = append(b, `{"embedding":`...)
	}
	vector := make([]float32, x.embed.dimensions)
	for i, text := range x.embed.inputs {
		if i > 0 {
			b = append(b, ',')
		}
		embed(vector, text, x.p.cfg.Seed)
		b = append(appendVector(append(b, `{"values":`...), vector, false), '}')
	}
	if x.gemini.batch {
		b = append(b, ']')
	}
	if x.plan.usage != usageMissing && x.plan.usage != usageNull {
		b = append(b, `,"usageMetadata":{"promptTokenCount":`...)
		b = append(strconv.AppendInt(b, x.gen.input, 10), '}')
	}
	return append(b, '}')
}
