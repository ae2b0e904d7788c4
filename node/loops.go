package node

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"purser/api/admin"
	"purser/internal/directory"
	"purser/internal/governance"
	"purser/proxy/loop"
)

// loops notices runs and sessions that go round in circles, as far as this node
// sees them.
type loops struct {
	*loop.Guard
	events Events
}

func newLoops(e Events) *loops { return &loops{loop.NewGuard(), e} }

// Tell implements proxy.Loops.
func (l *loops) Tell(f loop.Found) {
	l.events.Raise("loop_detected", f.Subject.Dim.String()+" "+f.Subject.Value, map[string]string{
		"rule": f.Rule, "why": string(f.Why), "times": strconv.Itoa(f.Times), "key": f.Subject.Key,
		"mode": modeOf(f.Enforce), "until": timeText(f.Until),
	})
}

func modeOf(enforce bool) string {
	if enforce {
		return loop.Enforce
	}
	return loop.Watch
}

// counts is how many loops were found, by kind.
func (l *loops) counts() map[string]float64 {
	found, out := l.Guard.Counts(), map[string]float64{}
	for _, why := range [...]loop.Why{loop.Repeat, loop.Cycle, loop.Same, loop.Burn} {
		out[string(why)] = float64(found[why])
	}
	return out
}

// ListTrips implements admin.Loops.
func (c control) ListTrips(context.Context) ([]admin.LoopTrip, error) {
	list := []admin.LoopTrip{}
	c.n.loops.Trips(now(), func(f loop.Found) {
		list = append(list, admin.LoopTrip{
			Rule: f.Rule, Dim: f.Subject.Dim.String(), Value: f.Subject.Value, Key: f.Subject.Key, Why: string(f.Why), Times: f.Times,
			Mode: modeOf(f.Enforce), Since: timeText(f.Since), Until: timeText(f.Until),
		})
	})
	return list, nil
}

// putLoop puts a rule whose writer said nothing of whom it has forgiven: these stay,
// as the writer of a rule does not mean to take resets back.
func (c control) putLoop(ctx context.Context, k *governance.Kind, id string, expect admin.Expect, l *governance.Loop) (admin.Object, error) {
	if err := c.n.catchUp(ctx); err != nil {
		return admin.Object{}, ambiguous(err)
	}
	for range resetTries {
		var was governance.Loop
		seen := admin.Version(0)
		if o, ok := c.n.fsm.Directory().Object(directory.Ref{Kind: k.Number, ID: id}); ok {
			if err := json.Unmarshal(o.Spec, &was); err != nil {
				return admin.Object{}, fmt.Errorf("reading the loop rule %s: %w", id, err)
			}
			seen = admin.Version(o.Version)
		}
		next := *l
		next.Forgiven = was.Forgiven
		if expect != nil {
			return c.putSpec(ctx, k, id, expect, &next)
		}
		out, err := c.putSpec(ctx, k, id, seen, &next)
		if fault, ok := err.(*admin.Fault); ok && fault.Code == "conflict" {
			continue
		}
		return out, err
	}
	return admin.Object{}, errBusy
}

// errBusy ends tries that others' changes always came before.
var errBusy = admin.Conflict("the rule is changed by others all the time; try again")

// resetTries bounds how often a reset is tried again that another change came before.
const resetTries = 5

// ResetLoop implements admin.Loops: the rule remembers whom it has forgiven, so that
// every node knows.
func (c control) ResetLoop(ctx context.Context, rule string, in admin.LoopReset) error {
	ref := directory.Ref{Kind: directory.ObjectLoop, ID: rule}
	if err := c.n.catchUp(ctx); err != nil {
		return ambiguous(err)
	}
	for range resetTries {
		o, ok := c.n.fsm.Directory().Object(ref)
		if !ok {
			return admin.NotFound("no loop rule " + strconv.Quote(rule))
		}
		var spec governance.Loop
		if err := json.Unmarshal(o.Spec, &spec); err != nil {
			return fmt.Errorf("reading the loop rule %s: %w", rule, err)
		}
		spec.Forgive(loop.Forgiven{Dim: in.Dim, Value: in.Value, At: time.Unix(0, int64(now())).UTC().Format(time.RFC3339Nano)})
		if err := spec.Validate(); err != nil {
			return admin.Invalid(err.Error())
		}
		text, err := governance.Encode(&spec)
		if err != nil {
			return err
		}
		_, err = c.PutObject(ctx, "loops", rule, admin.Version(o.Version), text)
		if fault, ok := err.(*admin.Fault); ok && fault.Code == "conflict" {
			continue
		}
		return err
	}
	return errBusy
}
