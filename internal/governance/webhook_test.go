package governance

import (
	"strings"
	"testing"

	"purser/internal/alert"
	"purser/internal/directory"
)

func TestWebhooksAreRead(t *testing.T) {
	s := directoryOf(t,
		[3]string{"webhook", "z", `{"url":"https://example.com/","secret":"ops","events":["budget.*"],"match":{"split.team":["blue"]}}`},
		[3]string{"webhook", "a", `{"url_secret":"slack","form":"slack"}`},
	)
	list, unreadable := Webhooks(s)
	if len(unreadable) != 0 || len(list) != 2 || list[0].ID != "a" || list[1].ID != "z" || list[0].Form != alert.Slack || list[1].Events[0] != "budget.*" || list[1].Created != 1 {
		t.Fatalf("%+v, %v", list, unreadable)
	}
	k, _ := KindOf("webhooks")
	for _, spec := range []string{`{}`, `{"url":"http://example.com","form":"slack"}`, `{"url":"https://example.com"}`, `{"url":"https://example.com","form":"slack","colour":"red"}`} {
		if _, err := k.Decode([]byte(spec)); err == nil {
			t.Errorf("%s is taken", spec)
		}
	}
}

// TestAWebhookThatCannotBeReadStopsNoRequest: alerts are not a rule.
func TestAWebhookThatCannotBeReadStopsNoRequest(t *testing.T) {
	s := directoryOf(t, [3]string{"webhook", "a", `{"url_secret":"slack","form":"slack"}`})
	later := directory.PutObject{Ref: directory.Ref{Kind: directory.ObjectWebhook, ID: "b"}, Expect: directory.AnyVersion, Spec: []byte(`{"carrier_pigeon":true}`)}
	if out := s.Apply(2, later); out.Code != directory.Applied {
		t.Fatal(out.Code)
	}
	list, unreadable := Webhooks(s)
	if len(list) != 1 || len(unreadable) != 1 || !strings.Contains(unreadable[0].Error(), "webhook b") {
		t.Errorf("%+v, %v", list, unreadable)
	}
	if _, err := Compile(s, nil); err != nil {
		t.Errorf("the rules cannot be read: %v", err)
	}
}
