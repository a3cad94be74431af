import Base
import Glibc
import Operation
import RPC

/// The command line of fovea-echo.
enum Command {
    static let help = """
        fovea-echo serve --listen ADDRESS... [options]    serve the echo service
            --tls-certificate FILE --tls-key FILE         serve TLS
            --tls-client-ca FILE                          demand client certificates
            --tokens          ask for `Bearer ROLE-token`, for each role
            --message-bytes-max N, --threads N, --drain-seconds N
            --immediate       answer unary calls without a task; delays are refused
        fovea-echo client --server ADDRESS [options] CASE...    try a server
            --tls-ca FILE [--tls-certificate FILE --tls-key FILE] [--tls-server-name NAME]
        """

    /// Runs the command line and ends the process with its exit code. Not async, so that signals
    /// are blocked before there is a second thread.
    static func main() -> Never {
        ProcessSetup.apply()
        let words = Array(CommandLine.arguments.dropFirst())
        if words.first == "serve" { Signals.block() }
        Task.detached { await run(words) }
        while true { pause() }
    }

    private static func run(_ words: [String]) async -> Never {
        do {
            switch words.first {
            case "serve": exit(try await ServeCommand(Arguments(words.dropFirst())).run())
            case "client": exit(try await ClientCommand(Arguments(words.dropFirst())).run())
            case "--help", "-h":
                say(help)
                exit(0)
            default: throw UsageError(message: "the first word is serve or client; see --help")
            }
        } catch let error as any Failure {
            complain(error.message)
        } catch let error as UsageError {
            complain(error.message)
        } catch {
            complain("\(error)")
        }
        exit(2)
    }

    /// Writes a line to standard output at once: whoever started this waits for it.
    static func say(_ line: String) { write(line, to: STDOUT_FILENO) }

    /// Writes a line to standard error.
    static func complain(_ line: String) { write("fovea-echo: " + line, to: STDERR_FILENO) }

    private static func write(_ line: String, to descriptor: Int32) {
        var text = line + "\n"
        text.withUTF8 { _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }
}

/// What is wrong with the command line.
struct UsageError: Error {
    let message: String
}

/// The words after the verb: flags with their values, and the rest.
struct Arguments {
    private static let switches: Set = ["--tokens", "--immediate"]
    private static let valued: Set = [
        "--listen", "--server", "--tls-certificate", "--tls-key", "--tls-client-ca", "--tls-ca",
        "--tls-server-name", "--message-bytes-max", "--threads", "--drain-seconds",
    ]
    private var values: [String: [String]] = [:]
    private(set) var operands: [String] = []

    init(_ words: some Collection<String>) throws(UsageError) {
        var rest = words[...]
        while let word = rest.popFirst() {
            if Arguments.switches.contains(word) {
                values[word] = []
            } else if Arguments.valued.contains(word) {
                guard let value = rest.popFirst() else {
                    throw UsageError(message: "\(word) needs a value")
                }
                values[word, default: []].append(value)
            } else if word.hasPrefix("-") {
                throw UsageError(message: "no flag \(word); see --help")
            } else {
                operands.append(word)
            }
        }
    }

    func has(_ flag: String) -> Bool { values[flag] != nil }

    func all(_ flag: String) -> [String] { values[flag] ?? [] }

    subscript(flag: String) -> String? { values[flag]?.last }

    /// The number of a flag; `otherwise` without it.
    func number(_ flag: String, otherwise: Double) throws(UsageError) -> Double {
        guard let text = self[flag] else { return otherwise }
        guard let number = Double(text), number >= 0 else {
            throw UsageError(message: "\(flag) takes a number from 0, not '\(text)'")
        }
        return number
    }
}
