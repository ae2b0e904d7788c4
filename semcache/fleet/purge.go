package fleet

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"purser/semcache"
)

// Purged is what a purge did on a node.
type Purged struct {
	Node    string
	Entries int
	Err     error // it did not answer: what it has may still be given until it hears of the purge
}

// maxTold bounds the nodes that are told of a purge at once.
const maxTold = 32

// Purge deletes what is selected on every node, and says what each did, this one
// first. The error is of this node.
func (f *Fleet) Purge(ctx context.Context, s semcache.Selection) ([]Purged, error) {
	mark, n, err := f.cache.Purge(s)
	out := []Purged{{Node: f.self.id, Entries: n, Err: err}}
	var mu sync.Mutex
	var telling sync.WaitGroup
	slots := make(chan struct{}, maxTold)
	for _, p := range *f.nodes.Load() {
		if p == f.self {
			continue
		}
		slots <- struct{}{}
		telling.Go(func() {
			defer func() { <-slots }()
			n, err := f.tell(ctx, p, []semcache.Mark{mark})
			mu.Lock()
			defer mu.Unlock()
			out = append(out, Purged{p.id, n, err})
		})
	}
	telling.Wait()
	slices.SortFunc(out[1:], func(a, b Purged) int { return strings.Compare(a.Node, b.Node) })
	return out, err
}

// tell tells a node of purges, and takes note of those that it knows of.
func (f *Fleet) tell(ctx context.Context, p *peer, marks []semcache.Mark) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.PutTime)
	defer cancel()
	theirs, n, err := f.peers.Exchange(ctx, p.id, marks)
	if err == nil {
		_, err = f.cache.Obey(theirs)
	}
	return n, err
}

// Exchange is what another node tells of purges and asks for.
func (f *Fleet) Exchange(marks []semcache.Mark) ([]semcache.Mark, int, error) {
	n, err := f.cache.Obey(marks)
	return f.cache.Marks(), n, err
}

// catchUp compares the purges that this node knows of with another's, unless that is
// under way.
func (f *Fleet) catchUp(p *peer) {
	if f.peers == nil || p.behind.Swap(true) {
		return
	}
	if !f.work(func() {
		defer p.behind.Store(false)
		if _, err := f.tell(f.base, p, f.cache.Marks()); err != nil && f.base.Err() == nil {
			f.log.Debug("purges of the response cache could not be compared", "node", p.id, "error", err)
		}
	}) {
		p.behind.Store(false)
	}
}

// compare compares purges with one of the others after another until Close.
func (f *Fleet) compare() {
	t := time.NewTicker(f.cfg.Compare)
	defer t.Stop()
	for {
		select {
		case <-f.base.Done():
			return
		case <-t.C:
		}
		if nodes := *f.nodes.Load(); len(nodes) > 1 {
			f.compared++
			f.catchUp(nodes[1+f.compared%(len(nodes)-1)])
		}
	}
}
