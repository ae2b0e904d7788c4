// Command judge judges runs that were kept once more, by their histories:
//
//	go run ./jepsen-style-tests/outside/judge _fail/outside-42
//
// It exits with 1 if a run is not good.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/logs"
	"purser/jepsen-style-tests/outside/report"
	"purser/jepsen-style-tests/outside/verdict"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: judge DIR...: directories of runs, with history.jsonl and end.json")
		os.Exit(2)
	}
	code := 0
	for _, dir := range os.Args[1:] {
		good, err := judge(dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, "judge:", err)
		}
		if !good {
			code = 1
		}
	}
	os.Exit(code)
}

// judge judges a run and writes its report anew.
func judge(dir string) (good bool, err error) {
	file, err := os.Open(filepath.Join(dir, "history.jsonl"))
	if err != nil {
		return false, fmt.Errorf("opening the history: %w", err)
	}
	h, err := history.Read(file)
	if e := file.Close(); err == nil {
		err = e
	}
	if err != nil {
		return false, err
	}
	h.SortRequests()
	end, err := history.ReadEnd(filepath.Join(dir, report.EndFile))
	if err != nil {
		return false, err
	}
	for place, disk := range end.Disks { // they are kept beside the history
		end.Disks[place] = filepath.Join(dir, place, filepath.Base(disk))
	}
	end.Replay = history.Replay{}
	findings := append(verdict.Judge(h, end), logs.Judge(h, end)...)
	s, err := report.Write(dir, h, end, findings)
	if err != nil {
		return false, err
	}
	fmt.Print(s.Text())
	for _, why := range end.Replay.Skipped {
		fmt.Printf("log not read: %s\n", why)
	}
	for _, f := range findings {
		fmt.Printf("%s: %s\n", f.Checker, f.What)
	}
	return s.Verdict == "good", nil
}
