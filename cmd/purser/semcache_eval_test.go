package main

import (
	"strings"
	"testing"
)

func TestEvaluationSaysThatFilesAreMissing(t *testing.T) {
	for _, c := range []struct {
		cmd  semcacheEvalCmd
		want string
	}{
		{semcacheEvalCmd{Pairs: "no/such/file.tsv", Format: "qqp"}, "LABELLED PAIRS ARE MISSING"},
		{semcacheEvalCmd{Format: "qqp"}, "--pairs is missing"},
		{semcacheEvalCmd{Protocol: []string{"stream"}, Vectors: "no/such/vectors.json"}, "GUARD VECTORS ARE MISSING"},
	} {
		if err := c.cmd.Run(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.cmd, err)
		}
	}
}
