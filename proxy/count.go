package proxy

import (
	"time"

	"purser/proxy/bound"
	"purser/proxy/dialect"
	"purser/proxy/upstream"
)

// A provider's count is an estimate, Anthropic's by its own word. A sixteenth and
// 64 tokens on top are far beyond any difference seen between one and its bill.
const (
	countShare  = 16
	countMargin = 64
)

// maxCountAnswer bounds the answer to a question of one number.
const maxCountAnswer = 16 << 10

// countBreaker stands in the place of the model in the circuit breaker of an
// upstream's counter: one that fails must not slow every request near a cap.
const countBreaker = "(token counter)"

// uncountable are the values of exchange.counted that are no count.
const (
	notCounted  = 0
	uncountable = -1
)

// countInput bounds the input by what the provider itself counts, once for all
// attempts. It says no where the count would bound nothing: where the call takes
// up what is not in it, which may be another thing a moment later, and where the
// model reads more than this prompt.
func (x *exchange) countInput() (int64, bool) {
	if x.counted == notCounted {
		x.counted = uncountable
		began := time.Now()
		if n, ok := x.askCount(); ok {
			x.counted = n + n/countShare + countMargin
		}
		x.rec.Admit += int64(time.Since(began))
	}
	return x.counted, x.counted != uncountable
}

func (x *exchange) askCount() (int64, bool) {
	up := x.route_.up
	format, ok := x.there().(dialect.Counter)
	if !ok || !up.CountTokens || x.call.HiddenContext != "" || len(x.call.Paid) > 0 || x.call.Compacts || linked(x.call.Images) {
		return 0, false
	}
	body, ok := format.AppendCount(x.scratch[:0], &x.call, x.route_.sent)
	x.scratch = body[:0]
	if !ok {
		return 0, false
	}
	key, e := x.chooseKey(countBreaker)
	if e != nil {
		return 0, false
	}
	pass, r := key.pass, x.upstreamRequest(key)
	r.Path, r.Body, r.Timeout = up.target(format.CountPath(x.route_.sent), "", x.route_.sent, dialect.CountTokens), body, x.g.cfg.CountTime
	res, failure := up.Client.Do(r)
	if failure != nil {
		pass.Report(time.Now(), upstream.Judge(0, failure))
		return 0, false
	}
	pass.Report(time.Now(), upstream.Judge(res.Status, nil))
	defer res.Close()
	answer, err := res.ReadAll(maxCountAnswer)
	if err != nil || res.Status != 200 {
		return 0, false
	}
	n, ok := format.ReadCount(answer)
	return n, ok && n > 0 && n <= maxCounted
}

// maxCounted is more than any context window: a larger count is not believed, and
// sums stay far from overflow.
const maxCounted = 1 << 40

// linked says whether there is an image that the provider fetches: another may be
// there when the call comes.
func linked(images []dialect.Image) bool {
	for i := range images {
		if images[i].Link {
			return true
		}
	}
	return false
}

// boundSteps are the bounds that are computed here, from cheapest to tightest.
var boundSteps = [...]bound.Step{bound.Bytes, bound.Vocabulary, bound.Exact}
