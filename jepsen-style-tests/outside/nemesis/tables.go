package nemesis

var diskFaults []Fault
