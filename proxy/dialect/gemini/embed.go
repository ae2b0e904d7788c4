package gemini

import "fmt"

// The fields of an embedding request that the gateway reads.
const (
	eContent = iota + 1
	eModel
	eTaskType
	eDimensions
)

var embedNames = newNames("content", "model", "taskType", "outputDimensionality")

// embed reads the body of embedContent.
func (d *decoder) embed() error { return d.embedRequest("") }

func (d *decoder) embedRequest(at string) error {
	met, err := d.object(embedNames, place{name: at}, func(field int, _ []byte) error {
		switch field {
		case eContent:
			return d.system(param(at, "content"))
		case eModel:
			return d.modelValue(param(at, "model"))
		case eTaskType, eDimensions:
			return d.cur.Skip()
		}
		return d.call.AddRaw(&d.cur) // a title, and what is unknown
	})
	if err == nil && !met.has(eContent) {
		return missing(param(at, "content"))
	}
	return err
}

const rRequests = 1

var batchNames = newNames("requests")

// embedBatch reads the body of batchEmbedContents.
func (d *decoder) embedBatch() error {
	met, err := d.object(batchNames, place{}, func(field int, _ []byte) error {
		if field != rRequests {
			return d.call.AddRaw(&d.cur)
		}
		return d.each("requests", MaxInputs, func(i int) error {
			return d.embedRequest(fmt.Sprintf("requests[%d]", i))
		})
	})
	if err == nil && (!met.has(rRequests) || d.call.Messages == 0) {
		return missing("requests")
	}
	return err
}

const (
	nRequest = iota + 1
	nModel
)

var countNames = newNames("generateContentRequest", "model")

// countTokens reads the body of countTokens, of which nothing is billed.
func (d *decoder) countTokens() error {
	_, err := d.object(countNames, place{}, func(field int, _ []byte) error {
		switch {
		case field == nModel:
			return d.modelValue("model")
		case field == nRequest && !d.cur.TakeNull():
			_, err := d.object(countNames, place{name: "generateContentRequest"}, func(field int, _ []byte) error {
				if field == nModel {
					return d.modelValue("generateContentRequest.model")
				}
				return d.cur.Skip()
			})
			return err
		case field == nRequest:
			return nil
		}
		return d.cur.Skip()
	})
	return err
}
