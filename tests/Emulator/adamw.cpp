// Steps the ranges in a file by a kernel of AdamW.cu; the arguments are the kernel and the file, into which what has changed is written (EmulatedAdamWTests.cs).
#include "Emulator.h"
#include "Ops/AdamW/AdamW.cu"
#include <map>
#include <string>
unsigned char shared[SharedBytes];

using std::string;
using std::vector;

// Numbers that begin some elements after a multiple of 16 bytes, and what lies around them.
struct Memory
{
    vector<unsigned char> bytes;
    size_t first, size;
};

static bool is_untouched(const Memory& memory)
{
    for (size_t i = 0; i < memory.bytes.size(); i++)
    {
        if ((i < memory.first || i >= memory.first + memory.size) && memory.bytes[i] != 0xEE)
        {
            return false;
        }
    }

    return true;
}

static size_t size_of(const string& type) { return type == "f32" || type == "master" ? 4 : type == "bf16" ? 2 : 1; }

int main(int argc, char** argv)
{
    std::map<string, void (*)(Arguments)> kernels
    {
#define KERNEL(NAME) {#NAME, [](Arguments a) { NAME(a); }}
        KERNEL(adamw_f32_f32_f32), KERNEL(adamw_f32_bf16_f32), KERNEL(adamw_bf16_f32_f32), KERNEL(adamw_bf16_bf16_f32), KERNEL(adamw_master_f32_f32), KERNEL(adamw_master_bf16_f32),
        KERNEL(adamw_f32_f32_bf16), KERNEL(adamw_f32_bf16_bf16), KERNEL(adamw_bf16_f32_bf16), KERNEL(adamw_bf16_bf16_bf16),
        KERNEL(adamw_f32_f32_8bit), KERNEL(adamw_f32_bf16_8bit), KERNEL(adamw_bf16_f32_8bit), KERNEL(adamw_bf16_bf16_8bit),
    };
    string name = argv[1], types = name.substr(6);
    string weight = types.substr(0, types.find('_')), gradient = types.substr(weight.size() + 1, types.rfind('_') - weight.size() - 1), moments = types.substr(types.rfind('_') + 1);

    FILE* file = fopen(argv[2], "r+b");
    Arguments a{};
    vector<Memory> memories;
    int ranges = 0, blocks = 0;
    for (long long header[3]; fread(header, sizeof header, 1, file) == 1; ranges++)
    {
        Range& range = a.ranges[ranges];
        range.count = header[0];
        range.first = header[1];
        range.start = blocks;
        blocks += (range.count + Warps * Turns * 256 - 1) / (Warps * Turns * 256);
        auto read = [&](long long count, size_t size)
        {
            size_t shift = header[2] * size;
            vector<unsigned char> bytes(48 + shift + count * size, 0xEE);
            size_t first = (16 - (uintptr_t)bytes.data() % 16) % 16 + 16 + shift;
            if (fread(&bytes[first], size, count, file) != (size_t)count)
            {
                abort();
            }

            memories.push_back({std::move(bytes), first, count * size});
            return (void*)&memories.back().bytes[first];
        };
        if (fread(&range.step, sizeof range.step, 1, file) != 1)
        {
            abort();
        }

        bool scaled = moments == "8bit";
        long long scales = scaled ? (range.count + 255) / 256 : 0;
        range.gradient = read(range.count, size_of(gradient));
        range.weight = read(range.count, weight == "master" ? 2 : size_of(weight));
        range.mean = read(range.count, size_of(moments));
        range.spread = read(range.count, size_of(moments));
        range.mean_scale = (float*)read(scales, 4);
        range.spread_scale = (float*)read(scales, 4);
        range.master = (float*)read(weight == "master" ? range.count : 0, 4);
    }

    for (int i = ranges; i < MostRanges; i++)
    {
        a.ranges[i].start = 0x7FFFFFFF;
    }

    emulator::launch(blocks, Threads, 0, [&] { kernels.at(name)(a); });
    for (const Memory& memory : memories)
    {
        if (!is_untouched(memory))
        {
            fprintf(stderr, "written beside the numbers\n");
            return 1;
        }
    }

    rewind(file);
    for (int i = 0; i < ranges; i++)
    {
        const Range& range = a.ranges[i];
        long long scales = moments == "8bit" ? (range.count + 255) / 256 : 0;
        fwrite(range.weight, weight == "master" ? 2 : size_of(weight), range.count, file);
        fwrite(range.mean, size_of(moments), range.count, file);
        fwrite(range.spread, size_of(moments), range.count, file);
        fwrite(range.mean_scale, 4, scales, file);
        fwrite(range.spread_scale, 4, scales, file);
        fwrite(range.master, 4, weight == "master" ? range.count : 0, file);
    }

    return fclose(file);
}
