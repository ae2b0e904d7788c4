package gossip

import (
	"context"
	"log"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	// maxWarnings bounds the warnings that the library's messages make in a minute:
	// strangers can provoke one with each packet.
	maxWarnings = 20
	// maxMessage cuts a message, in bytes; some print what they received.
	maxMessage = 300
)

// newLogger returns a logger of the library's kind that writes to l.
func newLogger(l *slog.Logger) *log.Logger { return log.New(&lines{log: l}, "", 0) }

// lines takes the library's messages, one a call, with their level in brackets.
type lines struct {
	log     *slog.Logger
	mu      sync.Mutex
	minute  time.Time
	written int
	dropped int
}

// Write implements io.Writer. It never fails.
func (l *lines) Write(b []byte) (int, error) {
	level, text := split(strings.TrimSpace(string(b)))
	if level >= slog.LevelWarn && !l.may(time.Now()) {
		return len(b), nil
	}
	l.log.Log(context.Background(), level, text, "part", "gossip")
	return len(b), nil
}

// may reports whether one more warning fits into this minute.
func (l *lines) may(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.minute) >= time.Minute {
		if l.dropped > 0 {
			l.log.Warn("messages about gossip were left out", "part", "gossip", "messages", l.dropped)
		}
		l.minute, l.written, l.dropped = now, 0, 0
	}
	if l.written == maxWarnings {
		l.dropped++
		return false
	}
	l.written++
	return true
}

// split returns the level and the text of a message. Nothing of gossip is an error
// of the node's: it is a warning at most.
func split(line string) (slog.Level, string) {
	level := slog.LevelDebug
	if tag, rest, ok := strings.Cut(line, "] "); ok && strings.HasPrefix(tag, "[") {
		switch line = rest; tag[1:] {
		case "ERR", "ERROR", "WARN":
			level = slog.LevelWarn
		case "INFO":
			level = slog.LevelInfo
		}
	}
	line = strings.TrimPrefix(line, "memberlist: ")
	if len(line) > maxMessage {
		line = strings.ToValidUTF8(line[:maxMessage], "") + "…"
	}
	return level, line
}

// pace lets something through at most once in a while.
type pace struct {
	mu   sync.Mutex
	last time.Time
}

const logEvery = time.Minute

func (p *pace) may(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.last.IsZero() && now.Sub(p.last) < logEvery {
		return false
	}
	p.last = now
	return true
}
