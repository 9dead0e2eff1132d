// Copies to shared memory that a thread need not wait for (PTX ISA, cp.async): what it asked for between two commits is a group, and groups arrive in order.

template <int Bytes>
__device__ __forceinline__ void copy_later(void* to, const void* from)
{
    if (Bytes == 16)
    {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" :: "r"(shared_address(to)), "l"(from) : "memory");
    }
    else
    {
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" :: "r"(shared_address(to)), "l"(from), "n"(Bytes) : "memory");
    }
}

// 16 bytes, or zeros.
__device__ __forceinline__ void copy_later_or_zero(void* to, const void* from, bool is)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(shared_address(to)), "l"(from), "r"(is ? 16 : 0) : "memory");
}

__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most so many of this thread's groups are still under way.
template <int Groups>
__device__ __forceinline__ void await_copies() { asm volatile("cp.async.wait_group %0;" :: "n"(Groups) : "memory"); }
