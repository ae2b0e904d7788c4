package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"purser/internal/directory"
	"purser/internal/idempotency"
	"purser/internal/idempotency/home"
	"purser/internal/store"
	"purser/ledger"
)

// Topics of idempotency keys. A home is asked for claims and told how they ended; a
// holder is asked what became of its claim.
const (
	topicOnceClaim  = "idempotency.claim"
	topicOnceReport = "idempotency.report"
	topicOnceWord   = "idempotency.word"
)

// askHome asks a home, this node or another, for a claim.
func (o *onceKeys) askHome(ctx context.Context, node string, a *idempotency.Ask) (*idempotency.Reply, error) {
	if node == o.n.cfg.Node.ID {
		return o.answer(ctx, node, a), nil
	}
	b, err := o.askOther(ctx, node, topicOnceClaim, idempotency.AppendAsk(nil, a), onceWait)
	if err != nil {
		return nil, err
	}
	return idempotency.DecodeReply(b)
}

// askOther puts a question with one answer to another node.
func (o *onceKeys) askOther(ctx context.Context, node, topic string, body []byte, limit time.Duration) (answer []byte, err error) {
	if o.n.colleagues == nil {
		return nil, fmt.Errorf("node %s is asked by one that is alone", node)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = o.n.colleagues.askOne(ctx, node, topic, body, func(piece []byte) error {
		if answer != nil {
			return errors.New("more than one answer")
		}
		answer = append([]byte{}, piece...)
		return nil
	})
	if err == nil && answer == nil {
		err = errors.New("no answer")
	}
	return answer, err
}

// tellClaim answers topicOnceClaim.
func (n *Node) tellClaim(ctx context.Context, from string, body []byte, say func([]byte) error) error {
	o := n.once.Load()
	if o == nil {
		return errNotReady
	}
	a, err := idempotency.DecodeAsk(body)
	if err != nil {
		return err
	}
	return say(idempotency.AppendReply(nil, o.answer(ctx, from, a)))
}

// answer is what this node says as a home.
func (o *onceKeys) answer(ctx context.Context, from string, a *idempotency.Ask) *idempotency.Reply {
	v, e, err := o.home.Look(a)
	if err == nil && v == idempotency.Running {
		v, e, err = o.holder(ctx, a, e)
	}
	if err != nil {
		return unavailable("%v", err)
	}
	if v == idempotency.Free || v == idempotency.Granted {
		return o.grant(ctx, from, a)
	}
	if v == idempotency.Unavailable {
		return unavailable("node %s, which has the key's claim, does not answer", e.Holder)
	}
	return o.reply(v, a, e)
}

// grant grants a claim that nobody has, if this is a home of the key. It knows the
// members as of now: whoever decides by older knowledge could be a home no more.
func (o *onceKeys) grant(ctx context.Context, from string, a *idempotency.Ask) *idempotency.Reply {
	if o.n.follower != nil {
		return unavailable("a gateway is no home")
	}
	began := time.Now()
	current, cancel := context.WithTimeout(ctx, onceWait)
	defer cancel()
	if err := o.n.catchUp(current); err != nil {
		return unavailable("the members are not known: %v", err)
	}
	self, members := o.n.cfg.Node.ID, o.members(a.Since)
	chain := idempotency.Chain(members, a.Key, a.Since, o.n.onceTimes().Low)
	gone := chain.Barred(self)
	switch {
	case gone != "":
		return unavailable("node %s, which was removed, may have granted it: that is over %v after the removal was seen, and at once for virtual keys made after it", gone, idempotency.Season)
	case !slices.Contains(chain.IDs, self):
		return &idempotency.Reply{Verdict: idempotency.Elsewhere, Homes: chain.IDs}
	case time.Since(began) > claimTime:
		return unavailable("it took too long to learn who the members are")
	case ctx.Err() != nil:
		return unavailable("the asker has given up") // and has said so, maybe: a claim that comes after that would stay
	}
	v, e, err := o.home.Claim(a, from)
	switch {
	case err != nil:
		return unavailable("%v", err)
	case v == idempotency.Granted:
		return &idempotency.Reply{Verdict: v, Homes: chain.IDs}
	case v == idempotency.Full:
		return unavailable("there is no room for another key: requests.idempotency_keys are kept already")
	case v == idempotency.Unavailable:
		return unavailable("the store was rolled back")
	}
	return o.reply(v, a, e)
}

func unavailable(format string, args ...any) *idempotency.Reply {
	return &idempotency.Reply{Verdict: idempotency.Unavailable, Why: fmt.Sprintf(format, args...)}
}

// reply tells what another has, or had.
func (o *onceKeys) reply(v idempotency.Verdict, a *idempotency.Ask, e *idempotency.Entry) *idempotency.Reply {
	out := &idempotency.Reply{Verdict: v, Request: e.Request}
	if v != idempotency.Replay {
		return out
	}
	answer, err := o.home.Answer(&a.Key)
	if err != nil {
		o.n.log.Warn("a kept answer cannot be given", "request", e.Request, "error", err)
		out.Verdict = idempotency.NotKept
		return out
	}
	out.Answer = answer
	return out
}

// holder asks who has the claim of a key what became of it, and says what that means for
// another ask. A claim that was given up is ended here, if its holder's report is late.
func (o *onceKeys) holder(ctx context.Context, a *idempotency.Ask, e *idempotency.Entry) (idempotency.Verdict, *idempotency.Entry, error) {
	word := o.ask(ctx, e)
	if word == idempotency.GaveUp {
		if err := o.home.End(&idempotency.Report{Key: a.Key, Token: e.Token, Ending: idempotency.Released}, store.Buffered); err != nil {
			return 0, nil, err
		}
	}
	v, e, err := o.home.Look(a) // its report may have come meanwhile
	if v == idempotency.Running {
		v = idempotency.Heard(word)
	}
	return v, e, err
}

func (o *onceKeys) ask(ctx context.Context, e *idempotency.Entry) idempotency.Word {
	if e.Holder == o.n.cfg.Node.ID {
		return o.word(e.Token)
	}
	if d, known := o.n.fsm.Directory().Node(ledger.NodeID(e.Holder)); !known || d.State == directory.NodeRemoved {
		return idempotency.NoneOfMine // it never answers again
	}
	b, err := o.askOther(ctx, e.Holder, topicOnceWord, e.Token[:], holderWait)
	if err != nil || len(b) != 1 {
		return idempotency.Silent
	}
	return idempotency.Word(b[0])
}

// tellWord answers topicOnceWord.
func (n *Node) tellWord(_ context.Context, _ string, body []byte, say func([]byte) error) error {
	o := n.once.Load()
	if o == nil {
		return errNotReady
	}
	if len(body) != len(idempotency.Token{}) {
		return idempotency.ErrMalformed
	}
	return say([]byte{byte(o.word(idempotency.Token(body)))})
}

// takeReport answers topicOnceReport.
func (n *Node) takeReport(_ context.Context, _ string, body []byte, say func([]byte) error) error {
	o := n.once.Load()
	if o == nil {
		return errNotReady
	}
	r, err := idempotency.DecodeReport(body)
	if err != nil {
		return err
	}
	if err := o.home.End(r, store.Synced); err != nil {
		return err
	}
	return say([]byte{1})
}

// work tells homes how claims ended, and forgets keys whose time is over, until ctx is
// done.
func (o *onceKeys) work(ctx context.Context) {
	defer o.tellers.Wait()
	t := time.NewTicker(onceEvery)
	defer t.Stop()
	for {
		o.deliver(ctx)
		select {
		case <-ctx.Done():
			return
		case <-o.told:
			continue
		case <-t.C:
		}
		o.sweep(ctx)
	}
}

// flush waits until homes have been told everything. work does the telling.
func (o *onceKeys) flush(ctx context.Context) {
	t := time.NewTicker(flushPoll)
	defer t.Stop()
	for o.home.Waiting() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-o.n.ending:
			return
		case <-t.C:
		}
	}
}

// flushPoll is how soon the end of that is noticed.
const flushPoll = 10 * time.Millisecond

// deliver begins to tell each home what waits for it, unless that is being done: one that
// is slow holds up no other.
func (o *onceKeys) deliver(ctx context.Context) {
	for _, node := range o.home.Awaited() {
		o.mu.Lock()
		busy := o.telling[node]
		o.telling[node] = true
		o.mu.Unlock()
		if !busy {
			o.tellers.Go(func() { o.tell(ctx, node) })
		}
	}
}

// tell tells a home what waits for it, until it does not answer.
func (o *onceKeys) tell(ctx context.Context, node string) {
	defer func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.telling, node)
	}()
	for {
		list := o.home.For(node)
		if len(list) == 0 {
			return
		}
		for _, t := range list {
			if ctx.Err() != nil || !o.tellOne(ctx, node, t) {
				return
			}
		}
	}
}

// tellOne tells a home how one claim ended, and says whether to go on.
func (o *onceKeys) tellOne(ctx context.Context, node string, t idempotency.Token) bool {
	p, err := o.home.Parcel(t)
	if err != nil {
		o.n.log.Error("what was to be told of an idempotency key is lost; it stays taken until its time is over", "error", err)
	}
	if p == nil {
		return err == nil
	}
	if !o.needless(node, p) {
		if _, err := o.askOther(ctx, node, topicOnceReport, idempotency.AppendReport(nil, &p.Report), reportWait); err != nil {
			return false
		}
	}
	if err := o.home.Delivered(t, node); err != nil {
		o.n.log.Error("what was told of an idempotency key could not be taken down; it is told again", "error", err)
		return false
	}
	return true
}

// needless says that a home needs to hear nothing of it any more.
func (o *onceKeys) needless(node string, p *home.Parcel) bool {
	d, known := o.n.fsm.Directory().Node(ledger.NodeID(node))
	return !known || d.State == directory.NodeRemoved || o.n.onceTimes().Low-p.At > ledger.Instant(idempotency.Season)
}

func (o *onceKeys) sweep(ctx context.Context) {
	for _, d := range o.n.fsm.Directory().Nodes() {
		if d.State == directory.NodeRemoved {
			if err := o.home.SeenRemoved(string(d.ID)); err != nil {
				o.n.log.Error("idempotency keys", "error", err)
			}
		}
	}
	for more := true; more && ctx.Err() == nil; {
		var err error
		if more, err = o.home.Sweep(); err != nil {
			o.n.log.Error("idempotency keys", "error", err)
			return
		}
	}
}
