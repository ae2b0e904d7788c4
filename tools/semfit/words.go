package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/bits"
	"os"
	"slices"
	"strings"
)

// wordCount is how many of the most frequent words the table has; 2^13.55.
const wordCount = 12_000

// runWords writes the table of word frequencies from a WordPiece vocabulary, whose
// order is roughly that of frequency: words of two letters or more, in order of the
// alphabet, each with a letter for the power of two of its rank.
func runWords(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("words", flag.ContinueOnError)
	vocab := flags.String("vocab", "", "the vocabulary, one piece a line, as all-MiniLM-L6-v2 has it (vocab.txt)")
	out := flags.String("out", "semcache/decide/words.txt", "the table to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *vocab == "" {
		return errors.New("-vocab is needed")
	}
	f, err := os.Open(*vocab)
	if err != nil {
		return err
	}
	defer f.Close()
	var lines []string
	s := bufio.NewScanner(f)
	for s.Scan() && len(lines) < wordCount {
		w := s.Text()
		if len(w) < 2 || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") != "" {
			continue
		}
		rank := len(lines) + 1
		lines = append(lines, fmt.Sprintf("%s %c\n", w, 'a'+bits.Len(uint(rank))-1))
	}
	if err := s.Err(); err != nil {
		return err
	}
	slices.Sort(lines)
	fmt.Fprintf(stdout, "%d words\n", len(lines))
	return os.WriteFile(*out, []byte(strings.Join(lines, "")), 0o644)
}
