package ui

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"purser/api/admin"
)

// nodeRow is a node with what is made of its answer.
type nodeRow struct {
	admin.Member
	Digest string // equal, differs, behind, or "" where nothing can be said
	Short  string // the beginning of its digest
}

type clusterView struct {
	admin.Members
	Rows     []nodeRow
	Status   *admin.Status
	Alone    string // why there is no cluster to show
	Agree    bool   // all digests of the latest entry are equal
	Compared int    // members whose digests are of the same entry
	Entry    uint64
	Uptime   time.Duration

	Drain, Resume, Lead, Remove, Fence, Join *form
}

// clusterPage shows who belongs to the cluster and how they are.
func clusterPage(c *Call) error { return showCluster(c, nil) }

func showCluster(c *Call, wrong *refused) error {
	var v clusterView
	err := c.Get("/cluster", nil, &v.Members)
	var f *fault
	switch {
	case err == nil:
		v.compare()
	case errors.As(err, &f) && f.status == http.StatusConflict: // it is alone, or a gateway
		v.Alone = f.message
	default:
		return err
	}
	if c.CanAll("status:read") {
		var s admin.Status
		if err := c.Get("/status", nil, &s); err != nil {
			return err
		}
		v.Status, v.Uptime = &s, time.Duration(s.Uptime*float64(time.Second))
	}
	if c.CanAll("cluster:write") && v.Alone == "" {
		v.addForms(wrong)
	}
	return c.RenderAs(wrong.status(), "cluster", "Cluster", &v)
}

// compare says whose digest is equal to the leader's, of those that are of the latest
// entry. Replicas take theirs at the same entries, not at the same time.
func (v *clusterView) compare() {
	digest := ""
	for _, n := range v.Nodes {
		if c := n.Checkpoint; c != nil && (c.Entry > v.Entry || c.Entry == v.Entry && n.ID == v.Leader) {
			v.Entry, digest = c.Entry, c.Digest
		}
	}
	v.Agree = true
	for _, n := range v.Nodes {
		r := nodeRow{Member: n}
		if c := n.Checkpoint; c != nil {
			const shown = 10
			r.Short = c.Digest[:min(shown, len(c.Digest))]
			switch {
			case c.Entry != v.Entry:
				r.Digest = "behind"
			case c.Digest == digest:
				r.Digest = "equal"
				v.Compared++
			default:
				r.Digest, v.Agree = "differs", false
			}
		}
		v.Rows = append(v.Rows, r)
	}
}

// addForms puts in what can be done to nodes in the state that they are in.
func (v *clusterView) addForms(wrong *refused) {
	var active, draining, voters, there, lost []option
	for _, n := range v.Nodes {
		x := option{n.ID, n.ID}
		switch {
		case n.State == "removed":
			if !n.Fenced && n.Leases > 0 {
				lost = append(lost, x)
			}
			continue
		case n.State == "draining":
			draining = append(draining, x)
		default:
			active = append(active, x)
		}
		there = append(there, x)
		if n.Role == "voter" {
			voters = append(voters, x)
		}
		if !n.Answers {
			lost = append(lost, x)
		}
	}
	node := func(id, submit, warning, sure string, of []option) *form {
		if len(of) == 0 {
			return nil
		}
		f := &form{ID: id, Action: "/ui/cluster", Submit: submit, Warning: warning, Quiet: true, Fields: []field{doing(id), {Name: "node", Label: "Node", Kind: "select", Required: true, Options: of}}}
		if sure != "" {
			f.Fields = append(f.Fields, confirm(sure))
		}
		return wrong.into(f)
	}
	v.Drain = node("drain", "Drain the node", "It takes no new requests and gives its leases back. Requests under way go on.", "Send no more requests to it", active)
	v.Resume = node("resume", "Resume the node", "", "", draining)
	v.Lead = node("lead", "Hand over leadership", "", "", voters)
	v.Remove = node("remove", "Remove the node", "It leaves for good and cannot come back under its name. Drain it first, so that its leases are back.", "Remove it for good", there)
	v.Fence = node("fence", "Fence the node", "What it holds of the budgets is written off, and it cannot come back. Only for a node that is lost for good.", "It is lost for good", lost)
	v.Join = wrong.into(&form{ID: "join", Action: "/ui/cluster", Submit: "Make a join token", Fields: []field{doing("join"), {Name: "expires", Label: "Good for", Value: "1h", Words: []string{"expires"}, Hint: "Such as 1h; it lets one node join, once"}}})
}

// changeCluster does what a form of the page asks for.
func changeCluster(c *Call) error {
	v, err := c.posted()
	if err != nil {
		return err
	}
	do, node := v.Get("do"), v.Get("node")
	if do == "join" {
		var token admin.Token
		if err := c.Do(http.MethodPost, "/cluster/tokens", admin.NewToken{Expires: untilFrom(c.Now, v.Get("expires"))}, &token); err != nil {
			return again(err, do, v, func(r *refused) error { return showCluster(c, r) })
		}
		return c.Render("jointoken", "Join token", &token)
	}
	if sure := map[string]bool{"drain": true, "remove": true, "fence": true}; sure[do] {
		err = confirmed(v)
	}
	if err == nil {
		err = c.Do(http.MethodPost, "/cluster/nodes/"+url.PathEscape(node)+"/"+url.PathEscape(do), nil, nil)
	}
	if err != nil {
		return again(err, do, v, func(r *refused) error { return showCluster(c, r) })
	}
	done := map[string]string{"drain": "drains", "resume": "serves again", "lead": "leads", "remove": "is removed", "fence": "is fenced"}
	return c.Redirect("/ui/cluster", "good", "The node "+node+" "+done[do]+".")
}
