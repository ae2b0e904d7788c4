package raftfsm

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"purser/internal/audit"
	"purser/internal/directory"
	"purser/ledger"
)

// placed is where a kind of command belongs. Whoever adds a kind decides it here.
type placed struct {
	level   uint32 // below which a replica cannot read it
	audited bool   // an operator's: it is in the audit trail, whoever proposes it
	forward bool   // a gateway may have it carried out
	command any    // of the kind, by gateway g1 or about it
}

var ledgerKinds = map[ledger.Kind]placed{
	ledger.KindPutBudget:    {0, true, true, putBudget},
	ledger.KindDeleteBudget: {0, true, true, ledger.DeleteBudget{}},
	ledger.KindRegister:     {0, false, true, ledger.Register{Node: "g1"}},
	ledger.KindExchange:     {0, false, true, &ledger.Exchange{Node: "g1"}},
	ledger.KindTick:         {0, false, false, ledger.Tick{}},
	ledger.KindFence:        {0, true, false, ledger.Fence{}},
	ledger.KindRestore:      {CheckpointLevel, false, false, ledger.Restore{}},
	ledger.KindCheckpoint:   {CheckpointLevel, false, false, ledger.Checkpoint{}},
	ledger.KindRelease:      {CheckpointLevel, true, true, ledger.Release{}},
	ledger.KindPutRaise:     {GovernanceLevel, true, true, ledger.PutRaise{}},
	ledger.KindEndRaise:     {GovernanceLevel, true, true, ledger.EndRaise{}},
	ledger.KindTrip:         {GovernanceLevel, true, true, ledger.TripBudget{}},
	ledger.KindReset:        {GovernanceLevel, true, true, ledger.ResetBreaker{}},
	ledger.KindProbed:       {GovernanceLevel, false, true, ledger.Probed{}},
}

var directoryKinds = map[directory.Kind]placed{
	directory.KindPutKey:         {0, true, true, putKey},
	directory.KindRevokeKey:      {0, true, true, directory.RevokeKey{}},
	directory.KindForgetKey:      {0, true, true, directory.ForgetKey{}},
	directory.KindPutToken:       {0, true, true, directory.PutToken{}},
	directory.KindAdmitNode:      {0, true, false, directory.AdmitNode{}},
	directory.KindSetNode:        {0, true, false, directory.SetNode{}},
	directory.KindForgetNodes:    {CheckpointLevel, true, false, directory.ForgetNodes{}},
	directory.KindAdmitGateway:   {GatewayLevel, true, true, directory.AdmitGateway{Node: directory.Node{ID: "g1"}}},
	directory.KindPutObject:      {GovernanceLevel, true, true, directory.PutObject{}},
	directory.KindDeleteObject:   {GovernanceLevel, true, true, directory.DeleteObject{}},
	directory.KindWriteKey:       {GovernanceLevel, true, true, directory.WriteKey{}},
	directory.KindWriteSuspended: {GovernanceLevel, true, true, directory.WriteKey{Key: directory.Key{Suspended: true}}},
	directory.KindRotateKey:      {GovernanceLevel, true, true, directory.RotateKey{}},
	directory.KindTouchKeys:      {GovernanceLevel, false, true, directory.TouchKeys{}},
	directory.KindAdmitChild:     {GovernanceLevel, false, true, directory.AdmitChildren{}},
	directory.KindRaiseAlerts:    {GovernanceLevel, false, true, directory.RaiseAlerts{}},
	directory.KindNoteDeliveries: {GovernanceLevel, false, false, directory.NoteDeliveries{}},
}

// TestEveryKindOfCommandHasItsPlace: those that the decoders know are all in the tables
// above, and each is of its level, audited, and forwarded by gateways as they say, also
// with the facts of a change around it.
func TestEveryKindOfCommandHasItsPlace(t *testing.T) {
	for kind := range 256 {
		_, unknown := ledger.DecodeCommand([]byte{byte(kind), 1})
		_, none := ledger.DecodeCommand([]byte{255, 1})
		known := unknown == nil || unknown.Error() != unknownKind(none.Error(), kind)
		p, ok := ledgerKinds[ledger.Kind(kind)]
		if known != ok {
			t.Errorf("ledger kind %d: known %v, in the table %v", kind, known, ok)
		}
		if c, _ := p.command.(ledger.Command); ok {
			if c.Kind() != ledger.Kind(kind) {
				t.Errorf("ledger kind %d has a %T", kind, c)
			}
			p.check(t, ledgerMessage(c))
		}
		_, err := directory.DecodeCommand([]byte{1, byte(kind)})
		p, ok = directoryKinds[directory.Kind(kind)]
		if known := !errors.Is(err, directory.ErrUnknown); known != ok {
			t.Errorf("directory kind %d: known %v, in the table %v", kind, known, ok)
		}
		if c, _ := p.command.(directory.Command); ok {
			if c.Kind() != directory.Kind(kind) {
				t.Errorf("directory kind %d has a %T", kind, c)
			}
			p.check(t, directoryMessage(c))
		}
	}
}

func (p *placed) check(t *testing.T, m message) {
	t.Helper()
	c, err := m.decode()
	if err != nil {
		t.Fatal(err)
	}
	if m.level() != p.level {
		t.Errorf("%+v is of level %d, want %d", p.command, m.level(), p.level)
	}
	if p.level > Level {
		t.Errorf("%+v is of level %d, and this build of %d", p.command, p.level, Level)
	}
	if action, _ := administrative(c.ledger, c.directory); (action != "") != p.audited {
		t.Errorf("%+v is called %q, audited %v", p.command, action, p.audited)
	}
	around := auditedMessage(&audit.Facts{Node: "g1"}, m)
	if around.level() != max(p.level, GovernanceLevel) {
		t.Errorf("%+v with facts is of level %d", p.command, around.level())
	}
	for _, m := range []message{m, around} {
		if err := MayForward("g1", m.room, m.body); (err == nil) != p.forward {
			t.Errorf("%+v is forwarded: %v, want %v", p.command, err, p.forward)
		}
	}
	if MayForward("g1", RoomAudited, auditedMessage(&audit.Facts{Node: "n1"}, m).body) == nil {
		t.Errorf("%+v is forwarded in another node's name", p.command)
	}
}

// unknownKind is the text of an error about kind 255, for another kind.
func unknownKind(of255 string, kind int) string {
	return strings.ReplaceAll(of255, "255", strconv.Itoa(kind))
}

// TestObjectsOfLeversAreOfTheirLevel: an earlier build knows the command, and not what
// such an object says.
func TestObjectsOfLeversAreOfTheirLevel(t *testing.T) {
	for kind, want := range map[directory.ObjectKind]uint32{
		directory.ObjectLoop: GovernanceLevel, directory.ObjectLever: LeverLevel, directory.ObjectTemplate: LeverLevel, directory.ObjectRouter: LeverLevel,
		directory.ObjectPrompt: LeverLevel, directory.ObjectMapping: UsageLevel, directory.ObjectExport: UsageLevel,
	} {
		m := directoryMessage(directory.PutObject{Ref: directory.Ref{Kind: kind, ID: "a"}, Spec: []byte("{}")})
		if m.level() != want || auditedMessage(&audit.Facts{Node: "n1"}, m).level() != want {
			t.Errorf("objects of kind %d are of level %d, want %d", kind, m.level(), want)
		}
	}
}

// TestRoutesWithCandidatesAreOfTheirLevel: a build of an earlier level reads a route that
// is another name of a model; of any other it would refuse all requests.
func TestRoutesWithCandidatesAreOfTheirLevel(t *testing.T) {
	for spec, want := range map[string]uint32{
		`{"model":"m"}`: GovernanceLevel, `{"model":"m","upstream":"u","description":"d"}`: GovernanceLevel,
		`{"candidates":[{"model":"m"}]}`: LeverLevel, `{"description":"d","strategy":"learned","candidates":[{"model":"m"}],"learner":"l"}`: LeverLevel,
	} {
		m := directoryMessage(directory.PutObject{Ref: directory.Ref{Kind: directory.ObjectRoute, ID: "a"}, Spec: []byte(spec)})
		if m.level() != want || auditedMessage(&audit.Facts{Node: "n1"}, m).level() != want {
			t.Errorf("the route %s is of level %d, want %d", spec, m.level(), want)
		}
	}
}
