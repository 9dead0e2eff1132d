using BenchmarkDotNet.Running;
using T2R.Interop;

LibTorch.Load();
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
