package live

import (
	"context"
	"sync"
)

// Of an inbox: what a node under load makes in about a second, and no more memory than
// MaxWatches of them may take.
const (
	maxHeld  = 2048
	maxBytes = 1 << 20
)

// Inbox is what waits for one who watches. [NewInbox] makes one.
type Inbox struct {
	news chan struct{} // capacity 1: there is something to read

	mu     sync.Mutex // guards what follows
	batch  Batch
	bytes  int
	closed bool
}

// Batch is some records in the order in which they ended, as they are stored, and how many
// were dropped since the batch before.
type Batch struct {
	Records [][]byte
	Dropped uint64
}

// NewInbox returns an empty inbox.
func NewInbox() *Inbox { return &Inbox{news: make(chan struct{}, 1)} }

// Put leaves a record, as it is stored, or drops it where there is no room. It keeps stored.
func (in *Inbox) Put(stored []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.batch.Records) >= maxHeld || in.bytes+len(stored) > maxBytes {
		in.batch.Dropped++
	} else {
		in.batch.Records = append(in.batch.Records, stored)
		in.bytes += len(stored)
	}
	in.tell()
}

// Lose says that n records were dropped before they came here.
func (in *Inbox) Lose(n uint64) {
	if n == 0 {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.batch.Dropped += n
	in.tell()
}

// Close has Next end once all that is there was read.
func (in *Inbox) Close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed = true
	in.tell()
}

// tell wakes the reader. It is called with mu held.
func (in *Inbox) tell() {
	select {
	case in.news <- struct{}{}:
	default:
	}
}

// Next waits for something to read, and takes all of it. It returns ctx's error when that
// ends first, and [ErrClosed] after Close.
func (in *Inbox) Next(ctx context.Context) (Batch, error) {
	for {
		if b, err := in.take(); err != nil || len(b.Records) > 0 || b.Dropped > 0 {
			return b, err
		}
		select {
		case <-in.news:
		case <-ctx.Done():
			return Batch{}, ctx.Err()
		}
	}
}

func (in *Inbox) take() (Batch, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	b := in.batch
	if in.closed && len(b.Records) == 0 && b.Dropped == 0 {
		return b, ErrClosed
	}
	in.batch, in.bytes = Batch{}, 0
	return b, nil
}
