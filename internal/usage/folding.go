package usage

import (
	"fmt"
	"runtime"
	"sync"
)

// folding adds up blocks on several cores, each with a tally of its own: most of the time
// of a query over months goes there. Whoever begins one ends it.
type folding struct {
	q     *TotalsQuery
	work  chan folded
	ended sync.WaitGroup
	folds []*fold

	mu  sync.Mutex
	err error // the first
}

// folded is a block on its way to be added up.
type folded struct {
	view     *view
	level    level
	interval int
}

// foldersMost bounds the cores that one query uses.
const foldersMost = 4

// beginFolding starts the goroutines, the first of which adds to t.
func beginFolding(q *TotalsQuery, t *tally) (*folding, error) {
	f := &folding{q: q, work: make(chan folded, foldersMost)}
	for i := range min(runtime.GOMAXPROCS(0), foldersMost) {
		own := t
		if i > 0 {
			var err error
			if own, err = newTally(q); err != nil {
				return nil, err
			}
		}
		f.folds = append(f.folds, &fold{q: q, t: own})
	}
	for _, one := range f.folds {
		f.ended.Go(func() { f.run(one) })
	}
	return f, nil
}

func (f *folding) run(one *fold) {
	for w := range f.work {
		if err := one.block(w.view, w.interval); err != nil {
			f.fail(fmt.Errorf("read the usage of the %s at %s: %w", w.level, timeOf(w.view.start), err))
		}
	}
}

func (f *folding) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

// add hands a block on, which nobody else uses from then on. It waits while all are busy.
func (f *folding) add(k *view, l level, interval int) { f.work <- folded{k, l, interval} }

// end waits for all blocks, and puts what they add up to together.
func (f *folding) end() error {
	close(f.work)
	f.ended.Wait()
	into := f.folds[0].t
	for _, one := range f.folds[1:] {
		into.add(one.t)
	}
	return f.err
}

// own is a copy of bytes that are somebody else's soon.
func own(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }
