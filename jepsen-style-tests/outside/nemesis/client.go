package nemesis

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/rig"
	"purser/jepsen-style-tests/outside/workload"
)

var clientFaults = []Fault{
	{Name: "client-retries", Class: Client, What: "requests with the same idempotency key at all nodes at once and again, eight keys", Weight: 2, Strike: (*Strike).retries},
	{Name: "client-disconnects", Class: Client, What: "a hundred clients that hang up, at every stage of a request", Weight: 2, Strike: (*Strike).disconnects},
	{Name: "client-slow", Class: Client, What: "readers of large answers that stop reading for 2 to 6 s", Strike: (*Strike).slowReaders},
	{Name: "client-burst", Class: Client, What: "ten times as many requests, 1 to 4 s", Strike: (*Strike).burst},
	{Name: "client-garbage", Class: Client, What: "what is not HTTP, huge headers, half requests, ambiguous lengths", Strike: (*Strike).garbage},
}

// retries sends each of eight operations twice to every node at once, under one key, and
// once more when the answers are there. The virtual key is new, so that no member has a
// part in its keys that was removed before.
func (s *Strike) retries() error {
	release, err := s.Take(Made)
	if err != nil {
		return err
	}
	defer release()
	key, err := s.newKey(s.Town.Session(), "retries")
	if err != nil {
		return unmade(err)
	}
	const operations, each = 8, 2
	var answered, replayed atomic.Int64
	wave := func(first int, ids []string) {
		var all sync.WaitGroup
		for i, id := range ids {
			for j := range each * len(s.Cluster.Nodes) {
				n := s.Cluster.Nodes[j%len(s.Cluster.Nodes)]
				all.Go(func() {
					r := s.Town.Trial(s, n, workload.Trials, func(q *workload.Question, c *workload.Call) {
						q.ID, q.Text, q.Stream = id, id+" is asked at every node", i%3 == 0
						c.ID, c.Try, c.Idem, c.Key = id, first+j, id, key
					})
					if r.Status == http.StatusOK {
						answered.Add(1)
					}
					if r.Replayed {
						replayed.Add(1)
					}
				})
			}
		}
		all.Wait()
	}
	var ids []string
	for range operations {
		ids = append(ids, fmt.Sprintf("retries-f%d", s.Town.Number()))
	}
	wave(0, ids)
	wave(each*len(s.Cluster.Nodes), ids)
	if answered.Load() > 0 {
		s.Saw("%d of %d tries of %d operations were answered well, %d of them replayed", answered.Load(), 2*operations*each*len(s.Cluster.Nodes), operations, replayed.Load())
	}
	return nil
}

// twice are operations under idempotency keys of a virtual key of their own, each to be
// asked twice: none may be sent twice, whatever a home of such a key has lost meanwhile.
type twice struct {
	*Strike
	key string
	ids []string
	at  []*rig.Node // asked in turns
}

// twice prepares some, to be asked at these nodes. While another fault has its hands on keys
// there are none.
func (s *Strike) twice(at []*rig.Node) *twice {
	t := &twice{Strike: s, at: at}
	if len(at) == 0 {
		return t
	}
	release, ok := s.Claim(Made)
	if !ok {
		return t
	}
	defer release()
	key, err := s.newKey(s.Town.Session(), "twice")
	if err != nil {
		return t
	}
	t.key = key
	const operations = 24
	for range operations {
		t.ids = append(t.ids, fmt.Sprintf("twice-f%d", s.Town.Number()))
	}
	return t
}

// ask asks all at once, for the first or for another time.
func (t *twice) ask(try int) {
	var all sync.WaitGroup
	for i, id := range t.ids {
		all.Go(func() {
			t.Town.Trial(t, t.at[(i+try)%len(t.at)], workload.Trials, func(q *workload.Question, c *workload.Call) {
				q.ID, q.Text = id, id+" is asked twice"
				c.ID, c.Try, c.Idem, c.Key = id, try, id, t.key
			})
		})
	}
	all.Wait()
}

// disconnects has clients hang up: some before a request is whole, which asks nothing
// and is not noted, the others while it is under way, or answered.
func (s *Strike) disconnects() error {
	const clients, atOnce = 100, 20
	turns := make(chan struct{}, atOnce)
	var left atomic.Int64
	var all sync.WaitGroup
	for i := range clients {
		if s.Err() != nil {
			break
		}
		n := s.Cluster.Nodes[s.Rand.IntN(len(s.Cluster.Nodes))]
		stage, bytes, wait := i%6, 1+s.Rand.IntN(4000), s.Between(time.Millisecond, 200*time.Millisecond)
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			if stage < len(halves) {
				if _, err := s.say(n, halves[stage], 0); err == nil {
					left.Add(1)
				}
				return
			}
			r := s.Town.Trial(s, n, workload.Trials, func(q *workload.Question, c *workload.Call) {
				q.Stream = stage != len(halves)
				if c.Reading.LeaveAfter = wait; stage == len(halves)+2 {
					c.Reading = workload.Reading{LeaveAt: bytes}
				}
			})
			if r.Left {
				left.Add(1)
			}
		})
	}
	all.Wait()
	if n := left.Load(); n > 0 {
		s.Saw("%d clients hung up", n)
	}
	return nil
}

// halves are what a client has said when it hangs up before its request is whole.
var halves = []string{
	"",
	"POST /v1/chat/completions HTTP/1.1\r\nHost: purser\r\nContent-",
	"POST /v1/chat/completions HTTP/1.1\r\nHost: purser\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n{\"model\":\"gpt-4.1-nano\",",
}

func (s *Strike) slowReaders() error {
	const clients = 6
	var stopped atomic.Int64
	var all sync.WaitGroup
	for i := range clients {
		n := s.Cluster.Nodes[i%len(s.Cluster.Nodes)]
		how := workload.Reading{PauseAt: 1 + s.Rand.IntN(100_000), Pause: s.Between(2*time.Second, 6*time.Second)}
		all.Go(func() {
			r := s.Town.Trial(s, n, workload.Trials, func(q *workload.Question, c *workload.Call) {
				q.Stream, c.Mode, c.Reading = true, largeAnswer, how
			})
			if time.Duration(r.Ended-r.Begun) >= how.Pause {
				stopped.Add(1)
			}
		})
	}
	all.Wait()
	if n := stopped.Load(); n > 0 {
		s.Saw("%d readers stopped for seconds", n)
	}
	return nil
}

// largeAnswer is more than connections hold that nobody reads.
const largeAnswer = "huge=8388608"

func (s *Strike) burst() error {
	release, err := s.Take("haste")
	if err != nil {
		return err
	}
	defer release()
	every := func(*history.Request) bool { return true }
	d := s.Between(time.Second, 4*time.Second)
	begun := s.History.Now()
	before := s.History.Since(begun-int64(d), every)
	s.Town.Hurry(s, 10, d)
	if during := s.History.Since(begun, every); during > 2*before {
		s.Saw("%d requests, %d in the same time before", during, before)
	}
	return nil
}

// garbage says to a node what is no request; it answers what it can, ends the
// connection, and goes on.
func (s *Strike) garbage() error {
	n, release, err := s.Any()
	if err != nil {
		return err
	}
	defer release()
	answers := map[string]int{}
	for _, text := range rubbish() {
		status, err := s.say(n, text, time.Second)
		if err != nil {
			status = "nothing"
		}
		answers[status]++
		if s.Err() != nil {
			break
		}
	}
	if ended, err := n.Ended(0); ended {
		return fmt.Errorf("%s ended over what it was told: %w", n.Place, err)
	}
	if len(answers) > 1 || answers["nothing"] == 0 {
		s.Saw("answered with %v", answers)
	}
	return nil
}

// rubbish is what a server may be told.
func rubbish() []string {
	const post = "POST /v1/chat/completions HTTP/1.1\r\nHost: purser\r\n"
	return []string{
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x5a", 500),
		strings.Repeat("\x00", 4096),
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + strings.Repeat("\xff", 64),
		"GET\r\n\r\n",
		"GET /v1/models HTTP/9.9\r\nHost: purser\r\n\r\n",
		"GET /v1/models HTTP/1.1\r\n" + strings.Repeat("X-Filler: "+strings.Repeat("a", 1000)+"\r\n", 1000) + "\r\n",
		"GET /" + strings.Repeat("a", 1<<20) + " HTTP/1.1\r\nHost: purser\r\n\r\n",
		post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nhello",
		post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
		post + "Content-Length: -1\r\n\r\n",
		post + "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
		post + "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
		post + "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n[[",
		post + "X-Bad\x01Name: 1\r\nContent-Length: 0\r\n\r\n",
		post + "Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
		"POST /admin/v1/budgets/x HTTP/1.1\r\nHost: purser\r\nContent-Length: 4\r\n\r\nnull",
	}
}

// say tells a node something on a connection of its own, and returns the status that it
// answers with within a time; at 0 it hangs up without waiting.
func (s *Strike) say(n *rig.Node, text string, within time.Duration) (status string, err error) {
	conn, err := s.Cluster.Dial(s, "tcp", strings.TrimPrefix(n.URL(), "http://"))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	const writing = 2 * time.Second
	if err := conn.SetDeadline(time.Now().Add(max(within, writing))); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte(text)); err != nil && within == 0 {
		return "", err
	} // a node may answer, and end the connection, before it has read all
	if within == 0 {
		return "", nil
	}
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return "", err
	}
	line := make([]byte, 64)
	got, err := conn.Read(line)
	if got == 0 {
		return "", err
	}
	first, _, _ := strings.Cut(string(line[:got]), "\r\n")
	if !strings.HasPrefix(first, "HTTP/1.1 ") {
		return "frames", nil // of HTTP/2
	}
	return strings.TrimPrefix(first, "HTTP/1.1 "), nil
}
