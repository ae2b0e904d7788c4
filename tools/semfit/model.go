package main

import (
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"purser/semcache/decide"
	"purser/semcache/embed"
	"purser/semcache/labelled"
)

// folds is how many parts the classes are split into: what is learned from a part is
// never asked about it until the calibration is done.
const folds = 4

// hardWeight is how much more a pair counts whose texts look alike (4-gram Jaccard
// of 0.6 or more): those are the ones that a cache has to tell apart.
const (
	hardWeight = 2
	hardGrams  = 0.6
)

// sample is a labelled pair that no guard vetoed.
type sample struct {
	a, b     *decide.View
	features decide.Features
	same     float64
	weight   float64
	fold     int
}

// fold is the part of a class, by a hash of its number.
func fold(class int) int { return int(uint32(class) * 2654435761 >> 16 % folds) }

func runModel(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("model", flag.ContinueOnError)
	files := flags.String("pairs", "", "labelled pairs (label TAB text TAB text), with commas between files; .gz is unpacked")
	out := flags.String("out", "semcache/decide/static.params", "the parameters to write")
	queries := flags.Int("queries", 40000, "how many lookups the calibration is made with")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *files == "" {
		return errors.New("-pairs is needed")
	}
	var pairs []labelled.Pair
	for name := range strings.SplitSeq(*files, ",") {
		p, err := readPairs(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		pairs = append(pairs, p...)
	}
	table, err := embed.NewStatic()
	if err != nil {
		return err
	}
	f := &fitting{stdout: stdout, table: table, classes: labelled.NewClasses(pairs)}
	if err := f.prepare(pairs); err != nil {
		return err
	}
	p := f.fit(*queries)
	raw := p.Append(nil)
	fmt.Fprintf(stdout, "%s: %d bytes\n", *out, len(raw))
	return os.WriteFile(*out, raw, 0o644)
}

func readPairs(name string) ([]labelled.Pair, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var r io.Reader = file
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(file); err != nil {
			return nil, err
		}
	}
	return labelled.Read(r, "qqp")
}

type fitting struct {
	stdout  io.Writer
	table   *embed.Static
	classes *labelled.Classes
	views   []*decide.View // of each text of classes
	samples []sample
}

func (f *fitting) vectors(dst []float32, word string) bool {
	return f.table.Embed(context.Background(), dst, word) == nil
}

func (f *fitting) prepare(pairs []labelled.Pair) error {
	for _, text := range f.classes.Texts {
		f.views = append(f.views, decide.NewView(decide.Prepare(text), f.table.Dim(), f.vectors))
	}
	vetoed := [2]int{}
	for _, p := range pairs {
		i, _ := f.classes.ID(p.A)
		j, _ := f.classes.ID(p.B)
		s := sample{a: f.views[i], b: f.views[j], weight: 1, fold: fold(f.classes.Class(i))}
		if p.Same {
			s.same = 1
		}
		v := decide.Examine(s.a.Text, s.b.Text)
		if v.Vetoed() {
			vetoed[int(s.same)]++
			continue
		}
		if s.a.Sentence() == nil || s.b.Sentence() == nil {
			continue
		}
		s.features = decide.Measure(s.a, s.b, &v, float64(embed.Cosine(s.a.Sentence(), s.b.Sentence())))
		if decide.GramJaccard(s.a.Text, s.b.Text) >= hardGrams {
			s.weight = hardWeight
		}
		f.samples = append(f.samples, s)
	}
	fmt.Fprintf(f.stdout, "%d pairs; vetoed: %d of another meaning, %d of the same; %d to fit\n", len(pairs), vetoed[0], vetoed[1], len(f.samples))
	if len(f.samples) < 1000 {
		return errors.New("too few pairs to fit")
	}
	return nil
}

// fit makes one network and one ensemble of all samples, and the calibration with
// those that were made without the part that they are asked about.
func (f *fitting) fit(queries int) *decide.Params {
	dim := f.table.Dim()
	var nets [folds]decide.Net
	for k := range folds {
		nets[k] = f.net(func(s *sample) bool { return s.fold != k })
		for i := range f.samples {
			if s := &f.samples[i]; s.fold == k {
				s.features[decide.LearnedFeature] = nets[k].Score(s.a, s.b)
			}
		}
	}
	p := &decide.Params{Embedder: f.table.ID(), Features: decide.FeaturesVersion, Dim: dim}
	var parts [folds]decide.Params
	for k := range folds {
		parts[k] = *p
		parts[k].Net = nets[k]
		parts[k].Bias, parts[k].Trees = f.trees(func(s *sample) bool { return s.fold != k })
		parts[k].Calibration = identity
	}
	f.report(parts)
	p.Net = f.net(func(*sample) bool { return true })
	p.Bias, p.Trees = f.trees(func(*sample) bool { return true })
	p.Calibration = f.calibrate(parts, queries)
	return p
}

// identity leaves the ensemble's sum as it is.
var identity = decide.Calibration{Slope: 1}

func (f *fitting) net(use func(*sample) bool) decide.Net {
	var pairs []pairOf
	var y []float64
	for i := range f.samples {
		if s := &f.samples[i]; use(s) {
			pairs = append(pairs, pairOf{s.a.Sentence(), s.b.Sentence()})
			y = append(y, s.same)
		}
	}
	return fitNet(pairs, y, f.table.Dim())
}

func (f *fitting) trees(use func(*sample) bool) (float64, []decide.Tree) {
	var x []decide.Features
	var y, w []float64
	for i := range f.samples {
		if s := &f.samples[i]; use(s) {
			x, y, w = append(x, s.features), append(y, s.same), append(w, s.weight)
		}
	}
	return ensemble.fit(x, y, w)
}

// report says how well each part was predicted by what was fitted without it.
func (f *fitting) report(parts [folds]decide.Params) {
	loss := 0.0
	for i := range f.samples {
		s := &f.samples[i]
		z := sumOf(&parts[s.fold], &s.features)
		loss += math.Log1p(math.Exp(-z*(2*s.same-1))) / float64(len(f.samples))
	}
	fmt.Fprintf(f.stdout, "log loss on parts not fitted on: %.4f\n", loss)
}

func sumOf(p *decide.Params, x *decide.Features) float64 {
	m, err := decide.NewModel(p, nil)
	if err != nil {
		panic(err) // it was made here
	}
	return m.Sum(x)
}
