// Stands where src/T2R/Ops/Overlap.cuh stands: kernels follow each other.
#pragma once

inline void let_next_start() { }
inline void await_earlier() { }
