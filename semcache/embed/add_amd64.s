#include "textflag.h"

// func addSIMD(dst []float32, row string, scale float32)
TEXT ·addSIMD(SB), NOSPLIT, $0-44
	MOVQ         dst_base+0(FP), DI
	MOVQ         dst_len+8(FP), CX
	MOVQ         row_base+24(FP), SI
	VBROADCASTSS scale+40(FP), Y0
	SHRQ         $3, CX

values:
	VPMOVSXBD (SI), Y1
	VCVTDQ2PS Y1, Y1
	VMULPS    Y0, Y1, Y1
	VADDPS    (DI), Y1, Y1
	VMOVUPS   Y1, (DI)
	ADDQ      $8, SI
	ADDQ      $32, DI
	DECQ      CX
	JNZ       values

	VZEROUPPER
	RET
