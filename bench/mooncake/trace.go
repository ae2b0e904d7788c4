package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// blockTokens is the size of the trace's blocks.
const blockTokens = 512

// entry is one request of the trace.
type entry struct {
	Timestamp int64   `json:"timestamp"` // milliseconds
	Input     int64   `json:"input_length"`
	Output    int64   `json:"output_length"`
	Blocks    []int64 `json:"hash_ids"`
}

// readTrace reads a trace, and keeps one of every sample conversations: those that have
// more than their first block in common stay together.
func readTrace(path string, sample int64) (list []entry, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the trace: %w", err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("reading the trace: %w", err)
		}
		r = z
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("line %d of the trace: %w", len(list)+1, err)
		}
		if len(e.Blocks) == 0 || e.Input <= 0 {
			return nil, fmt.Errorf("line %d of the trace has no prompt", len(list)+1)
		}
		if of := e.Blocks[min(1, len(e.Blocks)-1)]; mixed(uint64(of))%uint64(sample) == 0 {
			list = append(list, e)
		}
	}
	return list, lines.Err()
}

// piece is a text of so many tokens; of the same seed, a shorter one begins a longer.
type piece struct {
	seed   uint64
	tokens int64
}

// message is what one of the two says.
type message struct {
	model  bool // the model says it
	pieces []piece
}

func (m *message) tokens() (n int64) {
	for _, p := range m.pieces {
		n += p.tokens
	}
	return n
}

// prompt is one request: a system text, and messages in turns, the last the caller's.
type prompt struct {
	entry
	system   piece
	messages []message
}

// convert puts messages together again.
func convert(list []entry) []prompt {
	prompts := make([]prompt, len(list))
	ends := map[int64]int{} // the newest prompt by its last whole block
	seen := map[int64]int{} // the newest prompt with a block
	for i, e := range list {
		p := prompt{entry: e, system: piece{mixed(uint64(e.Blocks[0])), min(blockTokens, e.Input/2)}}
		whole := int(e.Input / blockTokens)
		left := e.Input - p.system.tokens
		from, shared := -1, 0
		for n := whole; n > 1; n-- {
			if j, ok := ends[e.Blocks[n-1]]; ok && prompts[j].Input < e.Input {
				from, shared = j, n
				break
			}
			if j, ok := seen[e.Blocks[n-1]]; ok {
				from, shared = j, n
				break
			}
		}
		if from >= 0 {
			left -= p.follow(&prompts[from], int64(shared)*blockTokens, left)
		}
		p.say(uint64(i), left)
		prompts[i] = p
		if whole > 0 {
			ends[e.Blocks[whole-1]] = i
		}
		for _, b := range e.Blocks[:whole] {
			seen[b] = i
		}
	}
	return prompts
}

// follow takes over what the prompt shares with an earlier one, and says how many tokens
// that is. at most of them may be taken but for the last.
func (p *prompt) follow(of *prompt, shared, most int64) (taken int64) {
	p.system = of.system
	if shared == of.Input/blockTokens*blockTokens && of.Input < p.Input {
		shared = of.Input // it goes on: its messages are there whole
	}
	room := min(shared-of.system.tokens, most-1)
	for _, m := range of.messages {
		if room <= 0 {
			break
		}
		next := message{model: m.model}
		for _, part := range m.pieces {
			if part.tokens = min(part.tokens, room); part.tokens > 0 {
				next.pieces = append(next.pieces, part)
				room -= part.tokens
				taken += part.tokens
			}
		}
		p.messages = append(p.messages, next)
	}
	if answer := min(of.Output, most-taken-1); shared == of.Input && answer > 0 {
		p.messages = append(p.messages, message{model: true, pieces: []piece{{mixed(uint64(of.Timestamp)<<32 ^ uint64(of.Blocks[len(of.Blocks)-1])), answer}}})
		taken += answer
	}
	return taken
}

// say ends the prompt with a text of the caller's.
func (p *prompt) say(serial uint64, tokens int64) {
	own := piece{mixed(serial + 1<<40), max(tokens, 1)}
	if n := len(p.messages); n > 0 && !p.messages[n-1].model {
		p.messages[n-1].pieces = append(p.messages[n-1].pieces, own)
		return
	}
	p.messages = append(p.messages, message{pieces: []piece{own}})
}

// mixed spreads the bits of n (SplitMix64).
func mixed(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// appendText appends the text of a piece: four letters to a token.
func appendText(dst []byte, p piece) []byte {
	state := p.seed
	var word uint64
	for i := range p.tokens {
		if i%2 == 0 {
			word = mixed(state)
			state++
		}
		for range 4 {
			dst = append(dst, 'a'+byte(word&0xff)%26)
			word >>= 8
		}
	}
	return dst
}

// appendMessages appends the messages as both dialects have them. With mark, the last
// has a mark for Anthropic's cache.
func (p *prompt) appendMessages(dst []byte, mark bool) []byte {
	for i, m := range p.messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		role := "user"
		if m.model {
			role = "assistant"
		}
		dst = append(append(dst, `{"role":"`...), role...)
		last := mark && i == len(p.messages)-1
		if dst = append(dst, `","content":`...); last {
			dst = append(dst, `[{"type":"text","text":`...)
		}
		dst = append(dst, '"')
		for _, part := range m.pieces {
			dst = appendText(dst, part)
		}
		if dst = append(dst, '"'); last {
			dst = append(dst, `,"cache_control":{"type":"ephemeral"}}]`...)
		}
		dst = append(dst, '}')
	}
	return dst
}

// appendAnthropic and appendOpenAI append the request in a dialect.
func (p *prompt) appendAnthropic(dst []byte, mark bool) []byte {
	dst = append(dst, `{"model":"`+claude+`","max_tokens":16,"system":"`...)
	dst = appendText(dst, p.system)
	dst = append(dst, `","messages":[`...)
	return append(p.appendMessages(dst, mark), "]}"...)
}

func (p *prompt) appendOpenAI(dst []byte, _ bool) []byte {
	dst = append(dst, `{"model":"`+gpt+`","max_completion_tokens":16,"messages":[{"role":"system","content":"`...)
	dst = appendText(dst, p.system)
	dst = append(dst, `"},`...)
	return append(p.appendMessages(dst, false), "]}"...)
}
