package gemini

import (
	"testing"

	"purser/proxy/dialect/jsontree"
)

func TestJSONSchema(t *testing.T) {
	for own, want := range map[string]string{
		`{}`:                                                                       `{}`,
		`{"type":"TYPE_UNSPECIFIED"}`:                                              `{}`,
		`{"type":"string"}`:                                                        `{"type":"string"}`,
		`{"type":"NULL","title":"t"}`:                                              `{"type":"null","title":"t"}`,
		`{"type":"NUMBER","nullable":true}`:                                        `{"type":["number","null"]}`,
		`{"type":"NUMBER","nullable":false}`:                                       `{"type":"number"}`,
		`{"type":"STRING","format":"date-time"}`:                                   `{"type":"string","format":"date-time"}`,
		`{"type":"STRING","format":"enum","enum":["a","b"]}`:                       `{"type":"string","enum":["a","b"]}`,
		`{"type":"STRING","enum":["a"],"nullable":true}`:                           `{"type":["string","null"],"enum":["a",null]}`,
		`{"type":"INTEGER","enum":["1","-2"]}`:                                     `{"type":"integer","enum":[1,-2]}`,
		`{"type":"STRING","minLength":"1","max_length":2,"pattern":"^a"}`:          `{"type":"string","minLength":1,"maxLength":2,"pattern":"^a"}`,
		`{"type":"NUMBER","minimum":0.5,"maximum":2e3}`:                            `{"type":"number","minimum":0.5,"maximum":2e3}`,
		`{"type":"ARRAY","items":{"type":"BOOLEAN"},"minItems":1,"max_items":"3"}`: `{"type":"array","minItems":1,"maxItems":3,"items":{"type":"boolean"}}`,
		`{"type":"OBJECT","properties":{"a":{"type":"STRING"},"b":{"type":"INTEGER"},"c":{}},"required":["a"],"propertyOrdering":["b","zz","a","b"]}`: `{"type":"object","properties":{"b":{"type":"integer"},"a":{"type":"string"},"c":{}},"required":["a"]}`,
		`{"any_of":[{"type":"STRING"},{"type":"OBJECT"}],"nullable":true,"description":"d"}`:                                                          `{"description":"d","anyOf":[{"type":"string"},{"type":"object"},{"type":"null"}]}`,
		`{"type":"OBJECT","default":{"a":1},"example":[1]}`:                                                                                           `{"type":"object","default":{"a":1},"examples":[[1]]}`,
	} {
		var r jsontree.Reader
		if got := string(jsonSchema(r.Read([]byte(own), jsontree.Brackets))); r.Err != nil || got != want {
			t.Errorf("%s\n got %s %v\nwant %s", own, got, r.Err, want)
		}
	}
	for own, param := range map[string]string{
		`{"type":"TUPLE"}`:                            "type",
		`{"properties":{"a":{"oneOf":[]}}}`:           "properties.a.oneOf",
		`{"additionalProperties":false}`:              "additionalProperties",
		`{"type":"INTEGER","enum":["one"]}`:           "enum[0]",
		`{"minItems":"many"}`:                         "minItems",
		`{"anyOf":[{"type":"STRING"},{"items":"x"}]}`: "anyOf[1].items",
		`{"minItems":1,"min_items":1}`:                "min_items",
	} {
		var r jsontree.Reader
		if jsonSchema(r.Read([]byte(own), jsontree.Brackets)); r.Err == nil || r.Err.Param != param {
			t.Errorf("%s: %+v, want %s", own, r.Err, param)
		}
	}
}
