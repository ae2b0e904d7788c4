package compat

// Scenario is one thing that every client is made to do.
type Scenario string

// The scenarios, in the order in which they are run and shown.
const (
	Chat       Scenario = "chat"
	Stream     Scenario = "stream"
	Tools      Scenario = "tools"
	Parallel   Scenario = "parallel tools"
	Structured Scenario = "structured"
	Image      Scenario = "image"
	Others     Scenario = "other routes"
	Errors     Scenario = "errors"
	Cancel     Scenario = "cancel"
	Denial     Scenario = "denial"
)

// Scenarios are all of them, with what a pass says.
var Scenarios = []struct {
	ID    Scenario
	Means string
}{
	{Chat, "a question is answered, with the tokens it used"},
	{Stream, "an answer comes in pieces, which make the whole, and ends as the client expects"},
	{Tools, "the model calls a tool with arguments that fit its schema; the result goes back; the model answers"},
	{Parallel, "the model calls two tools in one answer; both results go back"},
	{Structured, "the answer is JSON of a given schema, as the client itself reads it"},
	{Image, "a picture in the question is taken and counted"},
	{Others, "what else the client has that the gateway takes: lists of models, counts of tokens, embeddings"},
	{Errors, "a model without a price and an unknown key come as the client's own errors, with status and code"},
	{Cancel, "the client leaves in the middle of a stream; the usage record still has what the provider bills"},
	{Denial, "an exhausted budget comes as the client's own error, and the client does not try again"},
}
