package planted

import (
	"fmt"
	"strings"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

var (
	topics = strings.Fields("invoice parcel subscription contract password voucher seat device account refund warranty delivery policy licence booking upgrade meter router ticket statement")
	doings = strings.Fields("cancel renew change download share dispute extend transfer verify reopen correct pause restore merge")
	extras = strings.Fields("abroad online today quickly safely yearly monthly offline twice anonymously together separately")
	names  = strings.Fields("Anna Boris Chloe Dmitri Elena Farid Greta Hugo Iris Jonas Karin Leo Mira Nadia Otto Petra Quentin Rosa Sven Tessa")
)

func (w *world) one(list []string) string { return list[w.rand.IntN(len(list))] }

// asks is a question that nobody else asks: it has a number.
func (w *world) asks() string {
	w.serial++
	return fmt.Sprintf("Can %s %s the %s %s when the reference is %d?", w.one(names), w.one(doings), w.one(topics), w.one(extras), 10_000+w.serial)
}

// common is a question that many could ask: it has no number.
func (w *world) common() string {
	return fmt.Sprintf("how do i %s my %s and also %s the %s of my %s if it was sold %s and used %s", w.one(doings), w.one(topics), w.one(doings), w.one(topics), w.one(topics), w.one(extras), w.one(extras))
}

// politely asks the same with other manners.
func (w *world) politely(q string) string {
	switch w.rand.IntN(4) {
	case 0:
		return "Hello, " + q + "? Thanks!"
	case 1:
		return strings.ToUpper(q[:1]) + q[1:] + "?"
	case 2:
		return "please: " + q + " ..."
	default:
		return strings.ReplaceAll(q, " and ", ", and ") + "?!"
	}
}

// inOtherWords asks the same with other words.
func (w *world) inOtherWords(q string) string {
	return "what are the steps to do this: " + strings.NewReplacer("how do i", "I need to", "my", "our", "also", "then").Replace(q)
}

func (w *world) support(org string) caller {
	return caller{org: org, key: org + "-support", feature: "support", model: "gpt-4.1-mini",
		system: "You answer questions of customers of " + org + ". Be brief, cite the handbook, and never promise what it does not say."}
}

// people ask a helpdesk.
func (w *world) people() {
	for _, org := range []string{"acme", "globex", "initech"} {
		desk := w.support(org)
		for range 400 {
			w.send("good: a question", request{caller: desk, at: w.sometime(), turns: []turn{{"user", w.asks()}}})
		}
		for range 25 {
			w.repeats(desk)
			w.hangsUp(desk)
			w.cutOff(desk)
			w.samples(desk)
			w.fails(desk)
		}
	}
	for range 60 { // two tenants ask the same, at about the same time
		at, q := w.sometime(), w.common()
		for _, org := range []string{"acme", "globex"} {
			w.send("good: another tenant asks the same", request{caller: w.support(org), at: at, turns: []turn{{"user", q}}})
			at += seconds(w.between(20, 600))
		}
	}
}

// repeats asks a question and asks it again: word for word, with other manners, in other
// words, or when no cache would have kept the answer.
func (w *world) repeats(desk caller) {
	ask := func(kind string, at ledger.Instant, q string) *Planted {
		return w.send(kind, request{caller: desk, at: at, turns: []turn{{"user", q}}})
	}
	at, q := w.sometime(), w.common()
	ask("good: asked first", at, q)
	for range w.between(1, 3) {
		at += seconds(w.between(60, 900))
		ask("asked again", at, q).whole("exact_repeat")
	}
	at, q = w.sometime(), w.common()
	ask("good: asked first", at, q)
	ask("asked again politely", at+seconds(w.between(60, 3000)), w.politely(q)).whole("near_repeat")
	at, q = w.sometime(), w.common()
	ask("good: asked first", at, q)
	p := ask("asked again in other words", at+seconds(w.between(60, 3000)), w.inOtherWords(q))
	p.Record.Semantic = record.Semantic{Verdict: record.SemanticWould, Similarity: 930_000, Probability: 990_000}
	p.whole("near_repeat")
	at, q = w.sometime(), w.common()
	ask("good: asked first", at, q)
	ask("good: asked again the next day", at+seconds(w.between(5, 26)*3600), q)
	at = w.sometime()
	topic := w.common()[8:]
	for _, i := range w.rand.Perm(len(names))[:3] { // one word differs, and everything with it
		ask("good: of somebody else", at, "how does "+names[i]+topic[1:])
		at += seconds(w.between(30, 300))
	}
}

// hangsUp reads a part of an answer.
func (w *world) hangsUp(desk caller) {
	p := w.send("hung up on", request{caller: desk, at: w.sometime(), turns: []turn{{"user", w.asks()}}, output: w.between(300, 2000), refined: func(r *record.Record) {
		r.Stream, r.Outcome = true, record.Disconnected
		r.Delivered = r.Made * w.between(5, 80) / 100
	}})
	read := float64(p.Record.Delivered) / float64(p.Record.Made)
	p.wasted("unused_output", w.less(p, func(u *price.Usage) { u[price.OutputText] = int64(float64(u[price.OutputText]) * read) }))

	w.send("left before the answer", request{caller: desk, at: w.sometime(), turns: []turn{{"user", w.asks()}}, refined: func(r *record.Record) { r.Delivered = 0 }}).whole("failed")
}

// cutOff has an answer cut at its cap, and asks again with a higher one; or is content
// with it; or has it go on.
func (w *world) cutOff(desk caller) {
	at, q := w.sometime(), w.asks()
	cut := request{caller: desk, at: at, turns: []turn{{"user", q}}, cap: 256, output: 256}
	w.send("cut off, and asked again", cut).whole("unused_output")
	cut.at, cut.cap, cut.output = at+seconds(w.between(5, 120)), 2048, w.between(300, 900)
	w.send("good: asked again with a higher cap", cut)

	at, q = w.sometime(), w.asks()
	w.send("good: cut off, and enough", request{caller: desk, at: at, turns: []turn{{"user", q}}, cap: 256, output: 256})

	at, q = w.sometime(), w.asks()
	w.send("good: cut off, and continued", request{caller: desk, at: at, turns: []turn{{"user", q}}, cap: 256, output: 256})
	w.send("good: the rest", request{caller: desk, at: at + seconds(20), cap: 256, output: 200,
		turns: []turn{{"user", q}, {"assistant", strings.Repeat("and so on ", 90)}, {"user", "continue"}}})
}

// samples asks for several answers to one question, because they differ.
func (w *world) samples(desk caller) {
	at, q := w.sometime(), w.common()
	for range 4 {
		w.send("good: sampled on purpose", request{caller: desk, at: at, turns: []turn{{"user", q}}, fresh: true})
		at += seconds(w.between(1, 20))
	}
}

// fails has calls fail, some of them at no cost.
func (w *world) fails(desk caller) {
	p := w.send("failed and billed", request{caller: desk, at: w.sometime(), turns: []turn{{"user", w.asks()}}})
	p.fail([]record.Outcome{record.UpstreamError, record.Truncated}[w.rand.IntN(2)])
	p.whole("failed")

	at, q := w.sometime(), w.asks()
	p = w.send("an attempt that failed and was billed", request{caller: desk, at: at, turns: []turn{{"user", q}}})
	p.fail(record.UpstreamError)
	p.whole("failed")
	second := w.send("good: the next attempt", request{caller: desk, at: at, turns: []turn{{"user", q}}})
	second.Record.ID, second.Record.Attempt, second.Record.Attempts = p.Record.ID, 2, 2

	at, q = w.sometime(), w.asks()
	for range w.between(1, 4) { // told to wait: nothing was billed
		free := w.send("good: refused at no cost", request{caller: desk, at: at, turns: []turn{{"user", q}}})
		free.Record.Outcome, free.Record.Basis, free.Record.Status, free.Record.Usage, free.Record.Made, free.Record.Delivered = record.UpstreamError, record.NoCharge, 429, price.Usage{}, 0, 0
		free.price(0)
		at += seconds(2)
	}
	w.send("good: tried again", request{caller: desk, at: at, turns: []turn{{"user", q}}})
}

// popular is what many ask, some questions much more often than others: with the same
// words, with other manners, seldom with a word of their own. Whoever asks within an hour
// of the latest answer that had to be made could have been given that one.
func (w *world) popular() {
	desk := w.support("acme")
	desk.feature, desk.system = "faq", "You answer what is asked often."
	questions := make([]string, 300)
	for i := range questions {
		questions[i] = w.common()
	}
	made, as := map[int]ledger.Instant{}, map[int]string{}
	at := Now - Days*ledger.Day
	for range 1500 {
		at += seconds(w.between(1, 360))
		i := int(float64(len(questions)) * w.rand.Float64() * w.rand.Float64() * w.rand.Float64())
		q := questions[i]
		switch {
		case made[i] == 0:
		case w.chance(0.3):
			q = w.politely(q)
		case w.chance(0.01): // what it is in the end, no hash sees
			q = strings.Replace(q, "how do i", "in which way do i", 1)
		}
		class := "near_repeat"
		if q == as[i] {
			class = "exact_repeat"
		}
		p := w.send("popular", request{caller: desk, at: at, turns: []turn{{"user", q}}})
		until := made[i] + ledger.Hour
		if made[i] != 0 && at <= until && at > until-seconds(120) {
			w.list = w.list[:len(w.list)-1] // too close to the hour to say
			continue
		}
		if made[i] != 0 && at <= until {
			p.Kind = "popular, asked again"
			p.whole(class)
			continue
		}
		p.Kind = "good: popular, asked first in an hour"
		made[i], as[i] = at+ledger.Instant(p.Record.Total), q
	}
	for range 150 { // one word differs, and that changes what is asked
		q := w.common()
		at := w.sometime()
		words := strings.Fields(q)
		w.send("good: a question", request{caller: desk, at: at, turns: []turn{{"user", q}}})
		words[3] = w.one(extras) + "ly"
		w.send("good: one word differs", request{caller: desk, at: at + seconds(w.between(30, 3000)), turns: []turn{{"user", strings.Join(words, " ")}}})
	}
	for range 4 { // the semantic cache errs, seldom
		p := w.send("good: the semantic cache errs", request{caller: desk, at: w.sometime(), turns: []turn{{"user", w.asks()}}})
		p.Record.Semantic = record.Semantic{Verdict: record.SemanticWould, Similarity: 930_000, Probability: 990_000}
	}
}

// corrections are what was known later of earlier costs.
func (w *world) corrections() {
	for i := range 40 {
		at := w.sometime()
		p := &Planted{Kind: "good: a correction", Record: record.Record{ID: w.id(at), At: at, Kind: record.KindCorrection + record.Kind(i%3), Note: "by the provider's report"}}
		p.Record.Cost = ledger.Amount(w.between(-2_000_000, 2_000_000))
		p.Record.Baseline = p.Record.Cost
		w.list = append(w.list, p)
	}
}
