#include "textflag.h"

// Go's assembler has no names for these.
//
// SSHLL Vd.8H, Vn.8B, #0 and SSHLL2: the lower and upper 8 int8, as int16.
#define SSHLL(n, d) WORD $(0x0f08a400 | (n)<<5 | (d))
#define SSHLL2(n, d) WORD $(0x4f08a400 | (n)<<5 | (d))

// SMLAL Vd.4S, Vn.4H, Vm.4H and SMLAL2: products of the lower and upper 4 int16, added to int32.
#define SMLAL(m, n, d) WORD $(0x0e608000 | (m)<<16 | (n)<<5 | (d))
#define SMLAL2(m, n, d) WORD $(0x4e608000 | (m)<<16 | (n)<<5 | (d))

// func dotSIMD(dst []int32, rows []int8, q []int16)
//
// A step is 32 values: int8 are widened to int16, multiplied with q, and added up
// as int32 in four sums. Integers: no order of additions changes the sum.
TEXT ·dotSIMD(SB), NOSPLIT, $0-72
	MOVD dst_base+0(FP), R0
	MOVD dst_len+8(FP), R1
	MOVD rows_base+24(FP), R2
	MOVD q_base+48(FP), R3
	MOVD q_len+56(FP), R4
	LSR  $5, R4, R4

row:
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V2.B16, V2.B16, V2.B16
	VEOR V3.B16, V3.B16, V3.B16
	MOVD R3, R5
	MOVD R4, R6

values:
	VLD1.P 32(R2), [V4.B16, V5.B16]
	VLD1.P 64(R5), [V16.H8, V17.H8, V18.H8, V19.H8]
	SSHLL(4, 20)
	SSHLL2(4, 21)
	SSHLL(5, 22)
	SSHLL2(5, 23)
	SMLAL(16, 20, 0)
	SMLAL2(16, 20, 1)
	SMLAL(17, 21, 2)
	SMLAL2(17, 21, 3)
	SMLAL(18, 22, 0)
	SMLAL2(18, 22, 1)
	SMLAL(19, 23, 2)
	SMLAL2(19, 23, 3)
	SUBS $1, R6, R6
	BNE  values

	VADD   V1.S4, V0.S4, V0.S4
	VADD   V3.S4, V2.S4, V2.S4
	VADD   V2.S4, V0.S4, V0.S4
	VADDV  V0.S4, V0
	VMOV   V0.S[0], R7
	MOVW.P R7, 4(R0)
	SUBS   $1, R1, R1
	BNE    row
	RET
