package main

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"purser/ledger"
)

const (
	agents = 20
	teams  = 4

	inputNano, outputNano = 2500, 10_000 // for each token
)

// request is one of a trace.
type request struct {
	at            ledger.Instant
	input, output int64
	agent, team   string
}

func (r *request) cost() ledger.Amount {
	return ledger.Amount(r.input*inputNano + r.output*outputNano)
}

func read(file string) (list []request, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var in io.Reader = bufio.NewReader(f)
	if strings.HasSuffix(file, ".gz") {
		if in, err = gzip.NewReader(in); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	rows, err := csv.NewReader(in).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for i, row := range rows {
		if i == 0 {
			continue
		}
		at, err := time.Parse("2006-01-02 15:04:05.9999999", row[0])
		input, err2 := strconv.ParseInt(row[1], 10, 64)
		output, err3 := strconv.ParseInt(row[2], 10, 64)
		if err := errors.Join(err, err2, err3); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", file, i+1, err)
		}
		list = append(list, request{at: ledger.Instant(at.UnixNano()), input: input, output: output})
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has no requests", file)
	}
	slices.SortStableFunc(list, func(a, b request) int { return int(min(max(a.at-b.at, -1), 1)) })
	return list, nil
}

// assigned gives each request to an agent: the first has by far the most.
func assigned(requests []request, rng *rand.Rand) []request {
	z := rand.NewZipf(rng, 1.2, 2, agents-1)
	out := slices.Clone(requests)
	for i := range out {
		n := z.Uint64()
		out[i].agent, out[i].team = fmt.Sprintf("agent-%02d", n), fmt.Sprintf("team-%d", n%teams)
	}
	return out
}

// resampled puts minutes of the trace together to days, in which there is least at night.
func resampled(requests []request, days int, rng *rand.Rand) (out []request) {
	minutes := [][]request{}
	from := requests[0].at
	for _, r := range assigned(requests, rng) {
		n := int((r.at - from) / ledger.Minute)
		for len(minutes) <= n {
			minutes = append(minutes, nil)
		}
		r.at = (r.at - from) % ledger.Minute
		minutes[n] = append(minutes[n], r)
	}
	const block = 5 // minutes in a row, as what is near in time is alike
	for m := 0; m < days*24*60; m += block {
		begin := rng.IntN(max(len(minutes)-block, 1))
		// Two thirds of the traffic at noon are gone at midnight.
		share := (2 - math.Cos(2*math.Pi*float64(m%1440)/1440)) / 3
		for i := range block {
			for _, r := range minutes[begin+i] {
				if rng.Float64() < share {
					r.at += from + ledger.Instant(m+i)*ledger.Minute
					out = append(out, r)
				}
			}
		}
	}
	return out
}

// loop is an agent that asks again and again, each time with more behind it.
type loop struct {
	agent string
	from  ledger.Instant
	every ledger.Instant
}

const (
	loopFirst, loopMore, loopMost = 4000, 400, 60_000 // input tokens
	loopOutput                    = 150
	loopLasts                     = 10 * ledger.Minute
)

func (l *loop) calls() (list []request) {
	team := ""
	if n, err := strconv.Atoi(strings.TrimPrefix(l.agent, "agent-")); err == nil {
		team = fmt.Sprintf("team-%d", n%teams)
	}
	for i := ledger.Instant(0); i*l.every < loopLasts; i++ {
		list = append(list, request{at: l.from + i*l.every, input: min(loopFirst+loopMore*int64(i), loopMost), output: loopOutput, agent: l.agent, team: team})
	}
	return list
}

func (l *loop) into(requests []request) []request {
	out := append(slices.Clone(requests), l.calls()...)
	slices.SortStableFunc(out, func(a, b request) int { return int(min(max(a.at-b.at, -1), 1)) })
	return out
}

// cost is what the loop had spent by then.
func (l *loop) cost(until ledger.Instant) (sum ledger.Amount) {
	for _, r := range l.calls() {
		if r.at < until {
			sum += r.cost()
		}
	}
	return sum
}

// times is what the loop spends in its first minute, against what its agent spends in one.
func (l *loop) times(requests []request) float64 {
	var own ledger.Amount
	for _, r := range requests {
		if r.agent == l.agent {
			own += r.cost()
		}
	}
	span := requests[len(requests)-1].at - requests[0].at
	return float64(l.cost(l.from+ledger.Minute)) / (float64(own) * float64(ledger.Minute) / float64(span))
}
