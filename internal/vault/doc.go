// Package vault keeps providers' keys sealed: it turns a key into ciphertext that
// may be replicated and backed up, and opens it where the master key is known.
//
// # Envelopes
//
// Each credential has a data key of its own, 32 random bytes. The secret is
// encrypted with it by AES-256-GCM, and the data key is wrapped by a master key,
// which a [Wrapper] stands for: a local key ([LocalKey]), or a key management
// service behind a few lines ([purser/internal/vault/transit]). Both encryptions
// are bound, as additional authenticated data, to the credential's id, its
// provider, the version of the form and the generation of the data key: of two
// credentials, neither ciphertext nor data key can be exchanged, and a key cannot be
// pointed at another provider.
//
// # Stored form
//
// A [Sealed] is, in bytes, and as base64 (RFC 4648 section 5, without padding) in JSON:
//
//	version=1
//	generation of the data key, uvarint
//	id of the master key: length (uvarint), text
//	wrapped data key: length (uvarint), bytes, as the Wrapper made them
//	nonce, 12 bytes
//	ciphertext of: fingerprint key (32 bytes), secret; with the 16 bytes of its tag
//
// What a [LocalKey] wraps is a nonce of 12 bytes and the ciphertext with its tag.
// The length of a secret shows.
//
// # Fingerprints
//
// A fingerprint is an HMAC-SHA256 of the secret, with a random key that is sealed
// with it: who reads the replicated state can neither compute it for a guess nor
// learn a character from it. It stays the same through rotations of master and data
// keys, and when the same secret is put again under the same id.
//
// # Rotation
//
// Several master keys may be known at once ([Masters]): what is sealed uses the
// first, what is opened the one that it names. [Vault.Rewrap] changes the master
// key, [Vault.Renew] the data key. Neither changes what is sealed.
//
// # What is not promised
//
// Data keys and opened secrets are overwritten when they are done with. Go copies
// as it likes: the collector, a growing stack, a string made for a header or a TLS
// record leave copies that nobody can overwrite. A process's memory has to be
// guarded by the system. Whoever can write the replicated state can put an earlier
// sealed form of the same credential back.
//
// # Concurrency, failure
//
// All types are safe for concurrent use but [Sealed] and [Credential], which are
// values. No error's text has a part of a secret in it.
//
// # Tests
//
// Round trips, every flipped bit, every exchange between credentials; golden bytes;
// a random walk of puts and rotations against a twin that keeps what should come out.
package vault
