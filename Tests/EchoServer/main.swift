// The echo service of proto/fovea/testing: the server that foreign clients test and benchmarks
// measure, and a client that tests foreign servers. See `fovea-echo --help`.

import Operation

ProcessSetup.apply()
let words = Array(CommandLine.arguments.dropFirst())
// Signals are taken over before any other thread starts.
let signals = words.first == "serve" ? Signals() : nil
await Command.run(words, signals)
