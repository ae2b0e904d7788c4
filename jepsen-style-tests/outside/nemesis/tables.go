package nemesis

var (
	diskFaults     []Fault
	providerFaults []Fault
	clientFaults   []Fault
	budgetFaults   []Fault
)
