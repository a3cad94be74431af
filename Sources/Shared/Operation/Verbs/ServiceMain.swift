import Base
import Glibc
import RPC

/// The program of a service: reads the command line, runs the verb, gives the exit code.
package enum ServiceMain {
    /// `FOVEA_*` variables that no option of a verb stands for.
    static let knownVariables: Set<String> = [
        "FOVEA_DATASET", "FOVEA_TRAINER", "FOVEA_INFERENCE", "FOVEA_TOKEN_FILE", "FOVEA_TLS_CA",
        "FOVEA_KERNEL_TIER", "FOVEA_THREADS", "FOVEA_GOLDENS",
    ]

    /// Runs this process's command line and ends the process.
    ///
    /// Not async, so that it runs on the first thread before there is any other: all threads
    /// inherit which signals are not theirs.
    package static func run(_ service: ServiceDefinition) -> Never {
        ProcessSetup.apply()
        let arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.first == "serve" { Signals.block() }
        Task.detached {
            let outcome = await run(
                service, arguments: arguments, environment: environment(), console: .standard())
            exit(outcome.rawValue)
        }
        // Not dispatchMain: it lets this thread receive the signals that were blocked.
        while true { pause() }
    }

    /// Runs one command line.
    static func run(
        _ service: ServiceDefinition, arguments: [String], environment: [String: String],
        console: Console
    ) async -> Verb.Outcome {
        do {
            return try await runVerb(service, arguments, environment, console)
        } catch let error as UsageError {
            console.complain("\(service.executable): \(error.message)")
            return .badUsage
        } catch let error as RPCError {
            console.complain("\(service.executable): \(error)")
            return .failure
        } catch let error as any Failure {
            console.complain("\(service.executable): \(error.message)")
            return .failure
        } catch {
            console.complain("\(service.executable): \(error)")
            return .failure
        }
    }

    private static func runVerb(
        _ service: ServiceDefinition, _ arguments: [String], _ environment: [String: String],
        _ console: Console
    ) async throws -> Verb.Outcome {
        let help = Help(service: service)
        guard let name = arguments.first else {
            throw UsageError.conflict("no verb; --help lists the verbs")
        }
        if ["help", "--help", "-h"].contains(name) {
            console.output(help.page)
            return .success
        }
        let wanted = name == "--version" ? "version" : name
        guard let verb = service.allVerbs.first(where: { $0.name == wanted }) else {
            throw UsageError.unknownVerb(
                name, nearest: Suggestion.nearest(to: name, among: service.allVerbs.map(\.name)))
        }
        let rest = Array(arguments.dropFirst())
        if rest.prefix(while: { $0 != "--" }).contains(where: { ["--help", "-h"].contains($0) }) {
            console.output(help.page(of: verb))
            return .success
        }
        guard let run = verb.run else {
            console.complain(
                "\(service.executable): \(name) comes with a later release; --help lists what works"
                    + " now")
            return .failure
        }
        return try await run(
            Invocation(
                service: service, settings: try settings(verb, service, rest, environment),
                environment: environment, console: console))
    }

    private static func settings(
        _ verb: Verb, _ service: ServiceDefinition, _ arguments: [String],
        _ environment: [String: String]
    ) throws(UsageError) -> Settings {
        // One environment serves all verbs, so the variables of each are known to all.
        let others = service.allVerbs.flatMap(\.options).filter { !$0.isFlagOnly }.map(\.variable)
        return try Settings(
            Settings.Input(
                arguments: arguments, environment: environment,
                readFile: { SmallFile.read($0) }),
            specs: verb.options, verb: verb.name, knownVariables: knownVariables.union(others))
    }

    /// The variables of this process.
    private static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let parts = String(cString: text).split(separator: "=", maxSplits: 1)
            if parts.count > 0 {
                variables[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
            }
            entry += 1
        }
        return variables
    }
}
