package export

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"purser/internal/audit"
	"purser/ledger"
)

// cefText bounds a custom text of CEF, in bytes; the format allows 4000 characters.
const cefText = 4000

// severities of CEF, 0 to 10, by result.
var severities = map[audit.Result]string{audit.Applied: "3", audit.Noted: "3", audit.Denied: "5", audit.Late: "6"}

// AppendCEF appends an entry in the Common Event Format, version 0, with a line feed:
//
//	CEF:0|Purser|purser|<version of the build>|<action>|<action> <target>|<severity>|<extension>
//
// The extension has externalId (the entry's number), rt and start (milliseconds), cnt,
// outcome, dvchost (the node), suser (the actor), src or, for a network, cs6 (the
// address), act, cs1 (target), cs2 (before), cs3 (after), cs4 (hash), cs5 (prev). Texts
// of more than 4000 bytes are cut: CEF tells, JSON lines prove.
func AppendCEF(b []byte, l audit.Link, version string) ([]byte, error) {
	e, err := l.Entry()
	if err != nil {
		return b, err
	}
	b = append(b, "CEF:0|Purser|purser|"...)
	for _, field := range []string{version, e.Action, strings.TrimSpace(e.Action + " " + e.Target)} {
		b = append(append(b, inHeader.Replace(field)...), '|')
	}
	b = append(append(b, severities[e.Result]...), '|')
	x := extension{b}
	x.add("externalId", strconv.FormatUint(e.Seq, 10))
	x.add("rt", millis(e.At))
	if e.First != 0 {
		x.add("start", millis(e.First))
	}
	x.add("cnt", strconv.FormatUint(e.Count, 10))
	x.add("outcome", e.Result.String())
	x.add("dvchost", string(e.Node))
	x.add("suser", e.Actor)
	x.add("act", e.Action)
	if _, err := netip.ParseAddr(e.Address); err == nil {
		x.add("src", e.Address)
	} else {
		x.labelled("cs6", "address", e.Address)
	}
	x.labelled("cs1", "target", e.Target)
	x.labelled("cs2", "before", string(e.Before))
	x.labelled("cs3", "after", string(e.After))
	x.labelled("cs4", "hash", hex.EncodeToString(l.Hash[:]))
	x.labelled("cs5", "prev", hex.EncodeToString(l.Prev[:]))
	return append(x.b[:len(x.b)-1], '\n'), nil
}

func millis(i ledger.Instant) string {
	return strconv.FormatInt(time.Unix(0, int64(i)).UnixMilli(), 10)
}

// Escapes of CEF: a bar ends a field of the header, an equals sign a name of the
// extension, and a line feed the record.
var (
	inHeader    = strings.NewReplacer(`\`, `\\`, `|`, `\|`, "\r", " ", "\n", " ")
	inExtension = strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\r", `\r`, "\n", `\n`)
)

type extension struct{ b []byte }

// add adds a value, which has at least one byte. A space follows it.
func (x *extension) add(name, value string) {
	if value == "" {
		return
	}
	x.b = append(append(x.b, name...), '=')
	x.b = append(append(x.b, inExtension.Replace(value)...), ' ')
}

func (x *extension) labelled(name, label, value string) {
	if value == "" {
		return
	}
	if len(value) > cefText {
		value = strings.ToValidUTF8(value[:cefText], "") + "…"
	}
	x.add(name+"Label", label)
	x.add(name, value)
}
