package lever

import (
	"errors"
	"fmt"

	"purser/proxy/compress"
)

// CompressionSpec is the settings of the compression of prompts. What passes do is in
// docs/compression.md.
type CompressionSpec struct {
	// Level is off, the default, lossless, near_lossless or aggressive.
	Level string `json:"level,omitempty"`
	// MinTokens is the shortest prompt that is compressed; default 512, 0 to 1000000.
	MinTokens *int64 `json:"min_tokens,omitempty"`
	// Only, if it is there, and Skip name passes: those of the level that run.
	Only []string `json:"only,omitempty"`
	Skip []string `json:"skip,omitempty"`
	// KeepTurns is how many of the model's newest answers keep the results of their
	// calls, and how many of the newest exchanges are never left out; default 8, 1 to
	// 10000. StepTurns is in which steps that moves; default 8, 1 to 10000.
	KeepTurns *int `json:"keep_turns,omitempty"`
	StepTurns *int `json:"step_turns,omitempty"`
	// ToolResultBytes is the longest text of a tool result, aggressive; default 16384,
	// 1024 to 16777216.
	ToolResultBytes *int `json:"tool_result_bytes,omitempty"`
	// ExactTools are globs of the tools whose results keep their spelling; default those
	// that read files, by their names.
	ExactTools []string `json:"exact_tools,omitempty"`
	// Hook is a compressor outside, as the configuration of nodes names it, that tool
	// results are given to; "" for none. It belongs to the level aggressive.
	Hook string `json:"hook,omitempty"`
	// HookRatio is how much of a text the hook is to keep; default 0.5, 0.05 to 0.95.
	HookRatio *float64 `json:"hook_ratio,omitempty"`
}

// Compression is a CompressionSpec, read.
type Compression struct {
	compress.Settings
	MinTokens int64
	Hook      string
	HookRatio float64
}

// maxHookName is the length of a hook's name, in bytes.
const maxHookName = 64

func (s *CompressionSpec) read() (*Compression, error) {
	var r reader
	out := &Compression{
		MinTokens: number(&r, "min_tokens", s.MinTokens, 512, 0, 1_000_000),
		Hook:      s.Hook,
		HookRatio: number(&r, "hook_ratio", s.HookRatio, 0.5, 0.05, 0.95),
	}
	out.KeepTurns = number(&r, "keep_turns", s.KeepTurns, compress.DefaultKeepTurns, 1, 10_000)
	out.StepTurns = number(&r, "step_turns", s.StepTurns, compress.DefaultStepTurns, 1, 10_000)
	out.ResultBytes = number(&r, "tool_result_bytes", s.ToolResultBytes, compress.DefaultResultBytes, 1<<10, 16<<20)
	out.Exact = s.ExactTools
	r.short("hook", s.Hook, maxHookName)
	var err error
	out.Level, err = compress.ParseLevel(s.Level)
	errs := errors.Join(r.err(), err)
	for _, list := range []struct {
		field string
		names []string
		into  *[]compress.Pass
	}{{"only", s.Only, &out.Only}, {"skip", s.Skip, &out.Skip}} {
		for _, name := range list.names {
			p, err := compress.ParsePass(name)
			if err != nil {
				errs = errors.Join(errs, fmt.Errorf("%s: %w", list.field, err))
			}
			*list.into = append(*list.into, p)
		}
	}
	if s.Hook != "" && out.Level != compress.Aggressive {
		errs = errors.Join(errs, errors.New("hook: a model's summary of a text belongs to the level aggressive"))
	}
	return out, errors.Join(errs, out.Validate())
}
