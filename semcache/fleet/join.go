package fleet

import (
	"context"
	"errors"
	"io"
	"time"

	"purser/semcache"
)

// How says what became of a request that joined.
type How uint8

// The ways.
const (
	// Going: there is no answer; the request is to be made, and to land its flight if
	// it has one.
	Going How = iota
	// Found: an entry answers it.
	Found
	// Followed: the answer of an identical request in flight does.
	Followed
)

// Flight is a request that others may be waiting for, on any node.
type Flight struct {
	f     *Fleet
	local *semcache.Flight
	line  *line // nil: it is between requests of this node alone
}

// Land ends the flight, once: e is shared with those who wait, or, if nil, they go on
// alone. It does not wait for other nodes.
func (x *Flight) Land(e *semcache.Entry) {
	x.local.Land(e)
	if x.line != nil {
		x.line.land(e)
	}
}

// Join looks for the answer on the node that owns the key, leads its flight, or waits
// for another's, on whatever node that is.
func (f *Fleet) Join(ctx context.Context, q Question) (*Flight, *semcache.Entry, How) {
	owner := f.owner(&q.Key)
	if owner == f.self {
		return f.joinOwned(ctx, q)
	}
	patient := q.Wait > 0
	if patient {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, q.Wait) // for all its waits together
		defer cancel()
	}
	local, e := f.here.Join(ctx, q.Key, q.Wait)
	if local == nil {
		return nil, e, followed(e)
	}
	if e := f.look(q); e != nil { // it came in since the request was looked up
		local.Land(e)
		return nil, e, Found
	}
	if end, ok := ctx.Deadline(); ok && patient {
		q.Wait = max(time.Until(end), 1)
	}
	line, e, how, err := f.ask(ctx, owner, q)
	switch {
	case line != nil:
		return &Flight{f, local, line}, nil, Going
	case e != nil:
		local.Land(e)
		return nil, e, how
	case ctx.Err() != nil || err == nil && !patient:
		local.Abandon() // others here may have more time
		return nil, nil, Going
	case err == nil:
		local.Land(nil) // the leader had nothing to share with anybody
		return nil, nil, Going
	default:
		return &Flight{f: f, local: local}, nil, Going // without the owner, those of this node share
	}
}

func followed(e *semcache.Entry) How {
	if e == nil {
		return Going
	}
	return Followed
}

// joinOwned is Join for a key of this node.
func (f *Fleet) joinOwned(ctx context.Context, q Question) (*Flight, *semcache.Entry, How) {
	local, e := f.owned.Join(ctx, q.Key, q.Wait)
	if local == nil {
		return nil, e, followed(e)
	}
	if e := f.look(q); e != nil {
		local.Land(e)
		return nil, e, Found
	}
	return &Flight{f: f, local: local}, nil, Going
}

// look is a second look once the flight is led: what landed between the first and that
// is there.
func (f *Fleet) look(q Question) *semcache.Entry {
	if q.Fresh {
		return nil
	}
	return f.cache.Peek(q.Key, semcache.Wanted{At: f.now(), Created: q.Created})
}

// Answer answers a question of another node about a key, and holds its flight.
func (f *Fleet) Answer(ctx context.Context, q Question, side Side) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.base, cancel)()
	say := func(v Verdict, e *semcache.Entry) error {
		r := Reply{Verdict: v, Epoch: f.cache.Epoch()}
		if e != nil {
			f.count.served.Add(1)
			r.Entry = semcache.AppendWire(nil, q.Key, e)
		}
		return side.Say(r)
	}
	if e, ok := f.cache.Get(q.Key, semcache.Wanted{At: f.now(), Created: q.Created}); ok && !q.Fresh {
		return say(Hit, e)
	}
	flight, _ := f.owned.Join(ctx, q.Key, 0)
	if flight == nil {
		if q.Stale {
			if e := f.cache.Peek(q.Key, semcache.Wanted{At: f.now(), Created: q.Created, Stale: true}); e != nil {
				return say(Hit, e)
			}
		}
		if q.Wait <= 0 {
			return say(Alone, nil)
		}
		if err := say(Wait, nil); err != nil {
			return err
		}
		var e *semcache.Entry
		if flight, e = f.owned.Join(ctx, q.Key, q.Wait); flight == nil {
			if e != nil {
				return say(Shared, e)
			}
			return say(Alone, nil)
		}
	}
	if e := f.look(q); e != nil {
		flight.Land(e)
		return say(Hit, e)
	}
	if err := say(Lead, nil); err != nil {
		flight.Abandon()
		return err
	}
	wire, err := side.Landed(ctx)
	if err != nil {
		flight.Abandon() // its leader is lost
		return err
	}
	if wire == nil {
		flight.Land(nil)
		return nil
	}
	e, err := f.decode(q.Key, wire)
	if err != nil {
		flight.Land(nil)
		return err
	}
	f.cache.Keep(q.Key, e) // before it lands: whoever comes now finds it
	flight.Land(e)
	return nil
}

// line is a conversation with an owner in which this node leads.
type line struct {
	f      *Fleet
	peer   *peer
	key    semcache.Key
	talk   Line
	cancel context.CancelFunc
}

// end closes the conversation.
func (l *line) end() {
	l.cancel()
	<-l.peer.slots
}

// land tells the owner, without waiting for it.
func (l *line) land(e *semcache.Entry) {
	done := func() {
		defer l.end()
		l.f.lines.Delete(l.key)
		over := time.AfterFunc(l.f.cfg.PutTime, l.cancel)
		defer over.Stop()
		var wire []byte
		if e != nil {
			l.f.count.puts.Add(1)
			wire = semcache.AppendWire(nil, l.key, e)
		}
		err := l.talk.Land(wire)
		if err == nil {
			_, err = l.talk.Next() // the owner ends the conversation when it has the entry
		}
		if e != nil && !errors.Is(err, io.EOF) {
			l.f.keep(l.key, e)
		}
	}
	if !l.f.work(done) {
		l.f.lines.Delete(l.key)
		l.end()
	}
}

// ask asks the owner. It returns the line if this node is to lead, or the entry, or
// neither: with an error if the owner is of no use, else this request goes on alone.
func (f *Fleet) ask(ctx context.Context, p *peer, q Question) (*line, *semcache.Entry, How, error) {
	if !p.breaker.allows(time.Now()) {
		f.count.skipped.Add(1)
		return nil, nil, Going, errBusy
	}
	select {
	case p.slots <- struct{}{}:
	default:
		p.breaker.unknown()
		f.count.skipped.Add(1)
		return nil, nil, Going, errBusy
	}
	f.count.asked.Add(1)
	base, cancel := context.WithCancel(f.base) // a flight outlasts the wait that began it
	l := &line{f: f, peer: p, key: q.Key, cancel: cancel}
	gone := context.AfterFunc(ctx, cancel)
	slow := time.AfterFunc(f.cfg.AskTime, cancel)
	late := time.AfterFunc(max(q.Wait, f.cfg.AskTime), cancel)
	lead, e, how, err := f.converse(base, l, q, slow)
	slow.Stop()
	late.Stop()
	led := lead && gone() // else the request that would lead has gone
	if led {
		f.count.led.Add(1)
		f.lines.Store(q.Key, struct{}{})
		p.breaker.succeeded()
		return l, nil, Going, nil
	}
	gone()
	l.end()
	switch {
	case ctx.Err() != nil:
		p.breaker.unknown()
	case err != nil && !errors.Is(err, errStruck):
		f.count.failed.Add(1)
		p.breaker.failed(time.Now())
	default:
		p.breaker.succeeded()
	}
	return nil, e, how, err
}

// converse hears the owner until it says what is to be done.
func (f *Fleet) converse(ctx context.Context, l *line, q Question, slow *time.Timer) (lead bool, e *semcache.Entry, how How, err error) {
	q.Epoch = f.cache.Epoch()
	if l.talk, err = f.peers.Ask(ctx, l.peer.id, q); err != nil {
		return false, nil, Going, err
	}
	for waited := false; ; waited = true {
		r, err := l.talk.Next()
		if err != nil {
			if waited && ctx.Err() != nil {
				err = nil // it is there: the wait is over
				f.count.alone.Add(1)
			}
			return false, nil, Going, err
		}
		slow.Stop()
		if r.Epoch != f.cache.Epoch() {
			f.catchUp(l.peer)
		}
		switch r.Verdict {
		case Wait:
		case Lead:
			return true, nil, Going, nil
		case Hit, Shared:
			return f.given(q, r)
		default:
			f.count.alone.Add(1)
			return false, nil, Going, nil
		}
	}
}

// errStruck is an entry that a purge is for which this node knows of and its owner does
// not, or that is too large here.
var errStruck = errors.New("the owner's entry is of no use here")

// given is the entry that an owner gave, which this node keeps in memory.
func (f *Fleet) given(q Question, r Reply) (lead bool, e *semcache.Entry, how How, err error) {
	if e, err = f.decode(q.Key, r.Entry); err != nil {
		return false, nil, Going, err
	}
	if !f.cache.Hold(q.Key, e) {
		return false, nil, Going, errStruck
	}
	if how = Found; r.Verdict == Shared {
		f.count.shared.Add(1)
		how = Followed
	} else {
		f.count.hits.Add(1)
	}
	return false, e, how, nil
}
