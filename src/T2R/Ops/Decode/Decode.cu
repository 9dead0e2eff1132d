// A token of some sequences through a recurrent model (GatedSlotAttention.cs, Mlp.cs), compiled for a shape (KEYS, VALUES, SLOTS, GROUPS) and a format of weights (WEIGHTS),
// for a card on which a block may have MOST_SHARED bytes of shared memory. Per block
//
//   embed                          x, the residual stream, in fp32
//   project        q | k | v | f = W (x o w_1) / rms x
//   slot_step      u = silu(o) of the updated state
//   project_added  x += W_o (u o w_g) / rms u
//   project_gated  h = silu(gate) o up of W (x o w_2) / rms x
//   project_added  x += W_down h
//
// A norm is split: who writes the stream also writes x o w, in 16 bits, and sums of squares; who reads it divides its products. So nothing but products, states and a few
// thousand numbers moves, and a step is five launches a block. Decode.md has bytes and times.

#include "Ops/Warp.cuh"
#include "Ops/Copy.cuh"
#include "Ops/Overlap.cuh"

extern __shared__ __align__(16) unsigned char shared[];

// Each builds on those above it.
#include "Ops/Decode/Weights.cuh"
#include "Ops/Decode/Arguments.cuh"
#include "Ops/Decode/Project.cuh"
#include "Ops/Decode/SlotStep.cuh"
#include "Ops/Decode/Embed.cuh"
