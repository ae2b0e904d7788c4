// Command prices makes the catalogue that is compiled into the program, from
// the npm package @pydantic/genai-prices and an overlay written by hand.
//
//	npm pack @pydantic/genai-prices@VERSION
//	go run ./tools/prices -in FILE.tgz -overlay tools/prices/overlay.yaml -out proxy/price/catalogue.json
//
// It fetches nothing. Equal inputs give equal bytes. What it leaves out, and
// what it rounds, it says on standard output, so that a refresh can be reviewed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"purser/proxy/price"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "prices:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("prices", flag.ContinueOnError)
	in := flags.String("in", "", "the package, as npm pack leaves it")
	overlay := flags.String("overlay", "", "the overlay, YAML")
	out := flags.String("out", "", "the catalogue to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *in == "" || *overlay == "" || *out == "" {
		return errors.New("-in, -overlay and -out are needed")
	}
	pkg, err := openPackage(*in)
	if err != nil {
		return fmt.Errorf("reading %s: %w", *in, err)
	}
	over, err := os.ReadFile(*overlay)
	if err != nil {
		return err
	}
	encoded, rep, err := generate(pkg, over)
	if err != nil {
		return err
	}
	if err := os.WriteFile(*out, encoded, 0o644); err != nil {
		return err
	}
	return rep.print(stdout)
}

// generate makes the catalogue's bytes, and reads them back as the program will.
func generate(pkg *sourcePackage, overlay []byte) ([]byte, *report, error) {
	rep := &report{}
	snap, err := convert(pkg, rep)
	if err != nil {
		return nil, nil, fmt.Errorf("converting: %w", err)
	}
	if err := applyOverlay(snap, overlay, rep); err != nil {
		return nil, nil, fmt.Errorf("applying the overlay: %w", err)
	}
	rep.shadows(snap)
	encoded := snap.Encode()
	cat, err := price.Parse(encoded)
	if err != nil {
		return nil, nil, fmt.Errorf("checking the result: %w", err)
	}
	rep.reappears(cat)
	rep.total(snap, len(encoded), cat.Hash())
	return encoded, rep, nil
}
