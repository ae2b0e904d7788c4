package anthropic

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// AppendModels appends the answer of GET /v1/models: one page with all of them.
func AppendModels(dst []byte, models []dialect.Listed) []byte {
	dst = append(dst, `{"data":[`...)
	for i, m := range models {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendModel(dst, m)
	}
	dst = append(dst, `],"has_more":false,"first_id":`...)
	if len(models) == 0 {
		return append(dst, `null,"last_id":null}`...)
	}
	dst = jsonscan.AppendString(dst, models[0].ID)
	dst = append(dst, `,"last_id":`...)
	dst = jsonscan.AppendString(dst, models[len(models)-1].ID)
	return append(dst, '}')
}

// AppendModel appends the answer of GET /v1/models/{id}. The time of release is
// not known here, for which Anthropic states the epoch.
func AppendModel(dst []byte, m dialect.Listed) []byte {
	dst = append(dst, `{"type":"model","id":`...)
	dst = jsonscan.AppendString(dst, m.ID)
	dst = append(dst, `,"display_name":`...)
	dst = jsonscan.AppendString(dst, m.ID)
	return append(dst, `,"created_at":"1970-01-01T00:00:00Z"}`...)
}
