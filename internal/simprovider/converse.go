package simprovider

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/url"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"purser/proxy/price"
)

// Bedrock's Converse:
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.
var converse = dialect{
	api: "converse", key: bearerKey, headers: converseHeaders, errorBody: converseError, errorEvent: exception + "internalServerException",
	cache: cacheMarked, frames: true,
}

// conversePrefix begins the paths that name a model.
const conversePrefix = "/model/"

var converseOperations = map[string]*endpoint{
	"converse":        {name: "converse", decode: decodeConverse, answer: answerConverse},
	"converse-stream": {name: "converse-stream", decode: decodeConverseStream, answer: answerConverse, stream: streamConverse, tail: tailConverse},
}

func converseHeaders(x *call) { x.w.header("X-Amzn-Requestid", x.id) }

// routeConverse answers what is below the models of Bedrock's runtime.
func (x *call) routeConverse(path, method string) *apiError {
	x.d = &converse
	if err := x.authenticate(); err != nil {
		return &apiError{status: 403, kind: "AccessDeniedException", message: "Authentication failed."}
	}
	name, operation := strings.TrimPrefix(path, conversePrefix), ""
	if slash := strings.LastIndexByte(name, '/'); slash >= 0 {
		name, operation = name[:slash], name[slash+1:]
	}
	e := converseOperations[operation]
	model, err := url.PathUnescape(name)
	if e == nil || method != "POST" || err != nil {
		return &apiError{status: 404, kind: "UnknownOperationException", message: "There is no such operation."}
	}
	x.pathModel = model
	return x.serve(e)
}

// converseError writes an error as its body; its kind is in a header, which no
// client of a gateway sees.
func converseError(b []byte, e *apiError) []byte {
	return append(appendJSONString(append(b, `{"message":`...), e.message), '}')
}

func decodeConverseStream(x *call) *apiError {
	err := decodeConverse(x)
	x.gen.stream = true
	return err
}

// decodeConverse reads a request by writing it as Anthropic's Messages, whose double
// counts it.
func decodeConverse(x *call) *apiError {
	body, ok := x.root()
	if !ok {
		return invalid("", "", "The body is not valid JSON.")
	}
	if err := x.findModel(gjson.Parse(strconv.Quote(x.pathModel)), false); err != nil {
		return err
	}
	g := &x.gen
	g.writes, g.tier = price.CacheWrite5m, "standard"
	g.limit = g.model.MaxOutput
	if limit := body.Get("inferenceConfig.maxTokens"); limit.Exists() {
		if g.limit = limit.Int(); g.limit < 1 || g.limit > g.model.MaxOutput {
			return invalid("", "", fmt.Sprintf("The maximum tokens you requested exceeds the model limit of %d.", g.model.MaxOutput))
		}
	}
	if thinking := body.Get("additionalModelRequestFields.thinking"); thinking.Exists() {
		g.thinks, g.thinkLimit = thinking.Get("type").Str != "disabled", thinking.Get("budget_tokens").Int()
	}
	root := gjson.Parse(likeMessages(body))
	p := blockReader{x: x}
	if err := p.prompt(root); err != nil {
		return err
	}
	if err := x.chooseBlocks(root, &p); err != nil {
		return err
	}
	if g.input > g.model.ContextWindow {
		return invalid("", "", fmt.Sprintf("prompt is too long: %d tokens > %d maximum", g.input, g.model.ContextWindow))
	}
	g.seed = x.hash()
	return nil
}

// likeMessages writes a body of Converse as one of Messages, as far as it counts.
func likeMessages(body gjson.Result) string {
	var b strings.Builder
	b.WriteString(`{"tools":[`)
	writeList(&b, body.Get("toolConfig.tools").Array(), func(t gjson.Result) string {
		s := t.Get("toolSpec")
		return `{"name":` + s.Get("name").Raw + `,"description":` + orEmpty(s.Get("description")) + `,"input_schema":` + s.Get("inputSchema.json").Raw
	})
	b.WriteString(`],"system":[`)
	writeList(&b, body.Get("system").Array(), likeBlock)
	b.WriteString(`],"messages":[`)
	for i, m := range body.Get("messages").Array() {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"role":` + m.Get("role").Raw + `,"content":[`)
		writeList(&b, m.Get("content").Array(), likeBlock)
		b.WriteString("]}")
	}
	b.WriteByte(']')
	choice := body.Get("toolConfig.toolChoice")
	switch {
	case choice.Get("any").Exists():
		b.WriteString(`,"tool_choice":{"type":"any"}`)
	case choice.Get("tool").Exists():
		b.WriteString(`,"tool_choice":{"type":"tool","name":` + choice.Get("tool.name").Raw + `}`)
	}
	if s := body.Get("outputConfig.textFormat.structure.jsonSchema.schema"); s.Type == gjson.String && gjson.Valid(s.Str) {
		b.WriteString(`,"output_config":{"format":{"type":"json_schema","schema":` + s.Str + `}}`)
	}
	b.WriteByte('}')
	return b.String()
}

// writeList writes elements; one writes an object without its last brace. A cache
// point is a mark of the element before it.
func writeList(b *strings.Builder, list []gjson.Result, one func(gjson.Result) string) {
	open := false
	for _, e := range list {
		if e.Get("cachePoint").Exists() {
			if open {
				b.WriteString(`,"cache_control":{"type":"ephemeral","ttl":` + orEmpty(e.Get("cachePoint.ttl")) + `}`)
			}
			continue
		}
		if open {
			b.WriteString("},")
		}
		b.WriteString(one(e))
		open = true
	}
	if open {
		b.WriteByte('}')
	}
}

func orEmpty(v gjson.Result) string {
	if v.Raw == "" {
		return `""`
	}
	return v.Raw
}

// likeBlock writes a content block without its last brace.
func likeBlock(e gjson.Result) string {
	switch {
	case e.Get("text").Exists():
		return `{"type":"text","text":` + e.Get("text").Raw
	case e.Get("json").Exists():
		return `{"type":"json","json":` + e.Get("json").Raw
	case e.Get("image").Exists():
		return `{"type":"image","source":{"type":"base64","data":` + e.Get("image.source.bytes").Raw + `}`
	case e.Get("document").Exists():
		return `{"type":"document","source":{"type":"base64","data":` + orEmpty(e.Get("document.source.bytes")) + `}`
	case e.Get("toolUse").Exists():
		u := e.Get("toolUse")
		return `{"type":"tool_use","name":` + u.Get("name").Raw + `,"input":` + u.Get("input").Raw
	case e.Get("toolResult").Exists():
		var b strings.Builder
		b.WriteString(`{"type":"tool_result","content":[`)
		writeList(&b, e.Get("toolResult.content").Array(), likeBlock)
		b.WriteByte(']')
		return b.String()
	case e.Get("reasoningContent").Exists():
		return `{"type":"thinking","thinking":` + orEmpty(e.Get("reasoningContent.reasoningText.text"))
	}
	return `{"type":"text","text":""`
}

// exception begins the names of frames that are no events.
const exception = "!"

// appendFrame appends one message of AWS's event stream: the lengths of it and of its
// headers with their checksum, the headers, the payload, and the checksum of all.
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html has
// the layout.
func appendFrame(b []byte, name string, payload []byte) []byte {
	headers := []byte(nil)
	header := func(name, value string) {
		const text = 7 // the type of a header's value
		headers = append(append(headers, byte(len(name))), name...)
		headers = append(binary.BigEndian.AppendUint16(append(headers, text), uint16(len(value))), value...)
	}
	if kind, is := strings.CutPrefix(name, exception); is {
		header(":exception-type", kind)
		header(":content-type", "application/json")
		header(":message-type", "exception")
	} else {
		header(":event-type", name)
		header(":content-type", "application/json")
		header(":message-type", "event")
	}
	const around = 16 // bytes beside headers and payload
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(around+len(headers)+len(payload)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(headers)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
	b = append(append(b, headers...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
}
