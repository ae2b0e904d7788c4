package node

import (
	"encoding/json"
	"fmt"
	"time"

	"purser/api/admin"
	"purser/ledger"
)

// breakerOf reads what a budget says of its breaker.
func breakerOf(in *admin.BreakerRule, unit ledger.Unit) (out ledger.Breaker, err error) {
	if in == nil {
		return out, nil
	}
	if in.Probes < 0 || in.Probes > ledger.MaxProbes {
		return out, admin.Invalid(fmt.Sprintf("breaker: probes %d is not within 0 to %d", in.Probes, ledger.MaxProbes))
	}
	if in.RateTimes < 0 || in.RateTimes > ledger.MaxRateTimes {
		return out, admin.Invalid(fmt.Sprintf("breaker: rate_times %d is not within 2 to %d, nor 0", in.RateTimes, ledger.MaxRateTimes))
	}
	out.Probes, out.RateTimes = uint8(in.Probes), uint16(in.RateTimes)
	if in.Overrun != "" {
		if out.Overrun, err = ParseLimit(in.Overrun.String(), unit); err != nil {
			return out, admin.Invalid("breaker: overrun: " + err.Error())
		}
	}
	out.CoolDown, err = spanOf("breaker: cool_down", in.CoolDown)
	return out, err
}

// spanOf reads a duration; "" is 0.
func spanOf(name, text string) (ledger.Instant, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || ledger.Instant(d) > ledger.MaxCoolDown {
		return 0, admin.Invalid(fmt.Sprintf("%s %q is not a duration such as 10m, of at most %d days", name, text, ledger.MaxCoolDown/ledger.Day))
	}
	return ledger.Instant(d), nil
}

// breakerRuleText is the inverse of breakerOf.
func breakerRuleText(b *ledger.Budget) *admin.BreakerRule {
	k := b.Breaker
	if k == (ledger.Breaker{}) {
		return nil
	}
	out := &admin.BreakerRule{Probes: int(k.Probes), RateTimes: int(k.RateTimes)}
	if k.Overrun > 0 {
		out.Overrun = json.Number(limitText(k.Overrun, b.Unit))
	}
	if k.CoolDown > 0 {
		out.CoolDown = time.Duration(k.CoolDown).String()
	}
	return out
}

// tripText writes a breaker that is not closed.
func tripText(b *ledger.Budget, t *ledger.BreakerTrip) admin.Breaker {
	out := admin.Breaker{
		State: "open", Cause: t.Cause.String(), Reason: t.Reason, Since: timeText(t.Since), Until: timeText(t.Until), Probes: int(t.Probes),
	}
	if t.State == ledger.HalfOpen {
		out.State = "half_open"
	}
	if b != nil {
		out.Split = splitText(b, t.Scope.Split)
	}
	return out
}

// raiseText writes a raise.
func raiseText(b *ledger.Budget, x *ledger.Raise) admin.Raise {
	return admin.Raise{
		ID: string(x.ID), Split: splitText(b, x.Split), By: json.Number(limitText(x.Amount, b.Unit)), Until: timeText(x.Until), Reason: x.Reason,
	}
}
