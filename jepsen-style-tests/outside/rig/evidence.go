package rig

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/history"
)

// around is how far from now a record may be, by a clock that was moved.
const around = 20 * 24 * time.Hour

// counting is how long a report may say that it counts what copies show.
const counting = 20 * time.Second

// Records reads the usage records of the whole cluster through whichever node gives
// them, and what a report makes of them, and notes both at the end of a run.
func (c *Cluster) Records(ctx context.Context, end *history.End) error {
	now := time.Now().UTC()
	q := admin.UsageQuery{From: now.Add(-around).Format(time.RFC3339), To: now.Add(around).Format(time.RFC3339)}
	begun := time.Now()
	return c.eventuallyAt(ctx, nil, "the usage records", func(a *admin.Client) error {
		end.Records, end.Lacking = nil, nil
		var uncounted error
		report, err := a.Usage(ctx, q)
		if err != nil {
			return err
		}
		for _, n := range report.Nodes {
			if n.Err != "" && c.has(n.Node) {
				end.Lacking = append(end.Lacking, n.Node+": "+n.Err)
			}
		}
		if len(end.Lacking) > 0 {
			return errors.New(end.Lacking[0])
		}
		for _, u := range report.Unrecorded {
			if u.Lost == nil {
				uncounted = errors.New("the copies of " + u.Budget + "'s records are still being counted")
			}
		}
		if uncounted != nil && time.Since(begun) < counting {
			return uncounted
		}
		end.Reported, end.Answered, end.Unrecorded = report.Total.Cost, report.Nodes, report.Unrecorded
		return a.Records(ctx, q, func(in io.Reader) error {
			return lines(in, func(r history.Record) { end.Records = append(end.Records, r) })
		})
	})
}

// Audit reads the audit trail through whichever node gives it.
func (c *Cluster) Audit(ctx context.Context) (trail []history.Audit, err error) {
	err = c.eventuallyAt(ctx, nil, "the audit trail", func(a *admin.Client) error {
		trail = nil
		return a.AuditTrail(ctx, admin.AuditQuery{}, func(in io.Reader) error {
			return lines(in, func(e history.Audit) { trail = append(trail, e) })
		})
	})
	return trail, err
}

// Disks are the directories of the nodes' data, by place, for whoever reads them in this
// process. Of a disk that it serves itself they are the files below it: to map a file of
// its own mount would stop it for good.
func (c *Cluster) Disks() map[string]string {
	disks := map[string]string{}
	for _, n := range c.Nodes {
		disks[n.Place] = n.dir
		if n.Disk != nil {
			disks[n.Place] = filepath.Join(c.backingOf(n), filepath.Base(n.dir))
		}
	}
	return disks
}

func (c *Cluster) has(id string) bool {
	for _, n := range c.Nodes {
		if n.ID() == id {
			return true
		}
	}
	return false
}

// lines reads one value of JSON a line.
func lines[T any](in io.Reader, read func(T)) error {
	const longest = 1 << 20
	s := bufio.NewScanner(in)
	s.Buffer(nil, longest)
	for s.Scan() {
		var v T
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			return fmt.Errorf("a line that is no %T: %w", v, err)
		}
		read(v)
	}
	return s.Err()
}
