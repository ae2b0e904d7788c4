package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"purser/api/admin"
	"purser/proxy/policy"
	"purser/proxy/policy/suite"
)

type policyCmd struct {
	Check   policyCheckCmd   `cmd:"" help:"Say everything that is wrong with the policies of a file."`
	Test    policyTestCmd    `cmd:"" help:"Ask the policies of a file about a request, or about the cases of a file; no node is needed."`
	Explain policyExplainCmd `cmd:"" help:"Ask a node what the policies in force make of a request."`
}

type policyCheckCmd struct {
	File string `short:"f" required:"" help:"File with policies by their ids, as purser apply takes them; - for standard input."`
}

// Run checks the file.
func (c *policyCheckCmd) Run() error {
	_, doc, err := readPolicies(c.File)
	if err != nil {
		return err
	}
	fmt.Printf("%d policies are fine\n", len(doc.Policies))
	return nil
}

type policyTestCmd struct {
	File    string `short:"f" required:"" help:"File with policies by their ids, as purser apply takes them, and perhaps cases; - for standard input."`
	Request string `help:"File with the facts of a request, YAML or JSON; - for standard input." xor:"ask"`
	Cases   string `help:"File with cases; without it those of the policies' file." xor:"ask"`
	Explain bool   `help:"Show what each rule said."`
	JSON    bool   `help:"Print JSON for programs instead of a table."`
}

// Run asks.
func (c *policyTestCmd) Run() error {
	set, doc, err := readPolicies(c.File)
	if err != nil {
		return err
	}
	if c.Request != "" {
		return c.ask(set)
	}
	cases, from := doc.Cases, c.File
	if c.Cases != "" {
		from = c.Cases
		b, err := readInput(from)
		if err != nil {
			return err
		}
		more, err := suite.Parse(b)
		if err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		cases = more.Cases
	}
	if len(cases) == 0 {
		return fmt.Errorf("%s has no cases; give --request, or --cases", from)
	}
	results, err := suite.Run(set, cases)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return c.report(results)
}

// ask asks about one request.
func (c *policyTestCmd) ask(set *policy.Set) error {
	b, err := readInput(c.Request)
	if err != nil {
		return err
	}
	f, err := suite.ParseFacts(b)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Request, err)
	}
	if f.Time == "" {
		f.Time = time.Now().UTC().Format(time.RFC3339)
	}
	in, err := f.Input()
	if err != nil {
		return fmt.Errorf("%s: %w", c.Request, err)
	}
	d, steps := set.Explain(in)
	a := policy.NewAnswer(in, &d)
	if c.Explain {
		a.Steps = steps
	}
	return (&remote{JSON: c.JSON}).print(a, func(w *tabwriter.Writer) { printAnswer(w, &a) })
}

// errCases is the end of a test in which a case went another way than it says.
var errCases = errors.New("not every case went as expected")

// report prints how the cases went. It is an error if one went wrong.
func (c *policyTestCmd) report(results []suite.Result) error {
	wrong := 0
	for i := range results {
		r := &results[i]
		if len(r.Wrong) > 0 {
			wrong++
		}
		if !c.Explain {
			r.Answer.Steps = nil
		}
	}
	err := (&remote{JSON: c.JSON}).print(results, func(w *tabwriter.Writer) {
		for i := range results {
			r := &results[i]
			if len(r.Wrong) == 0 {
				fmt.Fprintf(w, "ok\t%s\n", r.Case.Name)
			} else {
				fmt.Fprintf(w, "WRONG\t%s\t%s\n", r.Case.Name, strings.Join(r.Wrong, "; "))
			}
			printSteps(w, r.Answer.Steps)
		}
		fmt.Fprintf(w, "%d cases, %d wrong\n", len(results), wrong)
	})
	if err == nil && wrong > 0 {
		err = errCases
	}
	return err
}

type policyExplainCmd struct {
	remote
	Request string            `help:"File with the facts of a request, YAML or JSON; - for standard input." xor:"what"`
	Key     string            `help:"Id of the key that would send the request." xor:"what"`
	Path    string            `help:"Path of the request." default:"/v1/chat/completions"`
	Body    string            `help:"File with the request's body; - for standard input."`
	Address string            `help:"Address from which the request would come."`
	Header  map[string]string `help:"A header of the request: --header x-purser-team=search (repeat)."`
}

// Run asks the node.
func (c *policyExplainCmd) Run(ctx context.Context) error {
	q, err := c.question()
	if err != nil {
		return err
	}
	a, err := c.client().ExplainPolicies(ctx, q)
	if err != nil {
		return err
	}
	return c.print(a, func(w *tabwriter.Writer) { printAnswer(w, &a) })
}

func (c *policyExplainCmd) question() (q admin.PolicyQuestion, err error) {
	switch {
	case c.Request != "":
		b, err := readInput(c.Request)
		if err != nil {
			return q, err
		}
		if q.Facts, err = suite.ParseFacts(b); err != nil {
			return q, fmt.Errorf("%s: %w", c.Request, err)
		}
		return q, nil
	case c.Key == "":
		return q, errors.New("give --key, and the request's --body; or --request with the facts")
	}
	q.Call = &admin.PolicyCall{Key: c.Key, Path: c.Path, Address: c.Address, Headers: c.Header}
	if c.Body != "" {
		b, err := readInput(c.Body)
		if err != nil {
			return q, err
		}
		if !json.Valid(b) {
			return q, fmt.Errorf("%s is not JSON", c.Body)
		}
		q.Call.Body = b
	}
	return q, nil
}

func readPolicies(file string) (*policy.Set, *suite.Document, error) {
	b, err := readInput(file)
	if err != nil {
		return nil, nil, err
	}
	doc, err := suite.Parse(b)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(doc.Policies) == 0 {
		return nil, nil, fmt.Errorf("%s has no policies; they are a map by their ids, under policies", file)
	}
	set, err := policy.Compile(doc.Policies)
	if err != nil {
		return nil, nil, fmt.Errorf("%s:\n%w", file, err)
	}
	return set, doc, nil
}

func printAnswer(w *tabwriter.Writer, a *policy.Answer) {
	fmt.Fprintf(w, "decision\t%s\n", a.Decision)
	if a.Policy != "" {
		fmt.Fprintf(w, "by\tpolicy %s, rule %s\n", a.Policy, a.Rule)
	}
	for _, l := range [...]struct {
		name string
		list []string
	}{{"message", nonEmpty(a.Message)}, {"rewrites", a.Rewrites}, {"warnings", a.Warnings}, {"in shadow", a.Shadow}} {
		if len(l.list) > 0 {
			fmt.Fprintf(w, "%s\t%s\n", l.name, strings.Join(l.list, ", "))
		}
	}
	if len(a.Steps) > 0 {
		fmt.Fprintln(w)
		printSteps(w, a.Steps)
	}
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func printSteps(w *tabwriter.Writer, steps []policy.Step) {
	if len(steps) > 0 {
		fmt.Fprintln(w, "POLICY\tRULE\tMODE\tOUTCOME\tRESULT\tWHY")
	}
	for _, s := range steps {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", s.Policy, dash(s.Rule), s.Mode, dash(string(s.Outcome)), s.Result, s.Why)
	}
}
