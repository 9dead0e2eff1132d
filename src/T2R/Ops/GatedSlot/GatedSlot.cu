// Gated slot attention in chunks of 64 tokens, forward and backward; compiled for a shape (KEYS, VALUES, SLOTS). The mathematics is Chunk.cs's. With G the sum of log
// forget gates since the chunk's start, A_i that sum in the middle of row tile i (16 tokens), H the state before the chunk, and t in tile i:
//
//   D_t = exp(G_t - A_i)            S_ij = s_j exp(A_i - G_j)          (j <= t)
//   logits_t = D_t o (exp(A_i) o (q_t Hk) + sum_j (q_t k_j) S_ij)      p = softmax
//   o_t      = (p D_t exp(A_i)) Hv + sum_j (p D_t . S_ij) v_j
//
// A token forgets at most e^9 in these factors: what is lost is 1e-4 of a state that it was to forget, under a bf16's rounding, and then no factor overflows whatever
// the gates: |G_t - A_i| <= 72 within a tile, and A_i - G_j <= 0 for tiles before. Documents are told apart by number, not by gates.
//
// MAPS: the inputs are as they come from their projections; queries, keys and values pass through silu here, and gates are made of logits f (GatedSlotMaps.cs).
//
// HALF: inputs, outputs and states are fp16 instead of bf16; forward alone. S has the range of e^72 and stays bf16, in two parts.
//
// States in memory are b16 [item, chunk, State]: keys [SLOTS, KEYS], then values [SLOTS, VALUES], rows interleaved as Tile.cuh says. An item is a sequence's key-value
// head; a block does one chunk of an item. What each kernel moves and computes, and how far it is from that floor: GatedSlot.md.

#include "Ops/Silu.cuh"
#include "Ops/Tile.cuh"
// Each builds on those above it.
#include "Ops/GatedSlot/Shape.cuh"
#include "Ops/GatedSlot/Arguments.cuh"
#include "Ops/GatedSlot/ChunkTiles.cuh"
#include "Ops/GatedSlot/Gates.cuh"
#include "Ops/GatedSlot/Rows.cuh"
#include "Ops/GatedSlot/Chunk.cuh"
#include "Ops/GatedSlot/Gathered.cuh"
#include "Ops/GatedSlot/Write.cuh"
#include "Ops/GatedSlot/Scan.cuh"
#include "Ops/GatedSlot/Output.cuh"
#if !HALF
#include "Ops/GatedSlot/RowsBackward.cuh"
#include "Ops/GatedSlot/Ask.cuh"
#include "Ops/GatedSlot/Column.cuh"
#include "Ops/GatedSlot/ColumnsBackward.cuh"
#endif

// Bytes of shared memory that the kernels need, for the host: write, output and rows_backward, ask, columns_backward.
#if HALF
extern "C" __device__ const int gsa_shared[2] = {WriteShared::Bytes, Chunk::Bytes};
#else
extern "C" __device__ const int gsa_shared[4] = {WriteShared::Bytes, Chunk::Bytes, AskShared::Bytes, Columns::Bytes};
#endif
