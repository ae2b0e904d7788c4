package openai

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// AppendModels appends the answer of GET /v1/models.
func AppendModels(dst []byte, models []dialect.Listed) []byte {
	dst = append(dst, `{"object":"list","data":[`...)
	for i, m := range models {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendModel(dst, m)
	}
	return append(dst, "]}"...)
}

// AppendModel appends the answer of GET /v1/models/{id}.
func AppendModel(dst []byte, m dialect.Listed) []byte {
	dst = append(dst, `{"id":`...)
	dst = jsonscan.AppendString(dst, m.ID)
	dst = append(dst, `,"object":"model","created":0,"owned_by":`...)
	dst = jsonscan.AppendString(dst, m.Owner)
	return append(dst, '}')
}
