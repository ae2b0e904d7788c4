package learned

import (
	"errors"
	"fmt"
	"math"
)

// Canary gives a candidate a share of the requests, to see what it is worth.
type Canary struct {
	Candidate string  `json:"candidate"`
	Percent   float64 `json:"percent"` // of the requests, 0.1 to 50
	// Floor is the quality that it has to reach. 0 means that of the candidate which would
	// have been asked, less Margin.
	Floor  float64 `json:"floor,omitempty"`
	Margin float64 `json:"margin,omitempty"` // default 0.05
	// Least is how many outcomes it has to show that it is good enough; default 1000. What
	// is shown to be worse does not wait so long.
	Least int64 `json:"least,omitempty"`
	// Since is from when on requests count, seconds since 1970; 0: all. It makes a canary
	// that was rolled back begin anew.
	Since int64 `json:"since,omitempty"`
	// RolledBack says since when, RFC 3339, it gets no more requests, and Reason why.
	RolledBack string `json:"rolled_back,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

const (
	usualMargin = 0.05
	usualLeast  = 1000
	// soonest is from how many outcomes on a canary may be shown to be worse.
	soonest = 20
)

func (c *Canary) validate() error {
	var errs []error
	if c.Candidate == "" {
		errs = append(errs, errors.New("candidate is missing"))
	}
	if !(c.Percent >= 0.1 && c.Percent <= 50) {
		errs = append(errs, fmt.Errorf("percent is %v, not within 0.1 to 50", c.Percent))
	}
	for name, v := range map[string]float64{"floor": c.Floor, "margin": c.Margin} {
		if !(v >= 0 && v <= 1) {
			errs = append(errs, fmt.Errorf("%s is %v, not within 0 to 1", name, v))
		}
	}
	if c.Least < 0 || c.Since < 0 {
		errs = append(errs, errors.New("least or since is negative"))
	}
	return errors.Join(errs...)
}

// Draws says whether a request with this chance is the canary's.
func (c *Canary) Draws(random uint64) bool {
	return c != nil && c.RolledBack == "" && float64(random>>11)/(1<<53) < c.Percent/100
}

// Tally is outcomes of one candidate. Its zero value is none.
type Tally struct {
	Count int64   `json:"count"`
	Sum   float64 `json:"sum"` // of qualities, 0 to 1 each
}

// Add counts an outcome.
func (t *Tally) Add(quality float64) {
	t.Count++
	t.Sum += quality
}

// Mean is their mean; 0 of none.
func (t *Tally) Mean() float64 {
	if t.Count == 0 {
		return 0
	}
	return t.Sum / float64(t.Count)
}

// The confidences of bounds, as quantiles of the normal distribution, one-sided: 95 %,
// and 99.9 % for what is looked at after each outcome.
const (
	confident = 1.645
	certain   = 3.090
)

// bounds is Wilson's score interval (1927) of the mean. Of values between 0 and 1 those
// that are 0 or 1 vary the most, so that it is on the safe side for others.
func (t *Tally) bounds(z float64) (lower, upper float64) {
	if t.Count == 0 {
		return 0, 1
	}
	n, p := float64(t.Count), t.Mean()
	middle := p + z*z/(2*n)
	half := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	whole := 1 + z*z/n
	return max(0, (middle-half)/whole), min(1, (middle+half)/whole)
}

// Lower is the lower bound of the mean, with a confidence of 95 %.
func (t *Tally) Lower() float64 {
	lower, _ := t.bounds(confident)
	return lower
}

// Judge says whether the canary is to be rolled back, and why. After Least outcomes, and
// each time that they have doubled, the lower bound of its quality has to reach the floor:
// a bound that is looked at each time is broken by chance sooner or later. It goes before
// that, once the upper bound does not reach the floor. others are the outcomes of the requests that were
// not the canary's.
func (c *Canary) Judge(canary, others *Tally) (reason string, back bool) {
	least, margin, floor := c.Least, c.Margin, c.Floor
	if least == 0 {
		least = usualLeast
	}
	if margin == 0 {
		margin = usualMargin
	}
	if floor == 0 {
		floor = others.Mean() - margin
	}
	if c.RolledBack != "" || canary.Count < soonest || c.Floor == 0 && others.Count < soonest {
		return "", false
	}
	if _, upper := canary.bounds(certain); upper < floor {
		return fmt.Sprintf("after %d outcomes its quality is %.3f, at most %.3f with 99.9 %% confidence, and below %.3f", canary.Count, canary.Mean(), upper, floor), true
	}
	if lower := canary.Lower(); doubled(canary.Count, least) && lower < floor {
		return fmt.Sprintf("after %d outcomes its quality is %.3f, at least %.3f with 95 %% confidence, and not shown to reach %.3f", canary.Count, canary.Mean(), lower, floor), true
	}
	return "", false
}

// doubled says whether n is least, or twice that, or four times, and so on.
func doubled(n, least int64) bool {
	for ; least > 0 && least < n; least *= 2 {
	}
	return n == least
}
