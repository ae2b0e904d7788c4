package labelled

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Generated gives pairs made from templates, n of each category: for each guard pairs
// that it must veto, and pairs that no guard may. The same seed gives the same pairs.
// The categories are the guards' ids; those that must pass are called pass:what.
func Generated(seed uint64, n int) []Pair {
	r := rand.New(rand.NewPCG(seed, 17))
	var out []Pair
	for _, t := range templates {
		for range n {
			a, b := t.make(r)
			if r.IntN(2) == 0 {
				a, b = b, a
			}
			out = append(out, Pair{A: a, B: b, Same: strings.HasPrefix(t.category, "pass:"), Category: t.category})
		}
	}
	return out
}

type template struct {
	category string
	make     func(*rand.Rand) (a, b string)
}

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

// two gives two different elements.
func two(r *rand.Rand, list []string) (string, string) {
	i := r.IntN(len(list))
	j := (i + 1 + r.IntN(len(list)-1)) % len(list)
	return list[i], list[j]
}

var (
	places   = strings.Fields("Norway Portugal Kenya Peru Vietnam Poland Chile Morocco Iceland Croatia Ghana Nepal Latvia Bolivia Jordan")
	tools    = strings.Fields("Terraform Ansible Jenkins Grafana Prometheus Kafka Redis Nginx Django Laravel Flask Angular Svelte Postgres MySQL")
	people   = strings.Fields("Einstein Newton Darwin Curie Galileo Tesla Turing Pasteur Kepler Faraday Mozart Chopin")
	topics   = []string{"a sourdough starter", "a marathon plan", "tax returns", "house insurance", "a vegetable garden", "chess openings", "home networking", "sleep quality", "bicycle brakes", "a job interview"}
	months   = strings.Fields("January February April June July August September October November December")
	verbs    = []string{"install", "configure", "monitor", "debug", "secure", "upgrade", "back up", "benchmark"}
	fields   = strings.Fields("user_id order_total created_at retry_count max_depth page_size file_name item_price")
	rare     = strings.Fields("quinoa tofu lentils salmon zucchini eggplant mackerel polenta couscous tempeh")
	switches = [][2]string{{"enable", "disable"}, {"increase", "decrease"}, {"open", "close"}, {"start", "stop"}, {"lock", "unlock"}, {"import", "export"}, {"encrypt", "decrypt"}, {"upload", "download"}, {"allow", "deny"}, {"connect", "disconnect"}, {"mount", "unmount"}, {"subscribe", "unsubscribe"}}
	ranges   = [][2]string{{"maximum", "minimum"}, {"largest", "smallest"}, {"highest", "lowest"}, {"cheapest", "most expensive"}, {"advantages", "disadvantages"}, {"fastest", "slowest"}}
	polite   = []string{"Please %s", "Hi, %s", "Hello! %s", "%s Thanks!", "Hey, %s Thank you.", "Could you please tell me: %s", "%s Thanks in advance."}
	unitsOf  = [][3]string{{"%d km", "%d000 meters", "%d miles"}, {"%d kg", "%d000 grams", "%d pounds"}, {"%d hours", "%d hrs", "%d minutes"}, {"%d liters", "%d000 ml", "%d gallons"}}
	numerals = strings.Fields("two three four five six seven eight nine ten eleven twelve")
)

var templates = []template{
	{"number", func(r *rand.Rand) (string, string) {
		x := 2 + r.IntN(90)
		y := x + 1 + r.IntN(40)
		switch t := pick(r, topics); r.IntN(4) {
		case 0:
			return fmt.Sprintf("What are the top %d tips for %s?", x, t), fmt.Sprintf("What are the top %d tips for %s?", y, t)
		case 1:
			return fmt.Sprintf("Convert %d USD to EUR", x), fmt.Sprintf("Convert %d USD to EUR", y)
		case 2:
			return fmt.Sprintf("Give me %d ideas about %s", x, t), fmt.Sprintf("Give me ideas about %s", t)
		default:
			return fmt.Sprintf("How do I pay %d.%d dollars for %s?", x, r.IntN(9)+1, t), fmt.Sprintf("How do I pay %d dollars for %s?", x, t)
		}
	}},
	{"number", func(r *rand.Rand) (string, string) {
		u := unitsOf[r.IntN(len(unitsOf))]
		q := "How much energy does it take to move " + pick(r, topics) + " by "
		x := 2 + r.IntN(50)
		return q + fmt.Sprintf(u[0], x), q + fmt.Sprintf(u[2], x)
	}},
	{"time", func(r *rand.Rand) (string, string) {
		p := pick(r, places)
		a, b := two(r, []string{"today", "tomorrow", "yesterday", "last week", "next month", "tonight"})
		if r.IntN(2) == 0 {
			a, b = two(r, months)
			return "What is the weather like in " + p + " in " + a + "?", "What is the weather like in " + p + " in " + b + "?"
		}
		return "What happened in " + p + " " + a + "?", "What happened in " + p + " " + b + "?"
	}},
	{"negation", func(r *rand.Rand) (string, string) {
		t := pick(r, topics)
		switch r.IntN(3) {
		case 0:
			return "What should I do with " + t + "?", "What should I not do with " + t + "?"
		case 1:
			return "Why does " + pick(r, tools) + " help with " + t + "?", "Why doesn't " + pick(r, tools) + " help with " + t + "?"
		default:
			return "How do I prepare " + t + " with a budget?", "How do I prepare " + t + " without a budget?"
		}
	}},
	{"opposite", func(r *rand.Rand) (string, string) {
		if r.IntN(3) == 0 {
			s := ranges[r.IntN(len(ranges))]
			t := pick(r, topics)
			return "What are the " + s[0] + " options for " + t + "?", "What are the " + s[1] + " options for " + t + "?"
		}
		s := switches[r.IntN(len(switches))]
		t := pick(r, tools)
		return "How do I " + s[0] + " the session in " + t + "?", "How do I " + s[1] + " the session in " + t + "?"
	}},
	{"direction", func(r *rand.Rand) (string, string) {
		x, y := two(r, tools)
		if r.IntN(2) == 0 {
			x, y = two(r, places)
		}
		switch r.IntN(4) {
		case 0:
			return "How do I move from " + x + " to " + y + "?", "How do I move from " + y + " to " + x + "?"
		case 1:
			return "Is " + x + " better than " + y + "?", "Is " + y + " better than " + x + "?"
		case 2:
			return "Did " + x + " influence " + y + "?", "Did " + y + " influence " + x + "?"
		default:
			return "Convert a " + x + " file to a " + y + " file", "Convert a " + y + " file to a " + x + " file"
		}
	}},
	{"entity", func(r *rand.Rand) (string, string) {
		switch r.IntN(3) {
		case 0:
			x, y := two(r, places)
			return "What is the capital of " + x + "?", "What is the capital of " + y + "?"
		case 1:
			x, y := two(r, tools)
			v := pick(r, verbs)
			return "How do I " + v + " a cluster with " + x + "?", "How do I " + v + " a cluster with " + y + "?"
		default:
			x, y := two(r, people)
			return "What year did " + x + " die?", "What year did " + y + " die?"
		}
	}},
	{"code", func(r *rand.Rand) (string, string) {
		switch r.IntN(3) {
		case 0:
			x, y := two(r, fields)
			return "What does the column " + x + " mean?", "What does the column " + y + " mean?"
		case 1:
			v := 2 + r.IntN(20)
			return fmt.Sprintf("What changed in version 3.%d.1 of the library?", v), fmt.Sprintf("What changed in version 3.%d.1 of the library?", v+1)
		default:
			x, y := two(r, fields)
			return "Why is https://example.com/" + x + " slow?", "Why is https://example.com/" + y + " slow?"
		}
	}},
	{"quote", func(r *rand.Rand) (string, string) {
		x, y := two(r, topics)
		return `Translate "` + x + `" into French`, `Translate "` + y + `" into French`
	}},
	{"question", func(r *rand.Rand) (string, string) {
		x, y := two(r, []string{"Who founded", "When was", "Where is", "Why is", "How old is"})
		p := pick(r, places)
		return x + " the museum of " + p + "?", y + " the museum of " + p + "?"
	}},
	{"scope", func(r *rand.Rand) (string, string) {
		v, t := pick(r, verbs), pick(r, topics)
		tail := pick(r, []string{" during a holiday", " for large families", " without electricity", " in a cold climate", " using solar panels", " under a strict deadline", " only on weekends"})
		return "How do I " + v + " " + t + "?", "How do I " + v + " " + t + tail + "?"
	}},
	{"form", func(r *rand.Rand) (string, string) {
		x, y := two(r, []string{"essay", "poem", "table", "timeline", "summary", "dialogue"})
		t := pick(r, topics)
		return "Write a " + x + " about " + t, "Write a " + y + " about " + t
	}},
	{"substitution", func(r *rand.Rand) (string, string) {
		x, y := two(r, rare)
		return "how long should i cook " + x + " in the oven", "how long should i cook " + y + " in the oven"
	}},
	{"language", func(r *rand.Rand) (string, string) {
		p := pick(r, places)
		return "What is the capital of " + p + "?", pick(r, []string{"Was ist die Hauptstadt von " + p + "?", "¿Cuál es la capital de " + p + "?", "Какая столица у " + p + "?", "首都はどこですか " + p})
	}},
	{"pass:polite", func(r *rand.Rand) (string, string) {
		q := "how do I " + pick(r, verbs) + " " + pick(r, tools) + "?"
		return q, fmt.Sprintf(pick(r, polite), q)
	}},
	{"pass:value", func(r *rand.Rand) (string, string) {
		u := unitsOf[r.IntN(len(unitsOf))]
		q := "How long does it take to carry " + pick(r, topics) + " over "
		x := 2 + r.IntN(50)
		if r.IntN(2) == 0 {
			k := r.IntN(len(numerals))
			return fmt.Sprintf("Give me %d tips for %s", k+2, pick(r, topics[:1])), "Give me " + numerals[k] + " tips for " + topics[0]
		}
		return q + fmt.Sprintf(u[0], x), q + fmt.Sprintf(u[1], x)
	}},
	{"pass:order", func(r *rand.Rand) (string, string) {
		switch r.IntN(3) {
		case 0:
			x, y := two(r, tools)
			return "What is the difference between " + x + " and " + y + "?", "What is the difference between " + y + " and " + x + "?"
		case 1:
			x, v := pick(r, tools), pick(r, verbs)
			return "In " + x + ", how do I " + v + " a service?", "How do I " + v + " a service in " + x + "?"
		default:
			x, y := two(r, tools)
			return "Compare " + x + " and " + y, "Compare " + y + " with " + x
		}
	}},
	{"pass:case", func(r *rand.Rand) (string, string) {
		q := "how do I " + pick(r, verbs) + " " + pick(r, tools) + " on a server"
		return q, strings.ToLower(q)
	}},
	{"pass:typo", func(r *rand.Rand) (string, string) {
		v := pick(r, []string{"configuration", "dependencies", "performance", "certificates", "deployments"})
		k := 2 + r.IntN(len(v)-4)
		return "How do I check the " + v + " in " + pick(r, tools[:1]) + "?", "how do i check the " + v[:k] + v[k+1:k+2] + v[k:k+1] + v[k+2:] + " in " + strings.ToLower(tools[0])
	}},
}
