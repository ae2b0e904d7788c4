package openai

import (
	"strconv"

	"purser/proxy/dialect/jsonscan"
)

// Model is one row of the models list.
type Model struct {
	ID, OwnedBy string
	Created     int64 // Unix seconds
}

// AppendModels appends the answer of GET /v1/models.
func AppendModels(dst []byte, models []Model) []byte {
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
func AppendModel(dst []byte, m Model) []byte {
	dst = append(dst, `{"id":`...)
	dst = jsonscan.AppendString(dst, m.ID)
	dst = append(dst, `,"object":"model","created":`...)
	dst = strconv.AppendInt(dst, m.Created, 10)
	dst = append(dst, `,"owned_by":`...)
	dst = jsonscan.AppendString(dst, m.OwnedBy)
	return append(dst, '}')
}
