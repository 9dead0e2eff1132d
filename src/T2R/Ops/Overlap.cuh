// Kernels of one chain that overlap (CUDA programming guide, programmatic dependent launch): the next one's blocks may start while this one's last are still at work, and
// touch nothing that earlier kernels write before they have waited for them. Where a card has no such thing both do nothing, and kernels follow each other.

__device__ __forceinline__ void let_next_start()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

__device__ __forceinline__ void await_earlier()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
