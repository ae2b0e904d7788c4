package nemesis

import (
	"fmt"
	"strings"
)

// Markdown is the table of all faults, as jepsen-style-tests/README.md has it.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| class | fault | what is done | needs |\n|---|---|---|---|\n")
	for _, f := range Table() {
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", f.Class, f.Name, f.What, f.Needs)
	}
	return b.String()
}

// String names what is needed, with commas between.
func (n Needs) String() string {
	var list []string
	for _, of := range []struct {
		needed bool
		name   string
	}{{n.Packets, "packets"}, {n.Disks, "disks"}, {n.Clocks, "clocks"}, {n.Tiny, "snapshots"}, {n.Older, "older build"}} {
		if of.needed {
			list = append(list, of.name)
		}
	}
	return strings.Join(list, ", ")
}
