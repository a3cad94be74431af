import Base
import RPC
import Testing

@testable import Operation

struct VerbTests {
    private func run(_ arguments: String..., environment: [String: String] = [:]) async -> (
        outcome: Verb.Outcome, output: String, complaints: [String]
    ) {
        let recording = Recording()
        let outcome = await ServiceMain.run(
            TestService.definition, arguments: arguments, environment: environment,
            console: recording.console)
        return (outcome, recording.output.with { $0 }, recording.complaints.with { $0 })
    }

    @Test func aVerbRunsWithItsOptionsAndOperands() async {
        let result = await run("greet", "ann", "--loud")
        #expect(result == (.success, "HELLO ANN\n", []))
    }

    @Test func mistakesAreOneLineAndExitCodeTwo() async {
        #expect(
            await run("gret")
                == (
                    .badUsage, "",
                    [
                        "fovea-sample: 'gret' is not a verb (did you mean 'greet'?);"
                            + " --help lists the verbs"
                    ]
                ))
        #expect(await run().outcome == .badUsage)
        #expect(await run("greet", "--lod").outcome == .badUsage)
        #expect(await run("greet", environment: ["FOVEA_X": "1"]).outcome == .badUsage)
        #expect(await run("greet", environment: ["FOVEA_LISTEN": "x"]).outcome == .success)
        #expect(await run("version", "x").outcome == .badUsage)
    }

    @Test func verbsOfALaterReleaseSaySo() async {
        #expect(
            await run("dance", "--anything")
                == (
                    .failure, "",
                    ["fovea-sample: dance comes with a later release; --help lists what works now"]
                ))
    }

    @Test func versionIsOneLine() async {
        #expect(await run("version").output == "fovea-sample \(Build.version)\n")
        #expect(await run("--version").output == "fovea-sample \(Build.version)\n")
        #expect(
            await run("version", "--json").output
                == #"{"name":"fovea-sample","version":"\#(Build.version)"}"# + "\n")
    }

    @Test func aNewTokenAndItsLineBelongTogether() async throws {
        let result = await run(
            "token", "create", "--name", "ann", "--role", "trainer", "--expires", "2030-01-01")
        let lines = result.output.split(separator: "\n").map(String.init)
        let token = try #require(Token(lines[1]))
        let file = try TokenFile(parsing: lines[3])
        #expect(file.tokens[token.id]?.hash?.matches(token) == true)
        #expect(file.tokens[token.id]?.principal.role == .trainer)
        #expect(lines[3].hasSuffix("expires=2030-01-01"))
    }

    @Test(arguments: [
        ["token"], ["token", "delete"], ["token", "create"], ["token", "create", "--name", "a"],
        ["token", "create", "--name", "a b", "--role", "reader"],
        ["token", "create", "--name", "a", "--role", "king"],
        ["token", "create", "--name", "a", "--role", "reader", "--expires", "soon"],
    ])
    func tokensNeedANameAndARole(arguments: [String]) async {
        let recording = Recording()
        let outcome = await ServiceMain.run(
            TestService.definition, arguments: arguments, environment: [:],
            console: recording.console)
        #expect(outcome == .badUsage)
        #expect(recording.complaints.with { $0.count } == 1)
        #expect(recording.output.with { $0 } == "")
    }

    @Test func helpTeaches() async {
        #expect(
            await run("--help").output == """
                fovea-sample: a service for tests.

                Usage: fovea-sample VERB [OPTIONS]
                       fovea-sample VERB --help

                Verbs:
                  serve    Run the service until SIGTERM.
                  health   Ask a running server whether it is ready; exit code 0 if it is.
                  token    Make a secret for a caller, and the line that lets it in.
                  version  Print the version.
                  greet    Say hello.

                Verbs of a later release (they end with exit code 1 until then):
                  dance  Dance.

                Examples:
                  fovea-sample serve
                      Answer on the default Unix socket, keep everything in ./fovea-data.
                  fovea-sample health
                      Ask that server whether it is ready.

                Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.

                """)
        #expect(
            await run("greet", "--help").output == """
                Usage: fovea-sample greet [NAME] [OPTIONS]

                Say hello.

                Options:
                  --loud  In capitals.

                Examples:
                  fovea-sample greet ann
                      Greets Ann.

                """)
    }

    @Test func everyOptionOfServeIsInItsHelp() async {
        let page = await run("serve", "--help").output
        for option in ServeConfiguration.options(for: TestService.definition) {
            #expect(page.contains("  \(option.flag)"))
        }
    }

    @Test func progressIsALine() throws {
        let start = MonotonicTime(nanoseconds: 1_000)
        var bar = ProgressBar(
            title: "importing", unit: "rows", total: 10_000, columnsMax: 100, start: start)
        let line = bar.line(done: 4_500, now: start.advanced(bySeconds: 3))
        #expect(
            line == "\rimporting  [=========>          ]   45%  4500/10000 rows  1500/s  4 s left"
                + "\u{1b}[K")
        #expect(bar.line(done: 4_600, now: start.advanced(bySeconds: 3.05)) == nil)
        #expect(bar.line(done: 4_700, now: start.advanced(bySeconds: 3.2)) != nil)
        #expect(
            bar.end(done: 10_000, now: start.advanced(bySeconds: 4))
                == "\rimporting  [====================]  100%  10000/10000 rows  2500/s\u{1b}[K\n")
    }

    @Test func progressFitsAnyTerminalAndAnyNumber() {
        let start = MonotonicTime(nanoseconds: 0)
        for (total, done) in [(nil, 7), (0, 0), (10, 25), (10, -3), (Int.max, Int.max)] {
            for columns in [0, 1, 20, 200] {
                var bar = ProgressBar(
                    title: "t", unit: "u", total: total, columnsMax: columns, start: start)
                let line = bar.line(done: done, now: start.advanced(bySeconds: 1e-9)) ?? ""
                #expect(line.count <= max(columns, 1) + 4)
            }
        }
    }

    @Test func tablesAlign() {
        var table = TextTable("NAME", "STATE")
        table.add("a-long-name", "x\u{1b}[2J")
        table.add("b", "y")
        #expect(table.text == "NAME         STATE\na-long-name  x [2J\nb            y\n")
    }
}
