// Package netlab is a network of hosts on one machine, for tests of real processes.
// What goes from one host to another follows a [Rule] for each direction: it can be
// dropped, lost by chance, held, delayed, duplicated, reordered, or slowed to a rate.
//
// # Namespaces
//
// Each host has a network namespace, kept by a thread of the harness's process, and
// in it a TUN device with an address of 10.77.0.0/24. A switch in the harness reads
// the devices' packets, of TCP, UDP and anything else over IPv4, and writes them to
// the device that they are for, by the rule of their direction. Nothing has a name
// outside: namespaces end with the harness, however it ends, and labs do not see each
// other. It needs CAP_SYS_ADMIN, CAP_NET_ADMIN and /dev/net/tun, and no programs.
//
// TCP is the kernel's. After a cut it sends again at intervals that grow with the
// time that the cut has lasted, so an old connection can need as long again to go
// on; what a process makes of that is under test too.
//
// # Loopback
//
// Where that is not allowed, hosts are addresses of 127.77.0.0/16, and what
// [Host.Advertise] returns is a proxy of TCP, with the same port on another address.
// A proxy knows which host dials it by the address, if the harness dials
// ([Host.DialContext]), or because the kernel's tables show a process of [Host.Start]
// at the other end; IPv4 sockets of that process itself, not of processes that it
// starts. What neither is true of is refused. It is less of a network:
//
//   - Loss, Duplicate and Reorder are not possible, and UDP is not carried: gossip
//     finds nobody.
//   - Drop breaks connections off. Ones that are made meanwhile get no answer, and
//     go on when the rule is lifted. Either direction does both, since TCP needs both.
//   - A process that dials where another listens, and not what it advertises, goes
//     around every rule.
//
// # Ports
//
// A host's address is its own in both modes, so that fixed ports may be used, the
// same on all hosts. Below 32768 the kernel does not give them to dialling sockets.
package netlab
