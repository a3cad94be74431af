// The echo service of proto/fovea/testing: the server that foreign clients test and benchmarks
// measure, and a client that tests foreign servers. See `fovea-echo --help`.

Command.main()
