package nemesis

var (
	networkFaults  []Fault
	clockFaults    []Fault
	diskFaults     []Fault
	raftFaults     []Fault
	upgradeFaults  []Fault
	providerFaults []Fault
	clientFaults   []Fault
	budgetFaults   []Fault
)
