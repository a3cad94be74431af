import Base
import Operation
import RPC

/// A service of few verbs, for tests.
enum TestService {
    static let definition = ServiceDefinition(
        name: "sample", summary: "a service for tests.", ports: (service: 7_199, metrics: 9_199),
        services: ["fovea.sample.v1.Sample"],
        verbs: [
            Verb(
                "greet", "Say hello.", operands: "[NAME]",
                options: [OptionSpec("loud", .flag, from: .flag, "In capitals.")],
                examples: [("fovea-sample greet ann", "Greets Ann.")]
            ) { invocation in
                let text = "hello \(invocation.operands.first ?? "you")\n"
                invocation.console.output(
                    invocation.settings.flag("loud") ? text.uppercased() : text)
                return .success
            },
            .later("dance", "Dance."),
        ],
        compose: { _ in Router() })
}

/// Keeps what a verb writes.
struct Recording {
    let output = Lock("")
    let complaints = Lock<[String]>([])

    var console: Console {
        Console(
            output: { [output] text in output.with { $0 += text } },
            complain: { [complaints] line in complaints.with { $0.append(line) } },
            isErrorTerminal: false)
    }
}
