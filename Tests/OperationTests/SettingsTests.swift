import Base
import RPC
import Testing

@testable import Operation

struct SettingsTests {
    private static let specs = [
        OptionSpec("listen", .list, "ADDRESS", "Where."),
        OptionSpec("data", .text, "DIR", standard: "./fovea-data", "What."),
        OptionSpec("threads", .integer(1...8), "N", standard: "2", "How many."),
        OptionSpec("message-bytes-max", .bytes(1...1 << 30), "BYTES", "How large."),
        OptionSpec("drain-seconds", .seconds(0...60), "SECONDS", "How long."),
        OptionSpec("log-level", .choice(["info", "error"]), "LEVEL", "How much."),
        OptionSpec("insecure", .flag, "", "Whether."),
        OptionSpec("config", .text, "FILE", "From where."),
        OptionSpec("json", .flag, from: .flag, "For programs."),
        OptionSpec("server", .text, "ADDRESS", from: .variable("FOVEA_DATASET"), "Whom."),
    ]

    private func settings(
        _ arguments: [String] = [], environment: [String: String] = [:], file: String = "{}"
    ) throws(UsageError) -> Settings {
        let input = Settings.Input(arguments: arguments, environment: environment) { path in
            path == "c.json" ? .success(Bytes(file)) : .failure(SystemError(code: 2))
        }
        return try Settings(
            input, specs: Self.specs, verb: "serve", knownVariables: ["FOVEA_GOLDENS"])
    }

    /// What the command line is refused with.
    private func refusal(
        _ arguments: [String] = [], environment: [String: String] = [:], file: String = "{}"
    ) -> String? {
        do throws(UsageError) {
            _ = try settings(arguments, environment: environment, file: file)
            return nil
        } catch {
            return error.message
        }
    }

    @Test func flagsWinThenVariablesThenTheFileThenDefaults() throws {
        let file = #"{"data": "f", "threads": 3, "log_level": "error", "drain_seconds": 1.5}"#
        let settings = try settings(
            ["--data", "a", "--config=c.json"],
            environment: ["FOVEA_DATA": "b", "FOVEA_THREADS": "4"], file: file)
        #expect(settings.text("data") == "a")
        #expect(settings.integer("threads") == 4)
        #expect(settings.text("log-level") == "error")
        #expect(settings.number("drain-seconds") == 1.5)
        #expect(settings.flag("insecure") == false)
    }

    @Test func listsRepeatSplitAndCountUp() throws {
        #expect(
            try settings(["--listen", "a", "--listen=b=c", "--", "--d"]).list("listen")
                == ["a", "b=c"])
        #expect(try settings(["x", "--", "--y"]).positionals == ["x", "--y"])
        #expect(
            try settings(environment: ["FOVEA_LISTEN": "a, b"]).list("listen") == ["a", "b"])
        #expect(
            try settings(["--config", "c.json"], file: #"{"listen": ["a", "b"]}"#)
                .list("listen") == ["a", "b"])
        #expect(
            try settings(["--listen", "x"], environment: ["FOVEA_LISTEN": "a"]).list("listen")
                == ["x"])
    }

    @Test func flagsOfBytesAndTruthAreRead() throws {
        let settings = try settings(["--insecure", "--message-bytes-max", "64MiB"])
        #expect(settings.flag("insecure"))
        #expect(settings.byteCount("message-bytes-max") == 64 << 20)
        #expect(try self.settings(["--insecure=false"]).flag("insecure") == false)
        #expect(
            try self.settings(["--config=c.json"], file: #"{"message_bytes_max": 4096}"#)
                .byteCount("message-bytes-max") == 4_096)
    }

    @Test func emptyVariablesAndThoseOfOthersDoNotCount() throws {
        let settings = try settings(environment: [
            "FOVEA_DATA": "", "FOVEA_GOLDENS": "x", "FOVEA_TEST_X": "y", "HOME": "/",
            "FOVEA_DATASET": "unix:/x",
        ])
        #expect(settings.text("data") == "./fovea-data")
        #expect(settings.text("server") == "unix:/x")
    }

    @Test(arguments: [
        (["--lsten", "x"], "'--lsten' is not an option of serve (did you mean '--listen'?)"),
        (["--zebra"], "'--zebra' is not an option of serve; serve --help lists them"),
        (["-x"], "'-x' is not an option of serve"),
        (["--data"], "'--data' needs a value: --data DIR"),
        (["--data", "--listen"], "'--data' needs a value"),
        (["--data="], "'--data' is ''; it must not be empty"),
        (["--data", "a", "--data", "b"], "'--data' is given twice; give it once"),
        (["--threads", "9"], "'--threads' is '9'; a whole number from 1 to 8 is allowed"),
        (["--drain-seconds", "nan"], "'--drain-seconds' is 'nan'; a number of seconds"),
        (["--log-level", "x"], "'--log-level' is 'x'; one of info, error is allowed"),
        (["--insecure=x"], "'--insecure' is 'x'; true or false is allowed"),
        (["--message-bytes-max", "9999999999GiB"], "'--message-bytes-max' is '9999999999GiB'"),
        (["--config", "n.json"], "cannot read the configuration file 'n.json' (No such file"),
    ])
    func wrongFlagsAreNamed(arguments: [String], words: String) {
        #expect(refusal(arguments)?.hasPrefix(words) == true, "\(refusal(arguments) ?? "")")
    }

    @Test func wrongVariablesAreNamed() {
        #expect(
            refusal(environment: ["FOVEA_LISTN": "x"])?.hasPrefix(
                "the environment variable 'FOVEA_LISTN' is not known"
                    + " (did you mean 'FOVEA_LISTEN'?)") == true)
        #expect(
            refusal(environment: ["FOVEA_THREADS": "x"])
                == "the variable FOVEA_THREADS is 'x'; a whole number from 1 to 8 is allowed")
        #expect(refusal(environment: ["FOVEA_JSON": "true"]) != nil)
    }

    @Test(arguments: [
        (#"{"lissten": "x"}"#, "'lissten' in 'c.json' is not a configuration key (did you mean"),
        (#"{"threads": "3"}"#, "'threads' in 'c.json' is '3'; a whole number from 1 to 8"),
        (#"{"threads": 3.5}"#, "'threads' in 'c.json' is '3.5'; a whole number from 1 to 8"),
        (#"{"threads": true}"#, "'threads' in 'c.json' is 'true'"),
        (#"{"insecure": 1}"#, "'insecure' in 'c.json' is '1'; true or false is allowed"),
        (#"{"listen": []}"#, "'listen' in 'c.json' is 'an array'; a text or an array of texts"),
        (#"{"listen": [1]}"#, "'listen' in 'c.json' is 'an array'"),
        (#"{"data": null}"#, "'data' in 'c.json' is 'null'"),
        (#"{"data": {"x": 1}}"#, "'data' in 'c.json' is 'an object'"),
        (#"{"config": "d.json"}"#, "'config' in 'c.json' is not a configuration key"),
        (#"{"json": true}"#, "'json' in 'c.json' is not a configuration key"),
        ("[]", "the configuration file 'c.json' cannot be used: it is not one JSON object"),
        ("{", "the configuration file 'c.json' cannot be used: it is not one JSON object"),
        ("", "the configuration file 'c.json' cannot be used: it is not one JSON object"),
    ])
    func wrongFilesAreNamed(file: String, words: String) {
        let refusal = refusal(["--config", "c.json"], file: file)
        #expect(refusal?.hasPrefix(words) == true, "\(refusal ?? "")")
    }

    @Test func aKeyIsCheckedEvenWhereAFlagWins() {
        #expect(refusal(["--threads=1", "--config=c.json"], file: #"{"threads": 99}"#) != nil)
    }

    @Test(arguments: [
        ("listne", "listen"), ("list", nil), ("lissten", "listen"), ("dta", "data"), ("", nil),
    ])
    func suggestionsAreNear(word: String, nearest: String?) {
        #expect(Suggestion.nearest(to: word, among: ["data", "listen", "threads"]) == nearest)
    }
}

struct ServeConfigurationTests {
    private func configuration(_ arguments: String...) throws(UsageError) -> ServeConfiguration {
        let service = TestService.definition
        let settings = try Settings(
            Settings.Input(arguments: arguments, environment: [:]) { _ in
                .failure(SystemError(code: 2))
            }, specs: ServeConfiguration.options(for: service), verb: "serve")
        return try ServeConfiguration(
            settings, service: service, environment: ["XDG_RUNTIME_DIR": "/run/user/7"])
    }

    @Test func defaultsAreAUnixSocketAndLocalMetrics() throws {
        let plain = try configuration()
        #expect(plain.listen == [.unix(path: "/run/user/7/fovea/sample.sock")])
        #expect(plain.runtimeFolder == "/run/user/7/fovea")
        #expect(plain.metrics == ServeConfiguration.Endpoint(host: "127.0.0.1", port: 9_199))
        #expect(plain.socketMode == 0o600)
        #expect(plain.messageBytesMax == 64 << 20)
        #expect(plain.drainSeconds == 30)
        #expect(plain.dataFolder == "./fovea-data")
        #expect(try configuration("--metrics=off").metrics == nil)
    }

    @Test func otherMachinesNeedTokensOrAWord() throws {
        #expect(throws: UsageError.self) { try configuration("--listen=tcp:0.0.0.0:1") }
        #expect(throws: UsageError.self) { try configuration("--listen=tcp:[::]:1") }
        #expect(throws: UsageError.self) { try configuration("--listen=tcp:127.evil.org:1") }
        for allowed in ["--insecure", "--tokens=t"] {
            #expect(try configuration("--listen=tcp:0.0.0.0:1", allowed).listen.count == 1)
        }
        for host in ["127.0.0.1", "127.3.2.1", "[::1]", "localhost"] {
            #expect(try configuration("--listen=tcp:\(host):1").listen.count == 1)
        }
    }

    @Test(arguments: [
        ["--tls-certificate=a"], ["--tls-key=a"], ["--tls-client-ca=a"], ["--socket-mode=0400"],
        ["--socket-mode=abc"], ["--socket-mode=1777"], ["--metrics=x"], ["--metrics=unix:/x"],
        ["--listen=unix:/a", "--listen=unix:/a"], ["--listen=nonsense"],
    ])
    func whatDoesNotFitIsRefused(arguments: [String]) {
        let service = TestService.definition
        #expect(throws: UsageError.self) {
            let settings = try Settings(
                Settings.Input(arguments: arguments, environment: [:]) { _ in
                    .failure(SystemError(code: 2))
                }, specs: ServeConfiguration.options(for: service), verb: "serve")
            _ = try ServeConfiguration(settings, service: service, environment: [:])
        }
    }
}
