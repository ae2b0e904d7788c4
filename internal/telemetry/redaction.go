package telemetry

// maxEntities bounds the values of the label "entity": operators name patterns of
// their own, and hooks what they find.
const maxEntities = 200

// Redacted counts values that redactions found. action is shadow for those that a
// redaction in shadow mode alone found.
func (m *Metrics) Redacted(entity, action string, n int) {
	m.found.WithLabelValues(m.entity(entity), action).Add(float64(n))
}

// entity gives the label of an entity.
func (m *Metrics) entity(name string) string {
	if m.entities.takes(name) {
		return name
	}
	return other
}
