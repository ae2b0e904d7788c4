package netlab

import (
	"maps"
	"strings"
	"testing"
	"time"
)

func TestPartitions(t *testing.T) {
	delay := time.Second
	for _, x := range []struct {
		name    string
		got     Rules
		dropped string // "ab" is from a to b
		others  Rules
	}{
		{"isolate", Isolate("a", "b", "c"), "ab ac ba ca", nil},
		{"isolate among all", Isolate("a", "a", "b"), "ab ba", nil},
		{"split in two", Split([]string{"a", "b"}, []string{"c"}), "ac bc ca cb", nil},
		{"split in three", Split([]string{"a"}, []string{"b"}, []string{"c"}), "ab ac ba bc ca cb", nil},
		{"bridge", Bridge([]string{"a"}, "m", []string{"b"}), "ab ba", nil},
		{"bridge of two majorities", Bridge([]string{"a", "m"}, "m", []string{"m", "b"}), "ab ba", nil},
		{"one way", OneWay([]string{"a"}, []string{"b", "c"}), "ab ac", nil},
		{"region", Region([]string{"a"}, []string{"b"}, delay), "", Rules{{"a", "b"}: {Delay: delay}, {"b", "a"}: {Delay: delay}}},
		{"another rule", OneWay([]string{"a"}, []string{"b"}).With(Rule{Loss: .5}), "", Rules{{"a", "b"}: {Loss: .5}}},
	} {
		want := Rules{}
		for _, d := range strings.Fields(x.dropped) {
			want[Pair{d[:1], d[1:]}] = Rule{Drop: true}
		}
		maps.Copy(want, x.others)
		if !maps.Equal(x.got, want) {
			t.Errorf("%s: %v, want %v", x.name, x.got, want)
		}
	}
}
