package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// kind is one kind of task: what its prompts look like, and how often a small, a medium
// and a large model answer it well.
type kind struct {
	name      string
	templates []string // {t}: a thing of any domain; {a}, {n}: of the kind
	words     []string // for {a}
	quality   [3]float64
}

// things are what prompts are about: the same of every kind, so that a prompt's topic
// does not say its kind.
var things = strings.Fields(`invoices orders customers shipments tickets refunds contracts sensors patients flights
	bookings reviews payroll inventory warehouses vehicles recipes lessons playlists matches
	loans claims subscriptions meetings candidates meters parcels menus gardens museums`)

// kinds are the kinds of task. On easy ones a small model does as well as a large one;
// on four, a large one is much better; on two, the medium one is best.
var kinds = []kind{
	{"classify", []string{
		"Classify the sentiment of this comment about {t} as positive, negative or neutral: {a}.",
		"Is the following message about {t} positive or negative? Answer with one word: {a}.",
		"Label this feedback on our {t} as positive, neutral or negative: {a}.",
	}, []string{"it was great and I would recommend it", "I waited far too long", "it is okay I guess", "the worst I have ever seen", "really happy with it", "not what I expected"}, [3]float64{0.94, 0.95, 0.95}},
	{"translate", []string{
		"Translate into {a}: our {t} are ready and will be sent on day {n}.",
		"How do you say in {a} that {n} {t} are missing?",
		"Give me the {a} translation of the sentence: please check the {t} before noon.",
	}, []string{"French", "German", "Spanish", "Italian", "Polish", "Portuguese", "Dutch"}, [3]float64{0.88, 0.92, 0.93}},
	{"extract", []string{
		"Extract the {a} and the date from this text about {t} as JSON: received on {n} May from the office.",
		"From the following email on {t}, return the {a} and phone number as JSON fields: call me at 555 {n}.",
		"Pull the {a}, name and address out of this record of {t} and output JSON: id {n}.",
	}, []string{"amount", "customer number", "order id", "email address", "total", "reference"}, [3]float64{0.93, 0.94, 0.95}},
	{"summarise", []string{
		"Summarise this report on {t} in {n} sentences: {a}.",
		"Give a short summary of the following article about {t}: {a}.",
		"Write a brief abstract of this text concerning {t}, {a}.",
	}, []string{"sales rose in spring and fell in autumn", "the board met and agreed on a plan", "the new process was introduced last year", "three sites were visited and two were closed"}, [3]float64{0.90, 0.92, 0.93}},
	{"rewrite", []string{
		"Rewrite this email about {t} so that it sounds more {a}.",
		"Make the following note on {t} more {a} and correct the grammar.",
		"Improve the tone of this message on {t}: it should be {a}.",
	}, []string{"polite", "formal", "friendly", "concise", "confident", "apologetic"}, [3]float64{0.91, 0.93, 0.93}},
	{"facts", []string{
		"What is the capital of {a} and how many people live there?",
		"In which year did {a} become independent?",
		"Which currency is used in {a} and which languages are spoken?",
	}, []string{"Portugal", "Kenya", "Chile", "Norway", "Vietnam", "Ghana", "Peru", "Latvia", "Jordan", "Nepal"}, [3]float64{0.90, 0.95, 0.97}},
	{"sql", []string{
		"Write a SQL query that joins the tables {t} and {a} and groups by month.",
		"SQL: select the {n} latest rows of {t} with their {a}, ordered by date.",
		"Write a PostgreSQL query with a window function over {t} partitioned by {a}.",
	}, []string{"accounts", "regions", "users", "categories", "suppliers", "branches"}, [3]float64{0.55, 0.88, 0.90}},
	{"code", []string{
		"Write a Python function that parses a file of {t} and returns a list sorted by {a}.",
		"Implement in Go a function which filters a slice of {t} by {a}, with unit tests.",
		"Write a JavaScript class that stores {t} in a map keyed by {a}.",
	}, []string{"price", "name", "date", "priority", "length", "country"}, [3]float64{0.60, 0.86, 0.89}},
	{"debug", []string{
		"This {a} program that reads {t} crashes with a stack trace in line {n}; find the bug.",
		"Why does my {a} code throw a null pointer exception when I iterate over {t}?",
		"My {a} service that handles {t} deadlocks under load; here is the goroutine dump, debug it.",
	}, []string{"Java", "Go", "Rust", "C++", "Kotlin", "C#"}, [3]float64{0.28, 0.55, 0.86}},
	{"proof", []string{
		"Prove by induction that the sum of the first n {a} numbers has a closed form.",
		"Prove that there are infinitely many {a} integers that are not divisible by {n}.",
		"Give a rigorous proof of the theorem that every {a} group of order {n} is cyclic.",
	}, []string{"odd", "prime", "triangular", "finite", "square", "abelian"}, [3]float64{0.15, 0.42, 0.84}},
	{"arithmetic", []string{
		"A shop sells {n} {t} at {a} dollars each with a discount of 15 percent; how much is the total step by step?",
		"If {n} workers finish {t} in {a} hours, how many hours do three workers need? Show the calculation.",
		"Solve the word problem: {n} {t} are shared in the ratio {a} to 3; how many are in each share?",
	}, []string{"4", "7", "12", "25", "31", "48"}, [3]float64{0.45, 0.82, 0.92}},
	{"law", []string{
		"Analyse the liability clause of this contract on {t} under {a} law and list the risks.",
		"Under {a} law, which legal obligations does the supplier of {t} have after termination of the agreement?",
		"Compare indemnity and warranty in the agreement about {t}, according to the courts of {a}.",
	}, []string{"German", "English", "Californian", "French", "Swiss", "Dutch"}, [3]float64{0.35, 0.62, 0.88}},
	{"plan", []string{
		"Plan the migration of {n} services for {t} to another data centre, with dependencies, risks and a critical path, {a}.",
		"Design the architecture of a distributed system for {t} that survives the loss of a region, {a}; discuss trade-offs.",
		"Make a schedule with constraints for {n} teams that work on {t}, {a}, and explain why it is optimal.",
	}, []string{"without downtime", "within a fixed budget", "in two quarters", "with strict consistency", "under regulation"}, [3]float64{0.30, 0.58, 0.87}},
	{"story", []string{
		"Write a short story about a sailor who collects {t} and meets {a}.",
		"Write a poem in four stanzas on {t} and {a}.",
		"Tell a bedtime tale in which {a} finds hidden {t} in a forest.",
	}, []string{"a fox", "an old king", "the moon", "a lighthouse keeper", "two sisters", "a dragon"}, [3]float64{0.80, 0.91, 0.88}},
	{"advice", []string{
		"How should I prepare for a job interview at a company that deals with {t}? I am {a}.",
		"I feel {a} at work because of {t}; how do I talk to my manager about it?",
		"My colleague is {a} about our {t}; what could I say to calm things down?",
	}, []string{"nervous", "overwhelmed", "angry", "unsure", "tired", "disappointed"}, [3]float64{0.84, 0.92, 0.90}},
}

// prompt is one text and its kind.
type prompt struct {
	text string
	kind int
}

// prompts makes n of them: the same for the same seed.
func prompts(n int, r *rand.Rand) []prompt {
	out := make([]prompt, n)
	for i := range out {
		k := r.IntN(len(kinds))
		text := kinds[k].templates[r.IntN(len(kinds[k].templates))]
		text = strings.NewReplacer(
			"{t}", things[r.IntN(len(things))],
			"{a}", kinds[k].words[r.IntN(len(kinds[k].words))],
			"{n}", fmt.Sprint(2+r.IntN(40)),
		).Replace(text)
		out[i] = prompt{text, k}
	}
	return out
}
