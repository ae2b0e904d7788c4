package admin

import (
	"strings"
	"testing"
)

func TestAPurgeSaysWhatItIsFor(t *testing.T) {
	for _, c := range []struct {
		in   CachePurge
		want string // "" for none
	}{
		{CachePurge{All: true}, ""},
		{CachePurge{Tenant: "org:acme", Tag: "x"}, ""},
		{CachePurge{Key: strings.Repeat("0a", 32)}, ""},
		{CachePurge{}, "say all"},
		{CachePurge{All: true, Tag: "x"}, "say all"},
		{CachePurge{Key: "0a"}, "64 hexadecimal"},
		{CachePurge{Tag: strings.Repeat("x", maxSelector+1)}, "at most 512"},
	} {
		f := c.in.Validate()
		if (f == nil) != (c.want == "") || f != nil && !strings.Contains(f.Message, c.want) {
			t.Errorf("%+v: %v", c.in, f)
		}
	}
}
