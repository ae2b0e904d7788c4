package workload

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"purser/api/admin"
)

// recorded is one request of a trace: when it came after the first, and how large it was.
type recorded struct {
	at             time.Duration
	prompt, output int // tokens
}

// maxRecorded bounds what is read of a trace.
const maxRecorded = 100_000

// replay asks as recorded traffic did: at the same distances in time and with prompts and
// answers of the same sizes, as far as the bounds below let it. The file has a header of
// CSV and rows of a time, prompt tokens and generated tokens (AzurePublicDataset), or lines
// of JSON with timestamp, in milliseconds, input_length and output_length (Mooncake);
// perhaps with gzip. Without a file there is no such workload.
func (t *Town) replay() (*trade, error) {
	list, err := readTrace(t.o.Trace)
	if err != nil {
		return nil, err
	}
	return &trade{
		name: "replay", keys: []admin.NewKey{teamKey("replay")}, budgets: []budget{usd("replay", plenty, "total", ofTeam("replay"))},
		staff: func(ctx context.Context) { t.playback(ctx, list) },
	}, nil
}

const (
	replayers    = 16   // requests under way; what comes beyond waits
	largestReply = 2000 // tokens
	largestInput = 8000 // tokens
	wordTokens   = 2    // of a word of a question and its space, about, for a provider that counts four bytes as one
)

func (t *Town) playback(ctx context.Context, list []recorded) {
	begun := time.Now()
	turns := make(chan struct{}, replayers)
	var all sync.WaitGroup
	defer all.Wait()
	for i, r := range list {
		if !pause(ctx, time.Until(begun.Add(r.at))) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case turns <- struct{}{}:
		}
		all.Go(func() {
			defer func() { <-turns }()
			q := Question{ID: fmt.Sprintf("replay-%d", i), Cap: max(1, min(r.output, largestReply))}
			q.Text = q.ID + strings.Repeat(" harbour", min(r.prompt, largestInput)/wordTokens)
			t.Ask(ctx, Call{ID: q.ID, Workload: "replay", Node: t.Cluster.Nodes[i%len(t.Cluster.Nodes)], Key: "replay", Budgets: []string{"replay"},
				Mode: fmt.Sprintf("tokens=%d", q.Cap), Body: q.Chat()})
		})
	}
}

func readTrace(name string) ([]recorded, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening the recorded traffic: %w", err)
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("recorded traffic %s: %w", name, err)
		}
	}
	list, err := parseTrace(in)
	if err != nil {
		return nil, fmt.Errorf("recorded traffic %s: %w", name, err)
	}
	return list, nil
}

// parseTrace reads a trace in either form.
func parseTrace(in io.Reader) ([]recorded, error) {
	r := bufio.NewReader(in)
	first, err := r.Peek(1)
	if err != nil {
		return nil, fmt.Errorf("it is empty: %w", err)
	}
	if first[0] == '{' {
		return parseLines(r)
	}
	return parseRows(r)
}

func parseLines(r io.Reader) (list []recorded, err error) {
	start := int64(0)
	for d := json.NewDecoder(r); len(list) < maxRecorded; {
		var row struct {
			Timestamp int64 `json:"timestamp"`
			Input     int   `json:"input_length"`
			Output    int   `json:"output_length"`
		}
		switch err := d.Decode(&row); {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", len(list)+1, err)
		}
		if len(list) == 0 {
			start = row.Timestamp
		}
		list = append(list, recorded{time.Duration(row.Timestamp-start) * time.Millisecond, row.Input, row.Output})
	}
	return list, nil
}

func parseRows(r io.Reader) (list []recorded, err error) {
	const columns = 3
	rows := csv.NewReader(r)
	rows.FieldsPerRecord = columns
	if _, err := rows.Read(); err != nil {
		return nil, fmt.Errorf("the header: %w", err)
	}
	var start time.Time
	for len(list) < maxRecorded {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		at, err := time.Parse("2006-01-02 15:04:05", row[0])
		prompt, err2 := strconv.Atoi(row[1])
		output, err3 := strconv.Atoi(row[2])
		if err := errors.Join(err, err2, err3); err != nil {
			return nil, fmt.Errorf("row %d: %w", len(list)+1, err)
		}
		if len(list) == 0 {
			start = at
		}
		list = append(list, recorded{at.Sub(start), prompt, output})
	}
	return list, nil
}
