package node

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"purser/api/admin"
	"purser/internal/record"
	"purser/ledger"
)

// adjusting are the adjustments that this node is about to write, by their names. While it
// asks the others, they hear that it is: of two nodes that are asked for one adjustment at
// once, none writes it.
type adjusting struct {
	mu    sync.Mutex
	names map[string]bool
}

// begin is false where this node is at it already.
func (a *adjusting) begin(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.names[name] {
		return false
	}
	if a.names == nil {
		a.names = map[string]bool{}
	}
	a.names[name] = true
	return true
}

func (a *adjusting) end(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.names, name)
}

func (a *adjusting) underWay(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.names[name]
}

var errUnderWay = errors.New("this node is writing it")

// adjustmentID is what adjustments are named.
var adjustmentID = regexp.MustCompile(`^[a-z0-9._-]{1,64}$`)

// maxNote bounds why an adjustment is made, in bytes.
const maxNote = 512

// PostAdjustment implements admin.Adjustments.
func (c control) PostAdjustment(ctx context.Context, in admin.NewAdjustment) (admin.Adjustment, bool, error) {
	r, err := c.adjustment(ctx, &in)
	if err != nil {
		return admin.Adjustment{}, false, err
	}
	there, posted, err := c.n.adjust(ctx, in.ID, r, func() error {
		return c.n.noted(ctx, change{action: "adjustment.post", target: "adjustment/" + in.ID, after: in})
	})
	if err != nil {
		return admin.Adjustment{}, false, err
	}
	return adjustmentText(in.ID, there), posted, nil
}

// adjustment is the record of one.
func (c control) adjustment(ctx context.Context, in *admin.NewAdjustment) (*record.Record, error) {
	switch {
	case !adjustmentID.MatchString(in.ID):
		return nil, admin.Invalid("id: 1 to 64 characters of a-z, 0-9, '.', '_' and '-' that name the adjustment, so that it can be posted again without being counted twice")
	case in.Note == "" || len(in.Note) > maxNote:
		return nil, admin.Invalid("note: why this is posted, in at most " + strconv.Itoa(maxNote) + " bytes")
	}
	amount, err := signedDollars(in.Amount.String())
	if err != nil {
		return nil, admin.Invalid("amount: " + err.Error())
	}
	r := &record.Record{At: now(), Kind: record.KindAdjustment, Note: in.Note, Cost: amount, List: amount, Priced: amount, Baseline: amount, Model: in.Model, Upstream: in.Upstream}
	var at ledger.Instant
	if in.Corrects != "" {
		at, err = c.correct(ctx, r, in)
	} else {
		at, err = attribute(r, in)
	}
	if err != nil {
		return nil, err
	}
	kept, err := c.n.usage.Kept()
	switch {
	case err != nil:
		return nil, err
	case at < kept || at < now()-ledger.Instant(c.n.cfg.Usage.Retention):
		return nil, admin.Invalid("the records of " + timeText(at) + " are not kept any more: post it at a later time, and say in the note what it is of")
	case at > now()+clockSkew:
		return nil, admin.Invalid("at: " + timeText(at) + " is yet to come")
	}
	r.ID = record.NewID(at)
	return r, nil
}

// correct takes what a correction belongs to from the request.
func (c control) correct(ctx context.Context, r *record.Record, in *admin.NewAdjustment) (ledger.Instant, error) {
	id, ok := record.ParseID(in.Corrects)
	if !ok {
		return 0, admin.Invalid(fmt.Sprintf("corrects: %q is not the id of a request: those begin with %s", in.Corrects, record.IDPrefix))
	}
	if in.At != "" || len(in.Dimensions) > 0 || in.Model != "" || in.Upstream != "" {
		return 0, admin.Invalid("a correction has its time, dimensions, model and upstream from the request that it corrects: leave them out")
	}
	list, silent, err := c.n.find(ctx, in.Corrects)
	switch {
	case err != nil:
		return 0, err
	case len(list) == 0 && len(silent) > 0:
		return 0, admin.Undecided("the request is not known here, and these nodes do not answer: " + strings.Join(silent, ", "))
	case len(list) == 0:
		return 0, admin.NotFound("no record of the request " + in.Corrects)
	}
	of := &list[len(list)-1]
	r.Kind, r.Corrects = record.KindCorrection, in.Corrects
	r.Dims, r.Model, r.Served, r.Upstream, r.Endpoint, r.Dialect, r.Tier, r.RateID, r.Credential = of.Dims, of.Model, of.Served, of.Upstream, of.Endpoint, of.Dialect, of.Tier, of.RateID, of.Credential
	return id.At(), nil
}

// attribute reads what an adjustment belongs to.
func attribute(r *record.Record, in *admin.NewAdjustment) (ledger.Instant, error) {
	if in.At == "" {
		return 0, admin.Invalid("at: when the amount belongs to, RFC 3339; or corrects: the request that it corrects")
	}
	at, err := instantOf(in.At, 0)
	if err != nil {
		return 0, err
	}
	facts, rest := map[ledger.Dim]string{ledger.DimModel: in.Model}, map[string]string{}
	for name, value := range in.Dimensions {
		switch name {
		case ledger.DimKey.String():
			facts[ledger.DimKey] = value
		case ledger.DimProvider.String():
			facts[ledger.DimProvider] = value
		default:
			rest[name] = value
		}
	}
	if r.Dims, err = dimensions(rest); err != nil {
		return 0, err
	}
	for dim, value := range facts {
		r.Dims.Values[dim] = value
	}
	for _, text := range []string{in.Model, in.Upstream, facts[ledger.DimKey], facts[ledger.DimProvider], in.Note} {
		if len(text) > maxNote || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			return 0, admin.Invalid(fmt.Sprintf("texts are UTF-8 of at most %d bytes, without control characters", maxNote))
		}
	}
	if len(r.Dims.Tags) > ledger.MaxTags {
		return 0, admin.Invalid(fmt.Sprintf("dimensions: at most %d tags", ledger.MaxTags))
	}
	slices.SortFunc(r.Dims.Tags, func(a, b ledger.Tag) int { return strings.Compare(a.Name, b.Name) })
	return at, nil
}

// adjust writes the record of an adjustment once in the whole cluster: it is on disk when it
// returns, and is copied as all are. before is called before it is written, and refuses it
// with an error. posted is false where one of the name is there already, which is returned.
func (n *Node) adjust(ctx context.Context, name string, r *record.Record, before func() error) (there *record.Record, posted bool, err error) {
	if !n.adjusting.begin(name) {
		return nil, false, admin.Undecided("the same adjustment is being posted; ask again")
	}
	defer n.adjusting.end(name)
	there, silent, err := n.adjusted(ctx, name)
	switch {
	case err != nil:
		return nil, false, err
	case there != nil && same(there, r):
		return there, false, nil
	case there != nil:
		return nil, false, admin.Conflict("there is another adjustment of this id: " + there.ID)
	case len(silent) > 0:
		return nil, false, admin.Undecided("whether it is posted already cannot be said, because these nodes do not answer: " + strings.Join(silent, ", ") + ". Ask again when they do, or fence those that are dead for good")
	}
	if err := before(); err != nil {
		return nil, false, err
	}
	if err := n.keepAdjustment(name, r).Wait(ctx); err != nil {
		return nil, false, admin.Undecided("whether it is posted is not certain; post it again: " + err.Error())
	}
	n.live.See(r)
	return r, true, nil
}

// same says that two records are of one adjustment.
func same(a, b *record.Record) bool {
	return a.Kind == b.Kind && a.Corrects == b.Corrects && a.Cost == b.Cost && a.Note == b.Note && a.Model == b.Model && a.Upstream == b.Upstream &&
		timeOf(a) == timeOf(b) && a.Dims.Values == b.Dims.Values && slices.Equal(a.Dims.Tags, b.Dims.Tags)
}

// timeOf is when a record's amount belongs to.
func timeOf(r *record.Record) ledger.Instant {
	id, _ := record.ParseID(r.ID) // which it was made as
	return id.At()
}

func adjustmentText(name string, r *record.Record) admin.Adjustment {
	return admin.Adjustment{
		ID: name, Record: r.ID, Kind: r.Kind.String(), Corrects: r.Corrects, At: time.Unix(0, int64(timeOf(r))).UTC().Format(time.RFC3339Nano),
		Amount: int64(r.Cost), Note: r.Note,
	}
}

// signedDollars reads dollars with at most nine decimals and perhaps a minus, not 0.
func signedDollars(text string) (ledger.Amount, error) {
	digits, negative := strings.CutPrefix(text, "-")
	n, err := ParseLimit(digits, ledger.USD)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is no amount of dollars with at most nine decimals, such as 1.25 or -0.000001", text)
	case n == 0:
		return 0, errors.New("nothing is to be added")
	case negative:
		n = -n
	}
	return n, nil
}
