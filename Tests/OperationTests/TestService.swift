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

/// Numbers that look random and repeat.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
