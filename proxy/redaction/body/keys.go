package body

// mode says how the strings of a value are read.
type mode uint8

const (
	normal mode = iota // by their keys
	data               // all are text
	schema             // descriptions are text
)

// structure are keys whose values are no text of a person's, wherever a dialect has
// them outside of data.
var structure = set(
	"model", "modelVersion", "role", "object", "type", "name", "status", "format", "detail", "effort", "verbosity", "mode", "category", "threshold",
	"id", "tool_call_id", "call_id", "item_id", "tool_use_id", "previous_response_id", "response_id", "responseId", "file_id", "container", "conversation", "previous_interaction_id",
	"service_tier", "serviceTier", "finish_reason", "finishReason", "stop_reason", "stop_sequence", "encoding_format", "truncation", "tool_choice", "voice", "language", "system_fingerprint",
	"mime_type", "mimeType", "media_type", "mediaType",
	"signature", "thoughtSignature", "thought_signature", "encrypted_content", "encrypted_stdout", "encrypted_index",
	"url", "image_url", "file_url", "file_uri", "fileUri", "video_url", "audio_url", "cachedContent", "cached_content",
	"server_url", "server_label", "authorization", "authorization_token", "connector_id", // of a tool's server: the provider needs them
	"response_mime_type", "responseMimeType", "tool_name", "anthropic_version",
)

// settings are keys of which no value has text, whatever it is.
var settings = set("stop", "stop_sequences", "stopSequences", "embedding", "betas", "include", "headers")

// own are keys of data that is the caller's own, below the root.
var own = set("input", "args", "arguments", "response", "metadata", "variables", "labels")

// schemas are keys of schemas.
var schemas = set("parameters", "input_schema", "inputSchema", "schema", "responseSchema", "response_schema", "responseJsonSchema", "response_json_schema",
	"parametersJsonSchema", "parameters_json_schema", "output_schema", "outputSchema")

// described are the keys of a schema whose values are text.
var described = set("description", "title", "$comment", "default", "example", "examples")

// media are keys of content in base64.
var media = set("data", "file_data", "bytes", "b64_json", "image_data", "image")

// kinds are keys that say of what type the media beside them are.
var kinds = set("media_type", "mime_type", "mimeType", "mediaType")

// shown are the keys of an answer that repeat its text in pieces, where nothing can be
// found: they are taken out of an answer that is redacted.
var shown = set("logprobs", "logprobsResult", "top_logprobs")

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}
