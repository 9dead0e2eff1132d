using T2R.Cli;

return CommandLine.Run(args);
