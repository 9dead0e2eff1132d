using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using T2R.Server.Api;

namespace T2R.Server.Security;

/// <summary>Lets those through who know the key, and all to what is for all. Hashes are compared, in a time that does not tell how much of a key is right.</summary>
/// <param name="key">The key.</param>
internal sealed class KeyGate(string key)
{
    private const string Scheme = "Bearer ";

    private readonly byte[] _hash = Hash(key);

    public Task PassAsync(HttpContext context, RequestDelegate next)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<IAllowAnonymous>() is not null)
        {
            return next(context);
        }

        string given = context.Request.Headers.Authorization.ToString();
        bool isBearer = given.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase);
        if (isBearer && CryptographicOperations.FixedTimeEquals(_hash, Hash(given[Scheme.Length..].Trim())))
        {
            return next(context);
        }

        context.Response.Headers.WWWAuthenticate = "Bearer";
        throw ApiException.WrongKey(isMissing: !isBearer);
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}
