package directory

import "purser/ledger"

// Command is one entry of the replicated log that concerns the directory. The
// set is closed and the kind numbers are append-only.
type Command interface {
	Kind() Kind
}

// Kind is the number of a command in the log.
type Kind uint8

// The kinds.
const (
	KindPutKey    Kind = 1
	KindRevokeKey Kind = 2
	KindForgetKey Kind = 3
	KindPutToken  Kind = 4
	KindAdmitNode Kind = 5
	KindSetNode   Kind = 6
	// KindForgetNodes is of a restored backup.
	KindForgetNodes Kind = 7
	// KindAdmitGateway is AdmitNode for a gateway.
	KindAdmitGateway Kind = 8
	KindPutObject    Kind = 9
	KindDeleteObject Kind = 10
	KindWriteKey     Kind = 11
	KindRotateKey    Kind = 12
	KindTouchKeys    Kind = 13
	KindAdmitChild   Kind = 14

	KindRaiseAlerts    Kind = 15
	KindNoteDeliveries Kind = 16

	// KindWriteSuspended is KindWriteKey for a key that is suspended.
	KindWriteSuspended Kind = 17
)

// PutKey makes a key, or changes one that is not revoked. Its ID and Hash must
// then be the key's own. It carries the fields of a key up to Expires; the others
// stay as they are. [WriteKey] carries all that its owner chooses.
type PutKey struct {
	Key Key
}

// WriteKey makes a key, or changes one that is not revoked from the version that was
// seen: 0 for one that is not there, [AnyVersion] for as it is. Its ID and Hash must
// be the key's own. Public counts when it makes the key; OldHash and what follows
// it are ignored.
type WriteKey struct {
	Expect uint64
	Key    Key
}

// RotateKey gives an active key another secret. The present one counts until
// OldUntil, at most [MaxOverlap] from now; what was before that ends. With the
// present Hash, it sets OldUntil alone.
type RotateKey struct {
	ID       KeyID
	Hash     Hash
	Public   [32]byte // zero: the secret has no children
	OldUntil ledger.Instant
}

// TouchKeys says that keys were in use, at most [MaxTouched] of them. The latest
// instant counts; one in the future counts as the present.
type TouchKeys struct {
	At  ledger.Instant
	IDs []KeyID
}

// AdmitChildren takes down that children of a key are about to spend their slices:
// one, or several of which each is the child of the one before.
type AdmitChildren struct {
	Parent   KeyID
	Children []Child
}

// RevokeKey ends a key for good, from the instant of the command on.
type RevokeKey struct {
	ID KeyID
}

// ForgetKey removes a revoked or expired key from the table.
type ForgetKey struct {
	ID KeyID
}

// PutToken makes a token that lets one node in until it expires.
type PutToken struct {
	Hash    Hash
	Expires ledger.Instant
}

// AdmitNode lets a node in with a token, or takes down a new address, region or
// zone of one that is in. Without a token it is the first node of a cluster, or
// one that is known. State, Role and Joined of the node are ignored.
type AdmitNode struct {
	Node  Node
	Token Hash // zero for none
}

// AdmitGateway is [AdmitNode] for a node that takes no part in Raft. A gateway is
// never the first node, and stays a gateway.
type AdmitGateway struct {
	Node  Node
	Token Hash // zero for none
}

// SetNode changes what a node may do. To remove one is final.
type SetNode struct {
	ID    ledger.NodeID
	State NodeState
}

// ForgetNodes forgets every node and token: they are of a cluster whose log was
// lost. Keys stay.
type ForgetNodes struct{}

// Kind implements Command.
func (PutKey) Kind() Kind    { return KindPutKey }
func (RevokeKey) Kind() Kind { return KindRevokeKey }
func (ForgetKey) Kind() Kind { return KindForgetKey }

// PutObject makes an object, or gives one another spec.
type PutObject struct {
	Ref
	Expect uint64 // the version it has; 0: there is none; [AnyVersion]
	Refs   []Ref  // what the spec refers to: in order of kind and ID, each once
	Spec   []byte
}

// DeleteObject removes an object that nothing refers to.
type DeleteObject struct {
	Ref
	Expect uint64 // the version it has, or [AnyVersion]
}

// Kind implements Command.
func (RotateKey) Kind() Kind     { return KindRotateKey }
func (TouchKeys) Kind() Kind     { return KindTouchKeys }
func (AdmitChildren) Kind() Kind { return KindAdmitChild }

// Kind implements Command.
func (c WriteKey) Kind() Kind {
	if c.Key.Suspended {
		return KindWriteSuspended
	}
	return KindWriteKey
}

// Kind implements Command.
func (PutToken) Kind() Kind { return KindPutToken }

// Kind implements Command.
func (AdmitNode) Kind() Kind { return KindAdmitNode }

// Kind implements Command.
func (AdmitGateway) Kind() Kind { return KindAdmitGateway }

// Kind implements Command.
func (SetNode) Kind() Kind { return KindSetNode }

// Kind implements Command.
func (ForgetNodes) Kind() Kind { return KindForgetNodes }

// Kind implements Command.
func (PutObject) Kind() Kind { return KindPutObject }

// Kind implements Command.
func (DeleteObject) Kind() Kind { return KindDeleteObject }

// Outcome is what a command did.
type Outcome struct {
	Code Code
	// Version is the directory's version after the command.
	Version uint64
}

// Code says how a command ended. Codes are stable: they cross the wire.
type Code uint8

// The codes. All but Applied changed nothing.
const (
	Applied        Code = 1
	Unchanged      Code = 2 // it was so before: a repeated command
	InvalidCommand Code = 3
	UnknownKey     Code = 4
	IDTaken        Code = 5 // the ID belongs to a key with another secret
	HashTaken      Code = 6 // the secret belongs to a key with another ID
	KeyRevoked     Code = 7 // a revoked key cannot be changed
	KeyActive      Code = 8 // an active or suspended key cannot be forgotten: revoke it first
	LimitReached   Code = 9 // the table is full (L9): forget revoked keys
	UnknownToken   Code = 10
	TokenUsed      Code = 11 // by another node
	TokenExpired   Code = 12
	NodeTaken      Code = 13 // the ID belongs to a node with another data directory
	NodeIsRemoved  Code = 14
	UnknownNode    Code = 15
	RoleFixed      Code = 16 // a member is no gateway, nor the other way round

	VersionMismatch  Code = 17 // the object, or the key, is not of the version that was expected
	MissingReference Code = 18 // it refers to an object that is not there
	Referenced       Code = 19 // other objects refer to it
	CyclicReference  Code = 20 // it would refer to itself, through others

	KeyExpired      Code = 21 // an expired key gets no other secret and no children
	NoChildren      Code = 22 // the key may have none: no scope for it, or a secret that proves none
	ChildExpired    Code = 23
	TooManyChildren Code = 24 // as many as the key may have have not expired
	NoRoomForAlerts Code = 25 // too many wait for delivery, or are remembered
	KeySuspended    Code = 26 // a suspended key has no children until it is resumed
)

var codeNames = [...]string{
	Applied: "applied", Unchanged: "unchanged", InvalidCommand: "invalid command", UnknownKey: "unknown key",
	IDTaken: "id taken", HashTaken: "hash taken", KeyRevoked: "key revoked", KeyActive: "key active", LimitReached: "limit reached",
	UnknownToken: "unknown token", TokenUsed: "token used", TokenExpired: "token expired", NodeTaken: "node id taken",
	NodeIsRemoved: "node removed", UnknownNode: "unknown node", RoleFixed: "role fixed",
	VersionMismatch: "version mismatch", MissingReference: "missing reference", Referenced: "referenced", CyclicReference: "cyclic reference",
	KeyExpired: "key expired", NoChildren: "no children", ChildExpired: "child expired", TooManyChildren: "too many children",
	NoRoomForAlerts: "no room for alerts", KeySuspended: "key suspended",
}

// String returns the code in words.
func (c Code) String() string {
	if int(c) < len(codeNames) && codeNames[c] != "" {
		return codeNames[c]
	}
	return "unknown code"
}
