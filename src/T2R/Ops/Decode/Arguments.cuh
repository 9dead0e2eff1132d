// What the kernels of a step are given, laid out as in DecodeArguments.cs.

// Sums of squares of what a norm reads, one for each `width` numbers of a row, in order.
struct Squares
{
    const float* parts; // [batch, count]; null: no norm
    int count;
    int size;           // numbers of a row
    float epsilon;
    float scale;        // over that of the norm's weight as the writer has it: a power of two
};

// The residual stream, and what the norm after it needs.
struct Stream
{
    float* x;           // [batch, rows]
    const float* norm;  // weight of the next norm [rows]
    b16* normed;        // x o norm, still to be divided by its root mean square [batch, rows]
    float* squares;     // of x, one for each 16 numbers [batch, rows / 16]
};

struct ProjectArguments
{
    Stack stack;
    const b16* inputs;   // [batch, depth]
    Squares squares;     // of the inputs before their norm's weight
    int depth;
    int batch;
    int rows;            // of the stack
    float* outputs;      // project: [batch, rows]
    b16* gated;          // project_gated: [batch, rows / 2]
    Stream stream;       // project_added
};

constexpr int MostSequences = 64; // of a step

struct SlotStepArguments
{
    const float* products; // q | k | v | f [batch, row]
    float* keys;           // [slots, heads, KEYS, SLOTS]
    float* values;         // [slots, heads, SLOTS, VALUES]
    const float* norm;     // weight of the output norm [heads * GROUPS * VALUES]
    b16* normed;           // silu(o) o norm [batch, heads * GROUPS * VALUES]
    float* squares;        // of silu(o), one for each query head [batch, heads * GROUPS]
    int heads;             // key-value heads
    float rate;            // 1 / tau
    int slots[MostSequences];
};

struct EmbedArguments
{
    const b16* embedding;  // [vocabulary, rows]
    int rows;
    Stream stream;
    int ids[MostSequences];
};
