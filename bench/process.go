package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"strconv"
	"time"
)

// clockTick is the unit of the times in /proc/PID/stat: USER_HZ, which Linux
// fixes at 100 a second for every architecture this runs on.
const clockTick = 10 * time.Millisecond

// cpuTime is the user and system time a process has used (proc(5), fields 14 and 15).
func cpuTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(b)
}

func parseStat(stat []byte) (time.Duration, error) {
	// The second field is the command in parentheses, which may hold spaces.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const utime, stime = 14 - 3, 15 - 3
	if len(fields) <= stime {
		return 0, fmt.Errorf("the process's stat is %q", stat)
	}
	u, err := strconv.ParseInt(string(fields[utime]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the process's user time: %w", err)
	}
	s, err := strconv.ParseInt(string(fields[stime]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the process's system time: %w", err)
	}
	return time.Duration(u+s) * clockTick, nil
}

// residentBytes is the memory a process holds (VmRSS).
func residentBytes(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	kib, err := numberAfter(b, "VmRSS:")
	return int64(kib) << 10, err
}

// numberAfter finds the line that begins with name and reads the number after it.
func numberAfter(text []byte, name string) (float64, error) {
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			if f := bytes.Fields(rest); len(f) > 0 {
				return strconv.ParseFloat(string(f[0]), 64)
			}
		}
	}
	return 0, fmt.Errorf("there is no line %q", name)
}

// mallocs is how many objects a process has allocated since it began; NaN for
// one that does not say.
func (r *rig) mallocs(ctx context.Context, p *process) (float64, error) {
	switch p {
	case r.node, r.governed:
		b, err := get(ctx, p.url+"/metrics")
		if err != nil {
			return 0, err
		}
		return numberAfter(b, "go_memstats_mallocs_total ")
	case r.proxy:
		b, err := get(ctx, p.url+mallocsPath)
		if err != nil {
			return 0, err
		}
		return strconv.ParseFloat(string(b), 64)
	default:
		return math.NaN(), nil
	}
}
