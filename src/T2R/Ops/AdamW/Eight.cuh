// Eight neighbours of a tensor, which one lane reads, steps and writes.

typedef unsigned short bf16;
typedef unsigned char byte;

// As they lie in memory: two words of bytes, four of bf16, eight of fp32. Words are read before any is looked at, so that all of a lane's reads are under way at once.
template <class T>
struct Eight
{
    static constexpr int Words = 2 * sizeof(T);
    unsigned word[Words];
};

__device__ __forceinline__ unsigned bits_of(float x) { return __float_as_uint(x); }
__device__ __forceinline__ unsigned bits_of(bf16 x) { return x; }
__device__ __forceinline__ unsigned bits_of(byte x) { return x; }

__device__ __forceinline__ void set(float& x, unsigned bits) { x = __uint_as_float(bits); }
__device__ __forceinline__ void set(bf16& x, unsigned bits) { x = (bf16)bits; }
__device__ __forceinline__ void set(byte& x, unsigned bits) { x = (byte)bits; }

// All eight, from an address that is a multiple of 16 bytes, of 8 for bytes. Nothing is touched twice in a step, so none of it need stay in a cache.

template <class T>
__device__ __forceinline__ void read(Eight<T>& x, const T* from)
{
#pragma unroll
    for (int i = 0; i < Eight<T>::Words; i += 4)
    {
        uint4 four = __ldcs((const uint4*)from + i / 4);
        x.word[i] = four.x;
        x.word[i + 1] = four.y;
        x.word[i + 2] = four.z;
        x.word[i + 3] = four.w;
    }
}

__device__ __forceinline__ void read(Eight<byte>& x, const byte* from)
{
    uint2 two = __ldcs((const uint2*)from);
    x.word[0] = two.x;
    x.word[1] = two.y;
}

template <class T>
__device__ __forceinline__ void write(T* to, const Eight<T>& x)
{
#pragma unroll
    for (int i = 0; i < Eight<T>::Words; i += 4)
    {
        __stcs((uint4*)to + i / 4, make_uint4(x.word[i], x.word[i + 1], x.word[i + 2], x.word[i + 3]));
    }
}

__device__ __forceinline__ void write(byte* to, const Eight<byte>& x) { __stcs((uint2*)to, make_uint2(x.word[0], x.word[1])); }

// The first `left` of them, at any address; what is not there is zero.
template <class T>
__device__ __forceinline__ void read(Eight<T>& x, const T* from, long long left)
{
    constexpr int PerWord = 4 / sizeof(T);
#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        unsigned bits = i < left ? bits_of(from[i]) : 0u;
        x.word[i / PerWord] = i % PerWord == 0 ? bits : x.word[i / PerWord] | bits << (i % PerWord * 8 * sizeof(T));
    }
}

template <class T>
__device__ __forceinline__ void write(T* to, const Eight<T>& x, long long left)
{
    constexpr int PerWord = 4 / sizeof(T);
#pragma unroll
    for (int i = 0; i < 8; i++)
    {
        if (i < left)
        {
            set(to[i], x.word[i / PerWord] >> (i % PerWord * 8 * sizeof(T)));
        }
    }
}
