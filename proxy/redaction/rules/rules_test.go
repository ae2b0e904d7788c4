package rules

import "testing"

func TestOwn(t *testing.T) {
	s, err := Own()
	if err != nil || len(s.Left) > 0 {
		t.Fatal(err, s.Left)
	}
	t.Log(len(s.Rules))
}
