package workload

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFewCustomersComeOften(t *testing.T) {
	c := newCrowd(rand.New(rand.NewPCG(1, 2)), customers)
	times := make([]int, customers)
	const draws = 20_000
	for range draws {
		times[c.next()]++
	}
	met := 0
	for _, n := range times {
		if n > 0 {
			met++
		}
	}
	if share := float64(times[0]) / draws; share < 0.08 || share > 0.3 {
		t.Errorf("the first customer makes %.2f of the requests", share)
	}
	if met < customers/2 {
		t.Errorf("%d of %d customers come at all", met, customers)
	}
}

func TestGapsKeepTheRate(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var sum time.Duration
	const draws, rate = 20_000, 50.0
	for range draws {
		g := gap(rng, rate)
		if g < 0 || g > 10*time.Second/rate {
			t.Fatalf("a gap of %v", g)
		}
		sum += g
	}
	if got := draws / sum.Seconds(); got < 0.95*rate || got > 1.05*rate {
		t.Errorf("gaps for %v a second come to %.1f", rate, got)
	}
}

func TestTheSameSeedAsksTheSame(t *testing.T) {
	draw := func(seed uint64) string { return text(rand.New(rand.NewPCG(seed, 6)), "hot-1-1", 40) }
	if one, again := draw(5), draw(5); one != again {
		t.Errorf("the same draw gives %q and %q", one, again)
	}
	if one, other := draw(5), draw(6); one == other {
		t.Errorf("two seeds give %q", one)
	}
}

func TestQuestionsNameTheirOperation(t *testing.T) {
	q := Question{ID: "hot-1-1", Text: "t", Cap: 5}
	var chat struct {
		User string `json:"user"`
		Cap  int    `json:"max_completion_tokens"`
	}
	var messages struct {
		Metadata struct {
			UserID string `json:"user_id"`
		} `json:"metadata"`
		Cap int `json:"max_tokens"`
	}
	if err := json.Unmarshal(q.Chat(), &chat); err != nil || chat.User != q.ID || chat.Cap != 5 {
		t.Errorf("a chat is %s: %v", q.Chat(), err)
	}
	if err := json.Unmarshal(q.Messages(), &messages); err != nil || messages.Metadata.UserID != q.ID || messages.Cap != 5 {
		t.Errorf("messages are %s: %v", q.Messages(), err)
	}
}

func TestTracesOfBothFormsAreRead(t *testing.T) {
	want := []recorded{{0, 4808, 10}, {52 * time.Millisecond, 3180, 8}}
	for name, text := range map[string]string{
		"CSV":  "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319600,3180,8\n",
		"JSON": `{"timestamp": 1000, "input_length": 4808, "output_length": 10, "hash_ids": [0]}` + "\n" + `{"timestamp": 1052, "input_length": 3180, "output_length": 8}` + "\n",
	} {
		got, err := parseTrace(strings.NewReader(text))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is read as %v, %v; want %v", name, got, err, want)
		}
	}
	for name, text := range map[string]string{"nothing": "", "a row of words": "a,b,c\nx,y,z\n", "half a line": `{"timestamp": 10`} {
		if got, err := parseTrace(strings.NewReader(text)); err == nil {
			t.Errorf("%s is read as %v", name, got)
		}
	}
}
