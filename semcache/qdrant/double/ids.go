package double

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/qdrant/go-client/qdrant"
)

// keyOf is one string for each point id; numbers come before UUIDs.
func keyOf(id *qdrant.PointId) (string, error) {
	switch one := id.GetPointIdOptions().(type) {
	case *qdrant.PointId_Num:
		return fmt.Sprintf("%020d", one.Num), nil
	case *qdrant.PointId_Uuid:
		u, ok := parseUUID(one.Uuid)
		if !ok {
			return "", badUUID(one.Uuid)
		}
		return "u" + u, nil
	default:
		return "", badInput("Empty point id is not allowed")
	}
}

// idOf is the point id of a key.
func idOf(key string) *qdrant.PointId {
	if u, ok := strings.CutPrefix(key, "u"); ok {
		return qdrant.NewIDUUID(u)
	}
	n, err := strconv.ParseUint(key, 10, 64)
	if err != nil {
		panic("double: a key that keyOf did not make: " + key)
	}
	return qdrant.NewIDNum(n)
}

// parseUUID reads 32 hex digits with or without hyphens, and gives the hyphenated form.
func parseUUID(s string) (string, bool) {
	s = strings.TrimPrefix(s, "urn:uuid:")
	if len(s) == 36 {
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return "", false
		}
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != 16 {
		return "", false
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:]), true
}
