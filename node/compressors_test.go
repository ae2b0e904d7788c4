package node

import (
	"context"
	"strings"
	"testing"
)

func TestBadCompressionConfigurations(t *testing.T) {
	for says, c := range map[string]CompressionConfig{
		"hooks[0]: name is missing":               {Hooks: []CompressorConfig{{URL: "http://127.0.0.1:1"}}},
		"hooks[0]: url is not an address":         {Hooks: []CompressorConfig{{Name: "a", URL: "127.0.0.1:1"}}},
		"hooks[0]: timeout is not within":         {Hooks: []CompressorConfig{{Name: "a", URL: "http://127.0.0.1:1", Timeout: 1}}},
		`hooks[1]: there is another "a"`:          {Hooks: []CompressorConfig{{Name: "a", URL: "http://127.0.0.1:1"}, {Name: "a", URL: "http://127.0.0.1:1"}}},
		"hooks: there are more than":              {Hooks: make([]CompressorConfig, maxHooks+1)},
		"hooks[0]: concurrent is not within 1 to": {Hooks: []CompressorConfig{{Name: "a", URL: "http://127.0.0.1:1", Concurrent: -1}}},
	} {
		c.setDefaults()
		if err := c.validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

func TestACompressorThatIsNotConfiguredIsAnError(t *testing.T) {
	c := CompressionConfig{Hooks: []CompressorConfig{{Name: "a", URL: "http://127.0.0.1:1"}}}
	c.setDefaults()
	list, err := openCompressors(&c)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	defer list.close()
	if _, err := list.Shorten(context.Background(), "b", "", []string{"x"}, 0.5); err == nil {
		t.Error("nobody was asked, and that is no error")
	}
}
