package children

import (
	"encoding/hex"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"purser/childkey"
	"purser/internal/directory"
	"purser/ledger"
)

const (
	// Tags begins the names of the tags that the gateway alone sets.
	Tags = "purser."
	// childTag and sliceTag are followed by a generation.
	childTag = Tags + "child."
	sliceTag = Tags + "slice."
	// MaxRules bounds the rules of slices at a time: two digits, a few orders of
	// magnitude, three generations and three days are some hundreds.
	MaxRules = 2048
)

// Slice is what one child may spend.
type Slice struct {
	Child      directory.ChildID
	Generation uint8
	Limit      ledger.Amount  // as it is enforced, nano-dollars
	Expires    ledger.Instant // of the child
}

// Name names a child in tags and answers: the first half of its ID.
func Name(id directory.ChildID) string { return hex.EncodeToString(id[:16]) }

func (s *Slice) day() int64 { return int64(s.Expires / ledger.Day) }

// class is what children share that share a rule.
func (s *Slice) class() string {
	return strconv.FormatInt(int64(s.Limit), 10) + "." + strconv.FormatInt(s.day(), 10)
}

// ID is the budget that caps the slice.
func (s *Slice) ID() ledger.BudgetID { return sliceBudget(sliceTag+digit(s.Generation), s.class()) }

// sliceBudget is the budget of a request with such a tag.
func sliceBudget(tag, class string) ledger.BudgetID { return ledger.BudgetID(tag + "." + class) }

func digit(generation uint8) string { return strconv.Itoa(int(generation)) }

// Rule is the budget that caps the slice: each child of the class has an account.
func (s *Slice) Rule() ledger.Budget {
	g := digit(s.Generation)
	return ledger.Budget{
		ID:    s.ID(),
		Match: []ledger.Condition{{Dim: tag(sliceTag + g), Values: []string{s.class()}}},
		Each:  []ledger.DimRef{tag(childTag + g)},
		Unit:  ledger.USD, Limit: s.Limit,
		Window: ledger.Window{Kind: ledger.PerDay, Zone: longDay(s.day())},
	}
}

func tag(name string) ledger.DimRef { return ledger.DimRef{Dim: ledger.DimTag, Tag: name} }

const (
	// margin is by how much the accounts of a day outlast its children on either side:
	// far more than clocks may differ by.
	margin = 2 * ledger.Hour
	// ahead and back are the offsets of a long day's zone, in seconds: the largest that
	// a zone may have.
	ahead = int32(margin / ledger.Second)
	back  = -26 * 3600
)

// longDay is a zone in which one local day lasts from 26 hours before the given day
// of UTC to 26 hours after its beginning. A second before the local day would end
// the clock is set back by 28 hours, and the day goes on until the clock has
// reached midnight for good. A child that ends within the given day, and lives for
// a day at most, lives within the local one.
func longDay(day int64) ledger.Zone {
	midnight := ledger.Instant(day)*ledger.Day - margin
	return ledger.Zone{Base: ahead, Transitions: []ledger.Transition{{At: midnight - ledger.Second, Offset: back}}}
}

// IsSlice says whether a budget is the rule of a slice, which this package makes
// and nobody changes.
func IsSlice(id ledger.BudgetID) bool { return strings.HasPrefix(string(id), sliceTag) }

// Over says whether every child of a slice's budget has ended, and its accounts
// with them.
func Over(id ledger.BudgetID, now ledger.Instant) bool {
	text := string(id)
	day, err := strconv.ParseInt(text[strings.LastIndexByte(text, '.')+1:], 10, 64)
	return IsSlice(id) && err == nil && now/ledger.Day-2 > ledger.Instant(day)
}

// Sliced says whether a request of these dimensions is to be charged to a slice.
func Sliced(d *ledger.Dimensions) bool {
	for _, t := range d.Tags {
		if strings.HasPrefix(t.Name, sliceTag) {
			return true
		}
	}
	return false
}

// Uncapped returns a slice that a request of these dimensions is to be charged to
// and that is not among the budgets of its chain, or "".
func Uncapped(d *ledger.Dimensions, chain iter.Seq[ledger.BudgetID]) ledger.BudgetID {
	for _, t := range d.Tags {
		if !strings.HasPrefix(t.Name, sliceTag) {
			continue
		}
		want, found := sliceBudget(t.Name, t.Value), false
		for id := range chain {
			found = found || id == want
		}
		if !found {
			return want
		}
	}
	return ""
}

// slicesOf are the slices along a token.
func slicesOf(t *childkey.Token) (out []Slice) {
	for i := range t.Blocks {
		b := &t.Blocks[i]
		if b.Slice == nil {
			continue
		}
		out = append(out, Slice{
			Child: b.ID, Generation: uint8(i + 1), Limit: ledger.Amount(b.Slice.Enforced()),
			Expires: ledger.Instant(b.Expires) * ledger.Second,
		})
	}
	return out
}

// String is the slice for people.
func (s *Slice) String() string {
	return fmt.Sprintf("%s USD for child %s", childkey.USD(s.Limit), Name(s.Child))
}

// Account is where what the child spends is counted.
func (s *Slice) Account() ledger.AccountKey {
	r := s.Rule()
	start, _ := r.Window.Bounds(s.Expires)
	return ledger.AccountKey{Budget: r.ID, Split: ledger.MakeSplit(Name(s.Child)), Start: start}
}
