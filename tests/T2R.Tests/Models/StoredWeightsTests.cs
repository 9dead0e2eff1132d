using T2R.Models;
using T2R.Tests.Checkpoints;
using Xunit;
using static TorchSharp.torch;

namespace T2R.Tests.Models;

public class StoredWeightsTests
{
    private static readonly TinyShape Mistral = new(), Recurrent = new() { HybridLayers = [] };

    [Fact]
    public void A_tensor_that_is_missing_is_named_with_its_shape()
    {
        var model = new TinyModel(Mistral);
        model.Weights.Remove("model.layers.1.self_attn.k_proj.weight");
        Opening.IsRefused(model, "model.layers.1.self_attn.k_proj.weight", "missing", "[16, 32]");
    }

    [Fact]
    public void A_tensor_that_is_left_over_is_named()
    {
        var model = new TinyModel(Mistral);
        model.Add("model.layers.1.self_attn.q_proj.bias", 32);
        Opening.IsRefused(model, "model.layers.1.self_attn.q_proj.bias", "Mistral");
    }

    [Fact]
    public void Tensors_of_layers_beyond_the_last_are_left_over()
    {
        var model = new TinyModel(Mistral);
        model.Config["num_hidden_layers"] = 2;
        var problems = Opening.Problems(model);
        Assert.Equal(9, problems.Count);
        Assert.All(problems, p => Assert.Contains("model.layers.2.", p));
    }

    [Fact]
    public void A_tensor_of_another_shape_is_named_with_both()
    {
        var model = new TinyModel(Mistral);
        model.Add("model.layers.0.mlp.up_proj.weight", 48, 31);
        Opening.IsRefused(model, "model.layers.0.mlp.up_proj.weight", "[48, 31]", "[48, 32]");
    }

    [Fact]
    public void A_tensor_of_one_axis_more_is_of_another_shape()
    {
        var model = new TinyModel(Mistral);
        model.Add("model.norm.weight", 1, 32);
        Opening.IsRefused(model, "model.norm.weight", "[1, 32]", "[32]");
    }

    [Fact]
    public void Whole_numbers_are_no_weights()
    {
        var model = new TinyModel(Mistral, ScalarType.Int32);
        var problems = Opening.Problems(model);
        Assert.Equal(model.Weights.Count, problems.Count);
        Assert.All(problems, p => Assert.Contains("I32", p));
    }

    [Fact]
    public void A_mistake_in_the_config_and_a_broken_file_are_named_together()
    {
        using var folder = new TemporaryFolder();
        var model = new TinyModel(Mistral);
        model.Config["hidden_act"] = "relu";
        model.Save(folder["m"]);
        string file = Directory.GetFiles(folder["m"], "*.safetensors").Single();
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..^10]);
        var problems = Assert.Throws<UserErrorException>(() => ModelFolder.Open(folder["m"])).Problems;
        Assert.Equal(2, problems.Count);
        Assert.Contains(problems, p => p.Contains("hidden_act", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.Contains(file, StringComparison.Ordinal));
    }

    [Fact]
    public void A_tied_head_that_is_also_stored_is_accepted_when_it_equals_the_embedding()
    {
        var model = new TinyModel(Mistral with { Tied = true });
        model.Weights["lm_head.weight"] = model.Weights["model.embed_tokens.weight"];
        AssertLogits(model);
    }

    [Fact]
    public void A_tied_head_that_differs_from_the_embedding_is_refused()
    {
        var model = new TinyModel(Mistral with { Tied = true });
        model.Add("lm_head.weight", 60, 32);
        Opening.IsRefused(model, "lm_head.weight", "model.embed_tokens.weight", "tie_word_embeddings");
    }

    [Fact]
    public void A_tied_head_of_another_shape_is_refused()
    {
        var model = new TinyModel(Mistral with { Tied = true });
        model.Add("lm_head.weight", 59, 32);
        Opening.IsRefused(model, "lm_head.weight");
    }

    [Fact]
    public void Older_names_of_norms_give_the_same_model()
    {
        var model = new TinyModel(Recurrent);
        var older = new TinyModel(Recurrent);
        for (int i = 0; i < 3; i++)
        {
            Rename(older, $"model.layers.{i}.attn_norm.weight", $"model.layers.{i}.attn.norm.weight");
            Rename(older, $"model.layers.{i}.mlp_norm.weight", $"model.layers.{i}.mlp.norm.weight");
        }

        AssertLogits(older, model);
    }

    [Fact]
    public void An_older_fused_gate_projection_gives_the_same_model()
    {
        var model = new TinyModel(Recurrent);
        var older = new TinyModel(Recurrent);
        for (int i = 0; i < 3; i++)
        {
            string gate = $"model.layers.{i}.mlp.gate_proj.weight", up = $"model.layers.{i}.mlp.up_proj.weight";
            older.Weights[gate] = new TinyTensor([96, 32], [.. model.Weights[gate].Values, .. model.Weights[up].Values]);
            older.Weights.Remove(up);
        }

        AssertLogits(older, model);
    }

    [Fact]
    public void A_fused_gate_projection_beside_an_up_projection_is_of_a_wrong_shape()
    {
        var model = new TinyModel(Recurrent);
        model.Add("model.layers.0.mlp.gate_proj.weight", 96, 32);
        Opening.IsRefused(model, "gate_proj", "[96, 32]", "[48, 32]");
    }

    [Fact]
    public void Mistral_folders_have_no_fused_gate_projection()
    {
        var model = new TinyModel(Mistral);
        model.Add("model.layers.0.mlp.gate_proj.weight", 96, 32);
        model.Weights.Remove("model.layers.0.mlp.up_proj.weight");
        Assert.Equal(2, Opening.Problems(model).Count);
    }

    [Fact]
    public void An_old_and_a_new_name_of_one_weight_are_refused()
    {
        var model = new TinyModel(Recurrent);
        model.Add("model.layers.0.attn.norm.weight", 32);
        Opening.IsRefused(model, "model.layers.0.attn.norm.weight", "model.layers.0.attn_norm.weight");
    }

    [Fact]
    public void Rotary_tables_that_old_files_kept_are_passed_over()
    {
        var model = new TinyModel(Mistral);
        model.Add("model.layers.0.self_attn.rotary_emb.inv_freq", 4);
        Assert.Empty(Opening.Warnings(model));
    }

    private static void Rename(TinyModel model, string name, string other)
    {
        model.Weights[other] = model.Weights[name];
        model.Weights.Remove(name);
    }

    private static void AssertLogits(TinyModel stored, TinyModel? reference = null)
    {
        long[] ids = [1, 5, 44, 3];
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        stored.Save(folder["m"]);
        using var opened = ModelFolder.Open(folder["m"]);
        Assert.Empty(opened.Warnings);
        using var model = opened.Load(CPU, ScalarType.Float32);
        using var context = new T2R.Mixers.SequenceContext(1, ids.Length, CPU);
        LogitsAssert.Close(new ReferenceModel(reference ?? stored).Logits(ids), model.Forward(tensor(ids, [1, 4]), context)[0]);
    }
}
