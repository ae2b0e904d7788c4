package semantic

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Policy is what a request's route, key or team lets the tier do.
type Policy struct {
	Serve    bool          // else it measures, and serves nothing
	Delta    float64       // how often a served answer may be wrong, 0.001 to 0.05
	Epsilon  float64       // share of would-be hits that are asked anew, 0 to 1
	TTL      time.Duration // of entries, 1 s to 30 days
	Volatile bool          // answers to questions about now, or about the asker, may be kept
	MinChars int           // of the question, at least 1
	MaxChars int           // at most 2,000
}

// DefaultPolicy is what measures in shadow.
func DefaultPolicy() Policy {
	return Policy{Delta: 0.01, Epsilon: 0.03, TTL: time.Hour, MinChars: 8, MaxChars: maxChars}
}

// maxChars bounds a question: longer ones are documents, whose vectors say little.
const maxChars = 2000

// Why a question is not looked up; see also package question of the dialects.
const (
	whyShort    = "short"
	whyLong     = "long"
	whyVolatile = "volatile" // about now: the answer changes with time
	whyPersonal = "personal" // about the asker's own things
)

// ineligible says why the question is not looked up; "" if it is.
func ineligible(text string, p *Policy) string {
	switch n := utf8.RuneCountInString(text); {
	case n < p.MinChars:
		return whyShort
	case n > min(p.MaxChars, maxChars):
		return whyLong
	case p.Volatile:
		return ""
	}
	return transient(text)
}

// volatileWords and volatilePhrases are what questions have in them whose answers
// change with time; personalPhrases, with who asks. A question that has one and does
// not mean it is only not looked up.
var (
	volatileWords = wordSet("today tonight yesterday tomorrow now nowadays currently latest recent recently newest upcoming trending weather forecast price prices stock stocks " +
		"heute gestern morgen jetzt aktuell aktuelle aktuellen neueste neuesten wetter preis preise hoy ahora ayer precio aujourd'hui maintenant prix")
	volatilePhrases = []string{
		"this week", "this month", "this year", "this morning", "this evening", "right now", "at the moment", "so far", "as of", "what time", "what day", "what date",
		"last week", "last month", "last year", "next week", "next month", "next year", "up to date", "still open", "exchange rate", "current time", "current date", "current year", "current president",
		"current price", "current version", "current status", "diese woche", "diesen monat", "dieses jahr", "wie spät", "welcher tag", "esta semana", "este mes", "este año", "cette semaine", "ce mois", "cette année",
	}
	personalPhrases = []string{
		"my order", "my account", "my invoice", "my bill", "my balance", "my subscription", "my password", "my appointment", "my booking", "my reservation", "my package", "my parcel", "my delivery", "my shipment", "my payment",
		"my refund", "my ticket", "my claim", "my salary", "my profile", "my address", "my name", "my email", "my phone", "my card", "my policy", "my contract", "my usage", "my plan", "my data", "my calendar", "my inbox",
		"our order", "our account", "our invoice", "who am i", "where am i", "near me", "remind me", "meine bestellung", "mein konto", "meine rechnung", "mein vertrag", "mi pedido", "mi cuenta", "ma commande", "mon compte",
	}
)

func wordSet(list string) map[string]bool {
	set := make(map[string]bool)
	for w := range strings.FieldsSeq(list) {
		set[w] = true
	}
	return set
}

// transient says whether the answer depends on the time, or on who asks.
func transient(text string) string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return r <= '&' || r >= '(' && r <= '/' || r >= ':' && r <= '@' || r >= '[' && r <= '`' || r >= '{' && r <= '~' || r == '’' || r == '“' || r == '”' || r == '¿' || r == '…'
	})
	for _, w := range words {
		if volatileWords[w] || volatileWords[strings.TrimSuffix(w, "'s")] {
			return whyVolatile
		}
	}
	joined := " " + strings.Join(words, " ") + " "
	for _, p := range volatilePhrases {
		if strings.Contains(joined, " "+p+" ") {
			return whyVolatile
		}
	}
	for _, p := range personalPhrases {
		if strings.Contains(joined, " "+p+" ") {
			return whyPersonal
		}
	}
	return ""
}
