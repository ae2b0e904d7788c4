package redaction

import (
	"fmt"
	"os"
	"testing"

	"purser/proxy/redaction/labelled"
)

func TestScratch(t *testing.T) {
	set, err := Compile([]Spec{{ID: "all"}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	sc := set.Plan(nil, Input).NewScanner()
	fn, fp := map[string][]string{}, map[string][]string{}
	for _, x := range labelled.Generate(1, 4000) {
		found, _ := sc.Scan([]byte(x.Text))
		for _, l := range x.Spans {
			ok := false
			for _, f := range found {
				ok = ok || f.Entity == l.Entity && f.Start <= l.Start && f.End >= l.End
			}
			if !ok {
				k := l.Entity + l.Rule
				fn[k] = append(fn[k], fmt.Sprintf("%q %v", x.Text[max(0, l.Start-20):min(len(x.Text), l.End+8)], over(found, l, x.Text)))
			}
		}
		for _, f := range found {
			ok := false
			for _, l := range x.Spans {
				ok = ok || f.Entity == l.Entity && f.Start < l.End && f.End > l.Start
			}
			if !ok {
				fp[f.Entity+f.Rule] = append(fp[f.Entity+f.Rule], fmt.Sprintf("%q", x.Text[max(0, f.Start-20):min(len(x.Text), f.End+8)]))
			}
		}
	}
	for n, m := range []map[string][]string{fn, fp} {
		fmt.Fprintln(os.Stderr, []string{"=== FN", "=== FP"}[n])
		for k, v := range m {
			fmt.Fprintln(os.Stderr, k, len(v), v[:min(3, len(v))])
		}
	}
}
func over(found []Finding, l labelled.Span, x string) (out []string) {
	for _, f := range found {
		if f.Start < l.End && f.End > l.Start {
			out = append(out, f.Name()+":"+x[f.Start:f.End])
		}
	}
	return
}
