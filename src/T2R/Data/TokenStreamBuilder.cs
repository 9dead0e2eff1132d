using System.Buffers;

namespace T2R.Data;

/// <summary>Gathers ids in 16 bits each until one does not fit, then in 32.</summary>
internal sealed class TokenStreamBuilder
{
    private ArrayBufferWriter<ushort> _narrow = new();
    private ArrayBufferWriter<int>? _wide;

    public long Count => _wide?.WrittenCount ?? _narrow.WrittenCount;

    public long Bytes => Count * (_wide is null ? sizeof(ushort) : sizeof(int));

    public void Append(IReadOnlyList<int> ids)
    {
        for (int i = 0; i < ids.Count; i++)
        {
            Append(ids[i]);
        }
    }

    public void Append(int id)
    {
        if (_wide is null && id > ushort.MaxValue)
        {
            Widen();
        }

        if (_wide is not null)
        {
            _wide.GetSpan(1)[0] = id;
            _wide.Advance(1);
        }
        else
        {
            _narrow.GetSpan(1)[0] = (ushort)id;
            _narrow.Advance(1);
        }
    }

    public TokenStream ToStream(int beginId) => _wide is not null
        ? new TokenStream(_wide.WrittenSpan.ToArray(), beginId)
        : new TokenStream(_narrow.WrittenSpan.ToArray(), beginId);

    private void Widen()
    {
        _wide = new ArrayBufferWriter<int>(Math.Max(256, _narrow.WrittenCount * 2));
        foreach (ushort id in _narrow.WrittenSpan)
        {
            _wide.GetSpan(1)[0] = id;
            _wide.Advance(1);
        }

        _narrow = new ArrayBufferWriter<ushort>();
    }
}
