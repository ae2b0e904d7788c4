package admin

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

func (n *node) ListAlerts(_ context.Context, limit int, how Read) ([]Alert, Age, error) {
	n.read = how
	return make([]Alert, limit), 0, n.err
}

func (n *node) ListDeliveries(_ context.Context, q DeliveryQuery, how Read) ([]Delivery, Age, error) {
	n.read, n.deliveries = how, q
	return []Delivery{{Alert: "evt_1", Webhook: "ops", State: "delivered"}}, 0, n.err
}

func (n *node) TestWebhook(_ context.Context, id string) (string, error) {
	if id != "ops" {
		return "", NotFound("no webhook " + id)
	}
	return "evt_1", n.err
}

func TestAlertsOverTheAPI(t *testing.T) {
	n, url := serve(t)
	c := &Client{URL: url, Token: token}
	ctx := context.Background()
	if list, err := c.ListAlerts(ctx, 0); err != nil || len(list) != defaultAlerts {
		t.Errorf("%d alerts, %v", len(list), err)
	}
	if list, err := c.ListAlerts(ctx, 7); err != nil || len(list) != 7 || n.read != Linearizable {
		t.Errorf("%d alerts, %v", len(list), err)
	}
	q := DeliveryQuery{Alert: "evt_1", Webhook: "a&b", State: "pending", Limit: 3}
	if list, err := c.ListDeliveries(ctx, q); err != nil || len(list) != 1 || n.deliveries != q {
		t.Errorf("%+v, %v; the node was asked %+v", list, err, n.deliveries)
	}
	c.Read = Stale
	if _, err := c.ListDeliveries(ctx, DeliveryQuery{}); err != nil || n.read != Stale || n.deliveries.Limit != defaultAlerts {
		t.Errorf("%v, read %v, %+v", err, n.read, n.deliveries)
	}
	if id, err := c.TestWebhook(ctx, "ops"); err != nil || id != "evt_1" {
		t.Errorf("tested %q, %v", id, err)
	}
	if _, err := c.TestWebhook(ctx, "nope"); err == nil {
		t.Error("a webhook that is not there is tested")
	}
}

func TestQueriesOfAlertsAreChecked(t *testing.T) {
	_, url := serve(t)
	for _, query := range []string{"/alerts?limit=0", "/alerts?limit=2049", "/alerts?limit=x", "/alerts?webhook=ops", "/alerts?stale=1", "/alerts/deliveries?colour=red", "/alerts/deliveries?stale=no"} {
		req, err := http.NewRequest(http.MethodGet, url+"/admin/v1"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		var p Problem
		if err != nil || json.Unmarshal(b, &p) != nil || res.StatusCode != 400 || !strings.Contains(p.Error.Code, "invalid") {
			t.Errorf("%s answers %d %s", query, res.StatusCode, b)
		}
	}
}
