package proxy

import (
	"bytes"
	"strconv"

	"purser/proxy/dialect/jsonscan"
	"purser/proxy/policy"
)

// parameter is one that policies may lower in a body.
type parameter uint8

const (
	noParameter parameter = iota
	paramN
	paramTemperature
	paramTopP
)

// sampling is where a dialect has these parameters: in the body, or in an object of
// it. Names are compared without case, as some servers do.
type sampling struct {
	within [][]byte // names of the object; none: the body
	names  []parameterName
}

type parameterName struct {
	name  []byte
	param parameter
}

var flatSampling = sampling{names: []parameterName{
	{[]byte("n"), paramN}, {[]byte("temperature"), paramTemperature}, {[]byte("top_p"), paramTopP},
}}

var samplings = [wires]sampling{
	OpenAI: flatSampling, OpenAIResponses: flatSampling, Anthropic: flatSampling,
	Gemini: {
		within: [][]byte{[]byte("generationConfig"), []byte("generation_config")},
		names: []parameterName{
			{[]byte("candidateCount"), paramN}, {[]byte("candidate_count"), paramN},
			{[]byte("temperature"), paramTemperature}, {[]byte("topP"), paramTopP}, {[]byte("top_p"), paramTopP},
		},
	},
}

// each calls do for every such parameter of a body that was decoded without error,
// in order: value is body[start:end], which may be of any kind. A body may name one
// several times.
func (s *sampling) each(body []byte, do func(p parameter, start, end int)) {
	cur := jsonscan.Cursor{Doc: body, LoneSurrogates: true}
	if cur.Kind() != jsonscan.Object {
		return
	}
	if len(s.within) == 0 {
		_ = cur.EachMember(func(key jsonscan.Str) error { return s.member(&cur, key, do) }) // the body was read before
		return
	}
	_ = cur.EachMember(func(key jsonscan.Str) error {
		name := cur.Name(key)
		for _, w := range s.within {
			if bytes.EqualFold(name, w) && cur.Kind() == jsonscan.Object {
				return cur.EachMember(func(key jsonscan.Str) error { return s.member(&cur, key, do) })
			}
		}
		return cur.Skip()
	})
}

func (s *sampling) member(cur *jsonscan.Cursor, key jsonscan.Str, do func(p parameter, start, end int)) error {
	name := cur.Name(key)
	start, end, err := cur.Value()
	if err != nil {
		return err
	}
	for _, n := range s.names {
		if bytes.EqualFold(name, n.name) {
			do(n.param, start, end)
		}
	}
	return nil
}

// readSampling gives the temperature and top_p of a body, the largest where it has
// several, as it is not known which the provider takes.
func readSampling(w Wire, body []byte) (temperature, topP float64) {
	temperature, topP = policy.Unset, policy.Unset
	samplings[w].each(body, func(p parameter, start, end int) {
		switch p {
		case paramTemperature:
			temperature = max(temperature, numberOf(body[start:end]))
		case paramTopP:
			topP = max(topP, numberOf(body[start:end]))
		}
	})
	return temperature, topP
}

// numberOf reads a JSON value as a number. What is none may be one to a provider.
func numberOf(value []byte) float64 {
	if string(value) == "null" {
		return policy.Unset
	}
	n, err := strconv.ParseFloat(string(value), 64)
	if err != nil {
		return policy.Unreadable
	}
	return n
}

// appendLowered appends the body with those parameters lowered that are above p's.
func appendLowered(dst []byte, w Wire, body []byte, p policy.Params) []byte {
	from := 0
	samplings[w].each(body, func(param parameter, start, end int) {
		most := [...]float64{paramN: float64(p.N), paramTemperature: p.Temperature, paramTopP: p.TopP}[param]
		if most != policy.Unset && numberOf(body[start:end]) > most {
			dst = append(dst, body[from:start]...)
			dst = strconv.AppendFloat(dst, most, 'f', -1, 64)
			from = end
		}
	})
	return append(dst, body[from:]...)
}
