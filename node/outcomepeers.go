package node

import (
	"context"
	"errors"
	"sync"
	"time"

	"purser/api/pb"
	"purser/cluster/peer"
	"purser/internal/outcomes"
	"purser/internal/record"
	"purser/ledger"
	"purser/proxy"
	"purser/proxy/route/learned"
)

// outcomeWait bounds the wait for what other nodes know of one request. What they have
// heard altogether takes longer to read: its caller says how long.
const outcomeWait = 2 * time.Second

// report gives an outcome to the node that has the record. A node that does not answer
// is an error only where no other knows the request.
func (p *colleagues) report(ctx context.Context, o proxy.Outcome) (kept int64, first, known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, outcomeWait)
	defer cancel()
	var mu sync.Mutex
	err = p.each(ctx, func(ctx context.Context, node, address string) error {
		out, err := p.clients.Outcome(ctx, node, address, &pb.OutcomeRequest{Request: o.Request, Key: o.Key, Org: o.Org, Quality: o.Quality, At: int64(o.At)})
		if err != nil || !out.Known {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		kept, first, known = out.Quality, out.First, true
		return nil
	})
	if known {
		err = nil
	}
	return kept, first, known, err
}

// heard asks every other node what it has heard of a router's candidates.
func (p *colleagues) heard(ctx context.Context, router string, trained, from, until ledger.Instant) (all []learned.Heard, err error) {
	var mu sync.Mutex
	err = p.each(ctx, func(ctx context.Context, node, address string) error {
		out, err := p.clients.Heard(ctx, node, address, &pb.HeardRequest{Router: router, Trained: int64(trained), From: int64(from), Until: int64(until)})
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, h := range out.Heard {
			all = append(all, learned.Heard{Cluster: h.Cluster, Candidate: h.Candidate, Tally: learned.Tally{Count: h.Count, Sum: h.Sum}})
		}
		return nil
	})
	return all, err
}

var errNoOutcomes = errors.New("this node is not ready for outcomes yet")

// outcomeService is what this node answers the others about outcomes.
func (n *Node) outcomeService() peer.Outcomes {
	return peer.Outcomes{
		Report: func(ctx context.Context, in *pb.OutcomeRequest) (*pb.OutcomeReply, error) {
			j := n.outcomes.Load()
			if j == nil {
				return nil, errNoOutcomes
			}
			id, ok := record.ParseID(in.Request)
			if !ok || in.Quality < 0 || in.Quality > outcomes.Whole {
				return nil, errors.New("that is not an outcome")
			}
			kept, first, known, err := j.take(ctx, id, proxy.Outcome{Request: in.Request, Key: in.Key, Org: in.Org, Quality: in.Quality, At: ledger.Instant(in.At)})
			return &pb.OutcomeReply{Known: known, First: first, Quality: kept}, err
		},
		Heard: func(ctx context.Context, in *pb.HeardRequest) (*pb.HeardReply, error) {
			j := n.outcomes.Load()
			if j == nil {
				return nil, errNoOutcomes
			}
			list, err := j.heard(ctx, in.Router, ledger.Instant(in.Trained), ledger.Instant(in.From), ledger.Instant(in.Until))
			out := &pb.HeardReply{}
			for _, h := range list {
				out.Heard = append(out.Heard, &pb.Heard{Cluster: h.Cluster, Candidate: h.Candidate, Count: h.Count, Sum: h.Sum})
			}
			return out, err
		},
	}
}
