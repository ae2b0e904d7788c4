package node

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"purser/api/admin"
	"purser/internal/alert"
	"purser/internal/directory"
)

// remembered are the alerts, the newest first; a gateway has none.
func (c control) remembered(ctx context.Context, how admin.Read) ([]*directory.Alert, admin.Age, error) {
	if c.n.follower != nil {
		return nil, 0, c.elsewhere()
	}
	age, err := c.catchUp(ctx, how)
	if err != nil {
		return nil, 0, err
	}
	list := slices.Clone(c.n.fsm.Directory().Alerts())
	slices.Reverse(list)
	return list, age, nil
}

// ListAlerts implements admin.Alerts.
func (c control) ListAlerts(ctx context.Context, limit int, how admin.Read) ([]admin.Alert, admin.Age, error) {
	list, age, err := c.remembered(ctx, how)
	if err != nil {
		return nil, 0, err
	}
	out := []admin.Alert{}
	for _, a := range list[:min(len(list), limit)] {
		row := admin.Alert{ID: a.ID(), Type: a.Type, At: timeText(a.At), Open: a.Open}
		if e, err := alert.Read(a); err == nil {
			row.Severity, row.Summary = string(e.Severity), e.Summary
			if row.Data, err = json.Marshal(e.Data); err != nil {
				return nil, 0, fmt.Errorf("alert %s: %w", row.ID, err)
			}
		}
		out = append(out, row)
	}
	return out, age, nil
}

// ListDeliveries implements admin.Alerts.
func (c control) ListDeliveries(ctx context.Context, q admin.DeliveryQuery, how admin.Read) ([]admin.Delivery, admin.Age, error) {
	if known := []string{"", directory.DeliveryPending.String(), directory.DeliveryDone.String(), directory.DeliveryAbandoned.String()}; !slices.Contains(known, q.State) {
		return nil, 0, admin.Invalid(fmt.Sprintf("state %q is not pending, delivered or abandoned", q.State))
	}
	list, age, err := c.remembered(ctx, how)
	if err != nil {
		return nil, 0, err
	}
	out := []admin.Delivery{}
	for _, a := range list {
		id := a.ID()
		if q.Alert != "" && q.Alert != id {
			continue
		}
		for _, d := range a.Deliveries {
			if len(out) == q.Limit {
				return out, age, nil
			}
			if q.Webhook != "" && q.Webhook != d.Webhook || q.State != "" && q.State != d.State.String() {
				continue
			}
			out = append(out, admin.Delivery{
				Alert: id, Type: a.Type, Raised: timeText(a.At), Webhook: d.Webhook, State: d.State.String(),
				Attempts: d.Attempts, Last: timeText(d.Last), Status: d.Status, Fault: d.Fault,
			})
		}
	}
	return out, age, nil
}

// TestWebhook implements admin.Alerts.
func (c control) TestWebhook(ctx context.Context, id string) (string, error) {
	if c.n.follower != nil {
		return "", c.elsewhere()
	}
	if err := c.n.catchUp(ctx); err != nil {
		return "", ambiguous(err)
	}
	if _, ok := c.n.fsm.Directory().Object(directory.Ref{Kind: directory.ObjectWebhook, ID: id}); !ok {
		return "", admin.NotFound(fmt.Sprintf("no webhook %q", id))
	}
	r, err := alert.NewTest(id, newKeyID(), now())
	if err != nil {
		return "", err
	}
	out, err := c.changeDirectory(ctx, directory.RaiseAlerts{Raises: []directory.Raise{r}})
	switch {
	case err != nil:
		return "", err
	case out.Code == directory.NoRoomForAlerts:
		return "", admin.Conflict(fmt.Sprintf("%d alerts wait for delivery already, as many as there may be", directory.MaxOpenAlerts))
	case out.Code != directory.Applied && out.Code != directory.Unchanged:
		return "", admin.Invalid("the directory refused the test: " + out.Code.String())
	}
	c.n.alerts.dispatcher.Wake()
	for _, a := range slices.Backward(c.n.fsm.Directory().Alerts()) {
		if a.Key == r.Key {
			return a.ID(), nil
		}
	}
	return "", admin.Undecided("the test was raised and is forgotten already; try again")
}
