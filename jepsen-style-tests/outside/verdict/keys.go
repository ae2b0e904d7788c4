package verdict

import "time"

// once judges idempotency keys: of the requests with one key of a client, one was sent
// at the most; every answer that was given again is the same; and the key with another
// body is refused. Where nodes begin with an older build, which does not know the
// header, or a backup is restored, which brings back no claims, that is not judged.
func once(b *book) (found []Finding) {
	if b.h.Meta.Older != "" || b.restored {
		return nil
	}
	type scope struct{ key, idem string }
	answers := map[scope]string{}
	scopes := map[string]scope{} // by the operation's id
	for i := range b.h.Requests {
		r := &b.h.Requests[i]
		if r.Idem == "" {
			continue
		}
		s := scope{r.Key, r.Idem}
		if r.Clash {
			if r.Status >= 200 && r.Status < 300 {
				found = append(found, finding("idempotency", r.Ended, "%s has the key %s of another body, and was answered with %d by %s", r.ID, r.Idem, r.Status, r.Node))
			}
			scopes[r.ID] = scope{r.Key, r.Idem + " of another body"}
			continue
		}
		scopes[r.ID] = s
		if r.Status != 200 || r.Digest == "" {
			continue
		}
		if before, ok := answers[s]; ok && before != r.Digest {
			found = append(found, finding("idempotency", r.Ended, "%s was answered in another way by %s than before under the key %s", r.ID, r.Node, r.Idem))
		}
		answers[s] = r.Digest
	}
	sent := map[scope]string{} // id of the request that was billed
	for i := range b.rows {
		r := &b.rows[i]
		s, ok := scopes[r.EndUser]
		if !ok {
			continue
		}
		if before, again := sent[s]; again && before != r.request {
			found = append(found, finding("idempotency", r.at, "%s was sent twice under the key %s: as %s and as %s", r.EndUser, s.idem, before, r.request))
		}
		sent[s] = r.request
	}
	return found
}

// revokedWithin is how soon a revoked key is refused by every node that is connected,
// and some more, since a harness that shares a machine with the cluster is late itself.
const revokedWithin = 2 * time.Second

// revoked judges revocations: no request with a key is run that began later than a
// second after its revocation was acknowledged; at a node that may have been cut off
// later than the authority of a node goes. Keys that were revoked after a backup that is
// restored work again.
func revoked(b *book) (found []Finding) {
	if b.restored {
		return nil
	}
	gone := map[string]int64{} // by the key's name, when its revocation was first acknowledged
	for i := range b.h.Changes {
		if c := &b.h.Changes[i]; c.Kind == "revoke" && c.OK {
			if at, ok := gone[c.Of]; !ok || c.Ended < at {
				gone[c.Of] = c.Ended
			}
		}
	}
	for i := range b.h.Requests {
		r := &b.h.Requests[i]
		at, ok := gone[r.Key]
		if !ok || KindOf(r) != Admitted || r.Begun <= at+int64(revokedWithin) {
			continue
		}
		late := time.Duration(r.Begun - at)
		if late <= b.authority()+revokedWithin && b.near(at, r.Begun, healed) {
			continue
		}
		found = append(found, finding("revocation", r.Begun, "%s was run by %s with key %s, %v after its revocation was acknowledged", r.ID, r.Node, r.Key, late))
	}
	return found
}
