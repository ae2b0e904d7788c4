package governance

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"purser/internal/audit"
)

// TestNoKindOfObjectShowsASecret: the audit trail shows specs; each field of each kind
// that is named like a secret is masked there.
func TestNoKindOfObjectShowsASecret(t *testing.T) {
	plain := map[string]bool{ // by kind and path: named so, and none
		"webhook..url_secret": true, // the name of one in the configuration
	}
	tokens := regexp.MustCompile(`(input|output|min)_tokens$`) // counts
	named := regexp.MustCompile(`(?i)secret|token|password|passphrase|private|sealed|cipher|hash|apikey|api_key`)
	const value = "hunter2hunter2"
	for _, k := range Kinds {
		fields := map[string]string{}
		walkFields(reflect.TypeOf(k.empty()), "", fields, 0)
		if len(fields) == 0 {
			t.Errorf("a %s has no fields to look at", k.Name)
		}
		for path, field := range fields {
			if !named.MatchString(path) || tokens.MatchString(path) || plain[k.Name+"."+path] {
				continue
			}
			b, err := audit.View(map[string]any{field: value})
			if err != nil || strings.Contains(string(b), value) {
				t.Errorf("the field %s of a %s would be shown: %s, %v; mask it in package audit, or list it in this test", path, k.Name, b, err)
			}
		}
	}
}

// walkFields lists the JSON fields of a type, by their paths.
func walkFields(typ reflect.Type, path string, out map[string]string, depth int) {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || depth > 8 {
		return
	}
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		out[path+name] = name
		walkFields(typ.Field(i).Type, path+name+".", out, depth+1)
	}
}
