package gemini

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// AppendModels appends the answer of GET /v1beta/models, one page of it.
func AppendModels(dst []byte, models []dialect.Listed) []byte {
	dst = append(dst, `{"models":[`...)
	for i, m := range models {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendModel(dst, m)
	}
	return append(dst, "]}"...)
}

// AppendModel appends the answer of GET /v1beta/models/{id}.
func AppendModel(dst []byte, m dialect.Listed) []byte {
	dst = append(dst, `{"name":`...)
	dst = jsonscan.AppendString(dst, modelPrefix+m.ID)
	dst = append(dst, `,"version":"","displayName":`...)
	dst = jsonscan.AppendString(dst, m.ID)
	if m.Translated {
		return append(dst, `,"supportedGenerationMethods":["generateContent"]}`...)
	}
	return append(dst, `,"supportedGenerationMethods":["generateContent","countTokens","embedContent"]}`...)
}
