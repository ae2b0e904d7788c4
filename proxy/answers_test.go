package proxy

import (
	"strings"
	"testing"
)

func TestWhichHeadersPass(t *testing.T) {
	for name, want := range map[string]struct{ forwards, returns bool }{
		"User-Agent":                            {true, true},
		"X-Request-Id":                          {true, true},
		"Connection":                            {false, false},
		"TRANSFER-ENCODING":                     {false, false},
		"content-length":                        {false, false},
		"Authorization":                         {false, true},
		"X-Api-Key":                             {false, true},
		"X-Forwarded-For":                       {false, true},
		"X-Purser-Customer":                     {false, false},
		"x-purser":                              {true, true},
		"Set-Cookie":                            {true, false},
		"OpenAI-Organization":                   {false, false},
		"Alt-Svc":                               {true, false},
		"Strict-Transport-Security":             {true, false},
		"X-" + strings.Repeat("A", 2*nameBytes): {true, true},
		"X-PURSER-TAG-" + strings.Repeat("A", nameBytes): {false, false},
	} {
		if forwards(name) != want.forwards || returns(name) != want.returns {
			t.Errorf("%s: forwards %v, returns %v; want %v", name, forwards(name), returns(name), want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { forwards("X-Ratelimit-Remaining-Tokens"); returns("X-Ratelimit-Remaining-Tokens") }); n != 0 {
		t.Errorf("looking at a header allocates %v objects", n)
	}
}
