package governance

import (
	"reflect"
	"strings"
	"testing"

	"purser/internal/directory"
)

func TestMappingsSayWhatIsWrong(t *testing.T) {
	k, _ := KindOf("mapping")
	for spec, says := range map[string]string{
		`{}`: "rules: there are 0", `{"rules":[]}`: "rules: there are 0",
		`{"rules":[{"when":{"team":["a"]}}]}`:                                                   "when and set",
		`{"rules":[{"set":{"team":"a"}}]}`:                                                      "when and set",
		`{"rules":[{"when":{"colour":["a"]},"set":{"team":"b"}}]}`:                              `unknown dimension "colour"`,
		`{"rules":[{"when":{"team":["a"]},"set":{"tag:":"b"}}]}`:                                "set:",
		`{"rules":[{"when":{"team":[]},"set":{"team":"b"}}]}`:                                   "when.team has no values",
		`{"rules":[{"when":{"team":[""]},"set":{"team":"b"}}]}`:                                 `write "unallocated"`,
		`{"rules":[{"when":{"team":["a"]},"set":{"team":""}}]}`:                                 `write "unallocated"`,
		`{"rules":[{"when":{"team":["a*b"]},"set":{"team":"c"}}]}`:                              "at the end",
		`{"rules":[{"when":{"team":["a"]},"set":{"team":"*"}}]}`:                                "*",
		`{"rules":[{"when":{"team":["a"]},"set":{"team":"b"},"or":1}]}`:                         "or",
		`{"rules":[{"when":{"team":["a"]},"set":{"team":"` + strings.Repeat("x", 257) + `"}}]}`: "longer",
	} {
		if _, err := k.Decode([]byte(spec)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", spec, err, says)
		}
	}
	good := `{"description":"who pays","order":3,"rules":[{"when":{"tag:job":["nightly*","*","unallocated"],"key":["k1"]},"set":{"team":"data","customer":"unallocated"}}]}`
	spec, err := k.Decode([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := Encode(spec); err != nil {
		t.Error(err)
	} else if again, err := k.Decode(b); err != nil || !reflect.DeepEqual(again, spec) {
		t.Errorf("%s came back as %+v, %v", b, again, err)
	}
}

func TestMappingsAreInTheirOrder(t *testing.T) {
	s := directory.New()
	put := func(id, spec string) {
		s.Apply(1, directory.PutObject{Ref: directory.Ref{Kind: directory.ObjectMapping, ID: id}, Expect: directory.AnyVersion, Spec: []byte(spec)})
	}
	rule := func(to string) string { return `"rules":[{"when":{"team":["a"]},"set":{"team":"` + to + `"}}]` }
	put("z", `{"order":-1,`+rule("first")+`}`)
	put("b", `{`+rule("third")+`}`)
	put("a", `{`+rule("second")+`}`)
	put("off", `{"order":-9,"disabled":true,`+rule("never")+`}`)
	rules, err := Mappings(s)
	if err != nil || len(rules) != 3 || rules[0].Set["team"] != "first" || rules[1].Set["team"] != "second" || rules[2].Set["team"] != "third" {
		t.Errorf("%+v, %v", rules, err)
	}
	put("later", `{"rules":[{"when":{"team":["a"]},"set":{"team":"b"},"colour":"red"}]}`)
	if _, err := Mappings(s); err == nil || !strings.Contains(err.Error(), "mapping later") {
		t.Errorf("one of a later build: %v", err)
	}
	if _, err := Compile(s, nil); err != nil {
		t.Errorf("and requests are refused for it: %v", err)
	}
}
