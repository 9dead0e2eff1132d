namespace T2R.Server.Chat;

/// <summary>Templates to choose by name, for a model whose folder has none that can be used.</summary>
internal static class NamedTemplates
{
    /// <summary>The name that the special tokens' names have in templates here.</summary>
    public const string ControlTokens = "control_tokens";

    // For a model that was taught none.
    private const string Plain = """
        {{- bos_token -}}
        {%- for m in messages -%}
            {{- m.content + '\n\n' if m.role == 'system' else ('User: ' if m.role == 'user' else 'Assistant: ') + m.content + '\n' -}}
        {%- endfor -%}
        Assistant:
        """;

    // The marks are text to older tokenizers, which want what the system says before the first question, and special tokens to newer ones, which want it before the last (mistral-common,
    // versions 1 and 3).
    private const string Mistral = """
        {%- set marked = '[INST]' in control_tokens and '[/INST]' in control_tokens -%}
        {%- set ns = namespace(system='', turns=0) -%}
        {%- for m in messages -%}
            {%- if m.role == 'system' and ns.turns == 0 -%}
                {%- set ns.system = ns.system + ('\n\n' if ns.system else '') + m.content -%}
            {%- else -%}
                {%- if m.role != ('user' if ns.turns % 2 == 0 else 'assistant') -%}
                    {{- raise_exception('roles take turns: system messages first if any, then user, assistant, user and so on, a user\'s last.') -}}
                {%- endif -%}
                {%- set ns.turns = ns.turns + 1 -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if ns.turns % 2 == 0 -%}
            {{- raise_exception('roles take turns: system messages first if any, then user, assistant, user and so on, a user\'s last.') -}}
        {%- endif -%}
        {{- bos_token -}}
        {%- for m in messages[(messages | length) - ns.turns:] -%}
            {%- if m.role == 'assistant' -%}
                {{- ('' if marked else ' ') + m.content + eos_token -}}
            {%- else -%}
                {%- set content = ns.system + '\n\n' + m.content if ns.system and (loop.last if marked else loop.first) else m.content -%}
                {{- '[INST]' + content + '[/INST]' if marked else '[INST] ' + content + ' [/INST]' -}}
            {%- endif -%}
        {%- endfor -%}
        """;

    private const string ChatML = """
        {%- for m in messages -%}
            {{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' -}}
        {%- endfor -%}
        {{- '<|im_start|>assistant\n' -}}
        """;

    private const string Llama3 = """
        {{- bos_token -}}
        {%- for m in messages -%}
            {{- '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim + '<|eot_id|>' -}}
        {%- endfor -%}
        {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}
        """;

    /// <summary>All of them; the first is for a folder without a template.</summary>
    public static IReadOnlyList<ChatTemplate> All { get; } =
    [
        new("plain", Plain) { Stops = ["\nUser:"] },
        new("mistral", Mistral),
        new("chatml", ChatML) { Controls = ["<|im_start|>", "<|im_end|>"], End = "<|im_end|>" },
        new("llama-3", Llama3) { Controls = ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], End = "<|eot_id|>" },
    ];
}
