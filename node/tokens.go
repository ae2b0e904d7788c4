package node

import (
	"crypto/sha256"

	"purser/internal/directory"
)

// tokenHash is what the directory knows a token's secret by.
func tokenHash(secret string) directory.Hash { return sha256.Sum256([]byte(secret)) }
