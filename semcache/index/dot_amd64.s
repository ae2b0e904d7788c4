#include "textflag.h"

// func dotSIMD(dst []int32, rows []int8, q []int16)
//
// A step is 32 values: two times 16 int8 are widened to int16 (VPMOVSXBW), multiplied
// with q and added in pairs to int32 (VPMADDWD: at most 2·128·128, which fits), and
// added up. Integers: no order of additions changes the sum.
TEXT ·dotSIMD(SB), NOSPLIT, $0-72
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ rows_base+24(FP), SI
	MOVQ q_base+48(FP), R8
	MOVQ q_len+56(FP), R9
	SHRQ $5, R9

row:
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	MOVQ  R8, DX
	MOVQ  R9, BX

values:
	VPMOVSXBW (SI), Y2
	VPMOVSXBW 16(SI), Y3
	VPMADDWD  (DX), Y2, Y2
	VPMADDWD  32(DX), Y3, Y3
	VPADDD    Y2, Y0, Y0
	VPADDD    Y3, Y1, Y1
	ADDQ      $32, SI
	ADDQ      $64, DX
	DECQ      BX
	JNZ       values

	VPADDD       Y1, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDD       X1, X0, X0
	VPSHUFD      $0x4e, X0, X1
	VPADDD       X1, X0, X0
	VPSHUFD      $0xb1, X0, X1
	VPADDD       X1, X0, X0
	VMOVD        X0, (DI)
	ADDQ         $4, DI
	DECQ         CX
	JNZ          row

	VZEROUPPER
	RET
