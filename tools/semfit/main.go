// Command semfit makes what the semantic decision has of numbers.
//
//	go run ./tools/semfit words -vocab vocab.txt
//	go run ./tools/semfit model -pairs FILE.tsv.gz
//
// words makes semcache/decide/words.txt; model fits the parameters of the embedded
// table, semcache/decide/static.params, with labelled pairs (label TAB text TAB text).
// Neither fetches anything, and what they write holds no text of the pairs. Equal
// inputs give equal bytes.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "semfit:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "words":
			return runWords(args[1:], stdout)
		case "model":
			return runModel(args[1:], stdout)
		}
	}
	return errors.New("words or model: which of the two")
}
