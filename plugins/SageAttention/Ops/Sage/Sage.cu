// Quantised attention (README.md): means, integers and FP8 values (sage_quantize.cuh), then attention on them by tensor cores, of a warp
// (sage_attention.cuh) or of a group of four (sage_hopper.cuh).
#include "sage_attention.cuh"
#include "sage_hopper.cuh"

SAGE_ATTENTION(sage_attention_fp16_64, Kind::Fp16, 64)
SAGE_ATTENTION(sage_attention_fp16_128, Kind::Fp16, 128)
SAGE_ATTENTION(sage_attention_bf16_64, Kind::Bf16, 64)
SAGE_ATTENTION(sage_attention_bf16_128, Kind::Bf16, 128)
#if __CUDA_ARCH__ >= 890
SAGE_ATTENTION(sage_attention_e4m3_64, Kind::E4M3, 64)
SAGE_ATTENTION(sage_attention_e4m3_128, Kind::E4M3, 128)
#endif
#if ZOO_HOPPER
SAGE_HOPPER(sage_hopper_64, 64, 128, 3, 8)
SAGE_HOPPER(sage_hopper_128, 128, 128, 3, 0)
#endif
