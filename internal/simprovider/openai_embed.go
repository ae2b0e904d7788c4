package simprovider

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/tidwall/gjson"
)

var openAIEmbeddings = endpoint{name: "embeddings", decode: decodeEmbeddings, answer: answerEmbeddings}

// embedRequest is what an embeddings call asks beyond a generation.
type embedRequest struct {
	inputs     []string
	dimensions int
	base64     bool
}

const maxInputs = 2048 // OpenAI's limit of one call

func decodeEmbeddings(x *call) *apiError {
	root, ok := x.root()
	if !ok {
		return invalid("", "", "We could not parse the JSON body of your request.")
	}
	if err := x.findModel(root.Get("model"), true); err != nil {
		return err
	}
	x.gen.tier = "default"
	r := &x.embed
	*r = embedRequest{inputs: r.inputs[:0], dimensions: x.gen.model.Dimensions}
	if d := root.Get("dimensions"); d.Exists() && d.Type != gjson.Null {
		if d.Int() < 1 || d.Int() > int64(x.gen.model.Dimensions) {
			return invalid("invalid_value", "dimensions", fmt.Sprintf("Invalid value for 'dimensions': must be between 1 and %d.", x.gen.model.Dimensions))
		}
		r.dimensions = int(d.Int())
	}
	switch format := root.Get("encoding_format"); format.Str {
	case "base64":
		r.base64 = true
	case "", "float":
	default:
		return invalid("invalid_value", "encoding_format", "Invalid value for 'encoding_format': 'float' and 'base64' are supported.")
	}
	return x.readInputs(root.Get("input"))
}

// readInputs reads a text, texts, a list of tokens, or lists of tokens.
func (x *call) readInputs(input gjson.Result) *apiError {
	var err *apiError
	items := []gjson.Result{input}
	switch {
	case !input.Exists():
		return invalid("missing_required_parameter", "input", "Missing required parameter: 'input'.")
	case input.IsArray() && input.Get("0").Type != gjson.Number:
		items = input.Array()
	}
	if len(items) == 0 || len(items) > maxInputs {
		return invalid("invalid_value", "input", "Invalid 'input': expected 1 to 2048 inputs.")
	}
	for _, item := range items {
		if err = x.readInput(item); err != nil {
			return err
		}
	}
	return nil
}

func (x *call) readInput(item gjson.Result) *apiError {
	text, tokens := item.Str, int64(0)
	switch {
	case item.Type == gjson.String && text != "":
		tokens = x.p.embeds(text)
	case item.IsArray() && len(item.Array()) > 0:
		text = item.Raw
		for _, t := range item.Array() {
			if t.Type != gjson.Number {
				return wrongType("input", "tokens to be integers", t)
			}
			tokens++
		}
	default:
		return invalid("invalid_value", "input", "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.")
	}
	if tokens > x.gen.model.ContextWindow {
		return invalid("", "", fmt.Sprintf("This model's maximum context length is %d tokens, however you requested %d tokens (%d in your prompt; 0 for the completion). Please reduce your prompt; or completion length.",
			x.gen.model.ContextWindow, tokens, tokens))
	}
	x.embed.inputs = append(x.embed.inputs, text)
	x.gen.input += tokens
	return nil
}

func answerEmbeddings(x *call, b []byte) []byte {
	b = append(b, `{"object":"list","data":[`...)
	vector := make([]float32, x.embed.dimensions)
	for i, text := range x.embed.inputs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"object":"embedding","index":`...)
		b = strconv.AppendInt(b, int64(i), 10)
		b = append(b, `,"embedding":`...)
		embed(vector, text, x.p.cfg.Seed)
		b = appendVector(b, vector, x.embed.base64)
		b = append(b, '}')
	}
	b = append(b, `],"model":`...)
	b = appendJSONString(b, x.gen.model.served())
	if x.plan.huge > 0 {
		b = appendPadding(b, x.plan.huge)
	}
	switch x.plan.usage {
	case usageMissing:
	case usageNull:
		b = append(b, `,"usage":null`...)
	case usageHonest, usageTwice:
		b = append(b, `,"usage":{"prompt_tokens":`...)
		b = strconv.AppendInt(b, x.gen.input, 10)
		b = append(b, `,"total_tokens":`...)
		b = strconv.AppendInt(b, x.gen.input, 10)
		b = append(x.appendCost(b, x.gen.usage(0, 0)), '}')
	}
	return append(b, '}')
}

func appendVector(b []byte, vector []float32, asBase64 bool) []byte {
	if !asBase64 {
		b = append(b, '[')
		for i, v := range vector {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendFloat(b, float64(v), 'g', 8, 32)
		}
		return append(b, ']')
	}
	raw := make([]byte, 0, 4*len(vector))
	for _, v := range vector {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	b = append(b, '"')
	return append(base64.StdEncoding.AppendEncode(b, raw), '"')
}

// embed hashes the words of a text into a unit vector: texts that share words
// are near, which is as much meaning as a double needs.
func embed(vector []float32, text string, seed uint64) {
	const places = 8 // of each word: enough that strangers are nearly orthogonal
	clear(vector)
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) == 0 {
		words = []string{text}
	}
	for _, w := range words {
		s := stream(seed)
		for _, c := range []byte(strings.ToLower(w)) {
			s = stream(s.next()) + stream(c)
		}
		for range places {
			draw := s.next()
			vector[draw>>1%uint64(len(vector))] += float32(1) - 2*float32(draw&1)
		}
	}
	sum := 0.0
	for _, v := range vector {
		sum += float64(v) * float64(v)
	}
	if sum == 0 { // every place cancelled out: any direction will do
		vector[0], sum = 1, 1
	}
	for i := range vector {
		vector[i] = float32(float64(vector[i]) / math.Sqrt(sum))
	}
}
