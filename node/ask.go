package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"purser/cluster/peer"
)

// The pieces of an answer about records begin with one of these.
const (
	pieceAlive   byte = iota // the node is at it
	pieceHeld                // JSON: the copies that it has
	pieceRows                // rows, as usage.AppendRow writes them
	pieceRest                // rows of what is in no group of its own
	pieceRecords             // records, each behind its length
	pieceCharges             // JSON: amounts
	pieceLive                // records as they end, as live.AppendBatch writes them
	pieceGiven               // JSON: names of fields of which rollups have given up values
	pieceItems               // outcomes or payments, as the question has them
	pieceRefused             // why the question cannot be answered of what is kept: a usage.QueryError
)

// answerBytes is how large a piece may grow before it is sent.
const answerBytes = 128 << 10

// errQuiet is a node that was asked and says nothing.
var errQuiet = errors.New("it did not answer in time")

// listen puts a question to a node and has take called with the pieces of its answer. It
// ends when the node is silent for longer than usage.gather_wait; the time that take takes
// does not count.
func (p *colleagues) listen(ctx context.Context, node, topic string, body []byte, take func(kind byte, piece []byte) error) error {
	return p.listenFor(ctx, p.peers.n.cfg.Usage.GatherWait, node, topic, body, take)
}

// listenFor is listen with another limit of silence.
func (p *colleagues) listenFor(ctx context.Context, wait time.Duration, node, topic string, body []byte, take func(kind byte, piece []byte) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(wait, func() { cancel(errQuiet) })
	defer silence.Stop()
	err := p.askOne(ctx, node, topic, body, func(piece []byte) error {
		silence.Stop()
		defer silence.Reset(wait)
		if len(piece) == 0 {
			return errors.New("an empty piece of an answer")
		}
		if piece[0] == pieceAlive {
			return nil
		}
		return take(piece[0], piece[1:])
	})
	if err != nil && errors.Is(context.Cause(ctx), errQuiet) {
		return errQuiet
	}
	return err
}

// fan calls ask for each of the nodes at once, at most as many as there are slots for.
func (p *colleagues) fan(ctx context.Context, nodes []string, ask func(ctx context.Context, node string) error) map[string]error {
	var mu sync.Mutex
	faults := map[string]error{}
	var asking sync.WaitGroup
	for _, node := range nodes {
		asking.Go(func() {
			var err error
			select {
			case p.slots <- struct{}{}:
				err = ask(ctx, node)
				<-p.slots
			case <-ctx.Done():
				err = ctx.Err()
			}
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				faults[node] = err
			}
		})
	}
	asking.Wait()
	return faults
}

// whySilent says why a node did not answer, for those who read reports: no addresses.
func whySilent(err error) string {
	switch {
	case errors.Is(err, peer.ErrNoTopic):
		return "its build knows nothing of the question: it is older"
	case errors.Is(err, errQuiet):
		return errQuiet.Error()
	default:
		return "it could not be reached, or broke off"
	}
}

// answerer says the pieces of an answer, and that this node is at it while there are none.
type answerer struct {
	mu   sync.Mutex
	said func([]byte) error
	stop context.CancelFunc
	done sync.WaitGroup
}

// answering begins an answer to one who listens; end must be called.
func (n *Node) answering(ctx context.Context, say func([]byte) error) *answerer {
	return n.answeringEvery(ctx, aliveEvery, say)
}

// answeringEvery is answering with another span between the signs of life.
func (n *Node) answeringEvery(ctx context.Context, every time.Duration, say func([]byte) error) *answerer {
	ctx, stop := context.WithCancel(ctx)
	t := &answerer{said: say, stop: stop}
	t.done.Go(func() {
		alive := time.NewTicker(every)
		defer alive.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-alive.C:
				if t.say(pieceAlive, nil) != nil {
					return // who asked has gone; the next piece tells who answers
				}
			}
		}
	})
	return t
}

// aliveEvery is well below the shortest usage.gather_wait.
const aliveEvery = 30 * time.Millisecond

func (t *answerer) say(kind byte, piece []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.said(append([]byte{kind}, piece...)); err != nil {
		return fmt.Errorf("answer another node: %w", err)
	}
	return nil
}

func (t *answerer) end() {
	t.stop()
	t.done.Wait()
}
