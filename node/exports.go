package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"purser/api/admin"
	"purser/internal/exports"
	"purser/internal/focus"
	"purser/internal/governance"
	"purser/internal/record"
	"purser/internal/usage"
	"purser/ledger"
)

const (
	// exportsEvery is how often the leader looks whether an export is due.
	exportsEvery = time.Second
	// exportTime bounds one run of one export.
	exportTime = 6 * time.Hour
	// exportRecent is how far back every run looks; once a day one looks at all days.
	exportRecent = 48 * time.Hour
	// firstPause and longestPause are how long a run that failed is waited after.
	firstPause, longestPause = time.Minute, time.Hour
	// failuresTold is how many failures in a row are told to operators.
	failuresTold = 3
	// maxExports is how many are kept up.
	maxExports = 64
)

// exporting keeps exports up as long as this node leads.
type exporting struct {
	exportSeams
	files chan struct{} // that are made for those who ask
	mu    sync.Mutex
	runs  map[string]*exportRun // by id; empty while another node leads
}

// exportSeams are what exporting asks and tells.
type exportSeams struct {
	node    string
	config  *ExportsConfig
	temp    string // a folder for files that are being made
	leads   func() bool
	confirm func(context.Context) error // that this node leads
	kept    func() ([]governance.KeptExport, []error)
	version func() uint64 // of what kept reads
	records exports.Records
	rates   func() focus.Rates
	raise   func(kind, subject string, detail map[string]string)
	log     *slog.Logger
}

// exportRun is how one export is getting on.
type exportRun struct {
	version  uint64 // of its object
	next     time.Time
	written  time.Time // when a run last went well
	swept    time.Time // when one last looked at all days
	failures int       // in a row
	err      string
	last     exports.Result
}

func (n *Node) openExports() {
	c := &n.cfg.Exports
	temp := "" // the system's
	if c.Dir != "" {
		// Where files go there is room for them; the data directory must not fill up.
		temp = filepath.Join(c.Dir, ".under-way-"+n.cfg.Node.ID)
	}
	n.exporting = newExporting(exportSeams{
		node: n.cfg.Node.ID, config: c, temp: temp, leads: func() bool { return n.raft.Leader() }, confirm: n.confirmLeader,
		kept: func() ([]governance.KeptExport, []error) { return governance.Exports(n.fsm.Directory()) }, version: func() uint64 { return n.fsm.Versions().Objects },
		records: whileLeading{n}, rates: func() focus.Rates { return n.prices }, raise: n.alerts.Raise, log: n.log,
	})
}

func newExporting(s exportSeams) *exporting {
	return &exporting{exportSeams: s, files: make(chan struct{}, maxExportFiles), runs: map[string]*exportRun{}}
}

// run looks what is due. It returns when ctx is done.
func (x *exporting) run(ctx context.Context) {
	t := time.NewTicker(exportsEvery)
	defer t.Stop()
	var complained uint64 // the version of the objects whose unreadable ones were logged
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		unreadable := x.look(ctx, time.Now)
		if version := x.version(); len(unreadable) > 0 && version != complained {
			complained = version
			x.log.Error("exports are not kept up until this node can read them; upgrade it, or change them", "error", errors.Join(unreadable...))
		}
	}
}

// look brings what is due up to date, one export after the other.
func (x *exporting) look(ctx context.Context, clock func() time.Time) (unreadable []error) {
	if !x.leads() {
		x.mu.Lock()
		defer x.mu.Unlock()
		clear(x.runs)
		return nil
	}
	list, unreadable := x.kept()
	for _, e := range x.due(list, clock()) {
		if ctx.Err() == nil {
			x.keep(ctx, &e, clock)
		}
	}
	return unreadable
}

// due are the exports whose time has come. Those that are gone are forgotten.
func (x *exporting) due(list []governance.KeptExport, at time.Time) (due []governance.KeptExport) {
	list = slices.DeleteFunc(slices.Clone(list), func(e governance.KeptExport) bool { return e.Says.Disabled })
	list = list[:min(len(list), maxExports)]
	x.mu.Lock()
	defer x.mu.Unlock()
	there := map[string]bool{}
	for _, e := range list {
		there[e.ID] = true
		r := x.runs[e.ID]
		if r == nil || r.version != e.Version {
			r = &exportRun{version: e.Version, next: at}
			x.runs[e.ID] = r
		}
		if !at.Before(r.next) {
			due = append(due, e)
		}
	}
	for id := range x.runs {
		if !there[id] {
			delete(x.runs, id)
		}
	}
	return due
}

// keep brings one export up to date and notes how that went.
func (x *exporting) keep(ctx context.Context, e *governance.KeptExport, clock func() time.Time) {
	began := clock()
	every, lag := exportPace(e.Says)
	until := began.Add(-lag).UTC().Truncate(every)
	x.mu.Lock()
	since := until.Add(-exportRecent)
	r := x.runs[e.ID]
	sweep := r == nil || began.Sub(r.swept) >= 24*time.Hour || r.failures > 0
	x.mu.Unlock()
	if sweep {
		since = time.Time{}
	}
	res, err := x.once(ctx, e, until, since)
	x.mu.Lock()
	defer x.mu.Unlock()
	if r = x.runs[e.ID]; r == nil || ctx.Err() != nil {
		return
	}
	r.last = res
	if err == nil {
		r.failures, r.err, r.written, r.next = 0, "", began, until.Add(every).Add(lag)
		if sweep {
			r.swept = began
		}
		return
	}
	pause := min(firstPause<<min(r.failures, 10), longestPause)
	r.failures++
	r.err, r.next = err.Error(), clock().Add(pause)
	x.log.Error("an export could not be written; trying again", "export", e.ID, "failures", r.failures, "again_in", pause, "error", err)
	if r.failures == failuresTold {
		x.raise("export_failing", e.ID, map[string]string{"error": r.err, "failures": fmt.Sprint(r.failures)})
	}
}

// exportPace is how often an export is written, and how long after.
func exportPace(e *governance.Export) (every, lag time.Duration) {
	every, lag = 24*time.Hour, governance.DefaultExportLag*time.Minute
	if e.Every == "hour" {
		every = time.Hour
	}
	if e.Lag > 0 {
		lag = time.Duration(e.Lag) * time.Minute
	}
	return every, lag
}

func (x *exporting) once(ctx context.Context, e *governance.KeptExport, until, since time.Time) (res exports.Result, err error) {
	ctx, stop := context.WithTimeout(ctx, exportTime)
	defer stop()
	if err := x.confirm(ctx); err != nil {
		return res, fmt.Errorf("this node could not confirm that it leads: %w", err)
	}
	form, err := e.Says.Form()
	if err != nil {
		return res, err
	}
	place, err := x.place(&e.Says.To)
	if err != nil {
		return res, err
	}
	if x.temp != "" {
		// What a process left that was killed is forgotten.
		if err := errors.Join(os.RemoveAll(x.temp), os.MkdirAll(x.temp, 0o700)); err != nil {
			return res, fmt.Errorf("the folder of files under way: %w", err)
		}
	}
	made := time.Unix(0, int64(e.Created)).UTC()
	from := time.Date(made.Year(), made.Month(), 1, 0, 0, 0, 0, time.UTC)
	if e.Says.From != "" {
		if from, err = time.Parse(time.DateOnly, e.Says.From); err != nil {
			return res, fmt.Errorf("from: %w", err)
		}
	}
	job := exports.Job{Form: form, From: from, Place: place, Records: x.records, Rates: x.rates(), Temp: x.temp, Still: x.confirm}
	return job.Run(ctx, until, since)
}

// place is where an export's files go.
func (x *exporting) place(to *governance.ExportTo) (exports.Place, error) {
	c := x.config
	if to.S3 == nil {
		if c.Dir == "" {
			return nil, fmt.Errorf("the configuration of node %s has no exports.dir: set it on every node, to a folder that they share", x.node)
		}
		return exports.NewDir(filepath.Join(c.Dir, filepath.FromSlash(to.Dir)))
	}
	secrets := map[string]string{}
	for _, name := range [...]string{to.S3.AccessKey, to.S3.SecretKey, to.S3.Session} {
		if secrets[name] = c.Secrets[name]; name != "" && secrets[name] == "" {
			return nil, fmt.Errorf("the configuration of node %s has no %q under exports.secrets", x.node, name)
		}
	}
	return exports.NewS3(exports.Bucket{
		Endpoint: to.S3.Endpoint, Region: to.S3.Region, Name: to.S3.Bucket, Prefix: to.S3.Prefix, PathStyle: to.S3.PathStyle,
		AccessKey: secrets[to.S3.AccessKey], SecretKey: secrets[to.S3.SecretKey], SessionToken: secrets[to.S3.Session],
	}, http.DefaultTransport)
}

// whileLeading is what the cluster knows, as long as this node leads it.
type whileLeading struct{ n *Node }

var errLeadsNoMore = errors.New("another node leads, and goes on with it")

// Known implements exports.Records.
func (w whileLeading) Known(ctx context.Context, from, to time.Time) (s exports.Sums, err error) {
	if !w.n.raft.Leader() {
		return s, errLeadsNoMore
	}
	report, nodes, err := w.n.totals(ctx, usage.TotalsQuery{Range: exportSpan(from, to)})
	if err != nil {
		return s, err
	}
	if err := nobodyMissing(nodes); err != nil {
		return s, err
	}
	t := &report.Total
	return exports.Sums{Records: t.Records, Cost: int64(t.Cost), List: int64(t.List), Saved: int64(t.SavedTotal())}, nil
}

// Each implements exports.Records.
func (w whileLeading) Each(ctx context.Context, from, to time.Time, raw bool) (iter.Seq2[*record.Record, error], error) {
	records, _, err := w.n.exported(ctx, usage.Query{Range: exportSpan(from, to)}, nil, raw)
	return records, err
}

func exportSpan(from, to time.Time) usage.Range {
	return usage.Range{From: ledger.Instant(from.UnixNano()), To: ledger.Instant(to.UnixNano())}
}

// failing is how many exports that this node keeps up fail.
func (x *exporting) failing() (n float64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range x.runs {
		if r.failures > 0 {
			n++
		}
	}
	return n
}

// ExportState implements admin.Exports.
func (c control) ExportState(context.Context) ([]admin.ExportState, error) {
	return c.n.exporting.states(), nil
}

// states are how the exports are getting on, as this node knows it.
func (x *exporting) states() []admin.ExportState {
	list, _ := x.kept() // what cannot be read is in the log
	leads := x.leads()
	x.mu.Lock()
	defer x.mu.Unlock()
	out := []admin.ExportState{}
	for _, e := range list {
		s := admin.ExportState{ID: e.ID, State: "elsewhere"}
		switch r := x.runs[e.ID]; {
		case e.Says.Disabled:
			s.State = "disabled"
		case r != nil:
			s = stateOf(e.ID, r)
		case leads:
			s.State = "waiting"
		}
		out = append(out, s)
	}
	return out
}

func stateOf(id string, r *exportRun) admin.ExportState {
	s := admin.ExportState{ID: id, State: "waiting", Next: r.next.UTC().Format(time.RFC3339), Failures: r.failures, Error: r.err, Days: r.last.Written, Gone: r.last.Gone}
	if !r.written.IsZero() {
		s.State, s.Written = "written", r.written.UTC().Format(time.RFC3339)
	}
	if r.failures > 0 {
		s.State = "failing"
	}
	return s
}

// validate reports what is wrong with the section of the configuration.
func (c *ExportsConfig) validate(dataDir string) error {
	var errs []error
	if c.Dir != "" && dataDir != "" {
		own, errOwn := filepath.Abs(dataDir)
		dir, err := filepath.Abs(c.Dir)
		if err := errors.Join(errOwn, err); err != nil {
			errs = append(errs, fmt.Errorf("dir: %w", err))
		} else if dir == own || strings.HasPrefix(dir, own+string(filepath.Separator)) || strings.HasPrefix(own, dir+string(filepath.Separator)) {
			errs = append(errs, errors.New("dir: is in the node's data directory, or has it within"))
		}
	}
	for name, secret := range c.Secrets {
		if name == "" || secret == "" {
			errs = append(errs, fmt.Errorf("secrets: %q is empty", name))
		}
	}
	return errors.Join(errs...)
}
