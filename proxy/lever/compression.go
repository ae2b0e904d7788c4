package lever

// Levels of compression, each with what the ones before it do.
const (
	CompressionOff          = "off"
	CompressionLossless     = "lossless"
	CompressionNearLossless = "near_lossless"
	CompressionAggressive   = "aggressive"
)

// CompressionSpec is the settings of the compression of prompts.
type CompressionSpec struct {
	// Level is off, the default, lossless, near_lossless or aggressive.
	Level string `json:"level,omitempty"`
	// MinTokens is the shortest prompt that is looked at; default 512, 0 to 1000000.
	MinTokens *int64 `json:"min_tokens,omitempty"`
}

// Compression is a CompressionSpec, read.
type Compression struct {
	Level     string
	MinTokens int64
}

func (s *CompressionSpec) read() (*Compression, error) {
	var r reader
	out := &Compression{
		Level:     r.oneOf("level", s.Level, CompressionOff, CompressionLossless, CompressionNearLossless, CompressionAggressive),
		MinTokens: number(&r, "min_tokens", s.MinTokens, 512, 0, 1_000_000),
	}
	return out, r.err()
}
