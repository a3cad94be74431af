import Base
import Messages
import Operation
import RPC
import Resources

/// `watch`: a line for each event, and on a terminal a bar of the steps.
struct WatchVerb: Sendable {
    private let verb: TrainerVerb
    private var invocation: Invocation { verb.invocation }

    init(_ invocation: Invocation) { verb = TrainerVerb(invocation) }

    func run() async throws -> Verb.Outcome {
        let name = try verb.job()
        let after = UInt64(invocation.settings.integer("after") ?? 0)
        let state = try await invocation.withClient { client in
            try await follow(name, after: after, client)
        }
        return state == .succeeded ? .success : .failure
    }

    /// Shows a job to its end, through restarts of the service.
    ///
    /// - Returns: the state it ended in
    func follow(_ name: String, after: UInt64, _ client: Client) async throws -> JobState {
        var line = EventLine(invocation)
        var number = after
        var attempts = 0
        while true {
            do throws(RPCError) {
                let stream = try await client.call(
                    Training.watchJob,
                    .with { ($0.name, $0.afterEventNumber) = (name, number) },
                    options: CallOptions(waitsForReady: attempts > 0))
                while let response = try await stream.next() {
                    guard let event = response.event else { continue }
                    (number, attempts) = (event.eventNumber, 0)
                    line.show(event)
                }
                line.finish()
                let job = try await client.call(Training.getJob, .with { $0.name = name })
                return job.state
            } catch {
                attempts += 1
                guard error.code == .unavailable, attempts < 100 else {
                    line.finish()
                    throw error
                }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }
}

/// Writes events: for programs as JSON, for people as lines and a bar.
private struct EventLine {
    private let invocation: Invocation
    private var bar: ProgressBar?
    private var step = 0

    init(_ invocation: Invocation) { self.invocation = invocation }

    mutating func show(_ event: JobEvent) {
        if invocation.wantsJSON { return printJSON(event) }
        switch event.body {
        case .step(let step)?: show(step)
        case .progress(let progress)?: begin(progress)
        case .stateChange(let change)?:
            let why = change.problem.map { ": \($0.message)" } ?? ""
            say("\(event.eventNumber)  \(change.newState.plainName.lowercased())\(why)")
        case .evaluation(let evaluation)?:
            let numbers = evaluation.measures.map { "\($0.name) \(rounded($0.value))" }
            let mark = evaluation.improved ? "  best so far" : ""
            say(
                "\(event.eventNumber)  step \(evaluation.step): "
                    + numbers.joined(separator: "  ") + mark)
        case .checkpoint(let checkpoint)?: say("\(event.eventNumber)  \(checkpoint.name)")
        case .warning(let warning)?:
            say("\(event.eventNumber)  warning: \(warning.problem?.message ?? "")")
        case nil: break
        }
    }

    /// Ends the line of the bar.
    mutating func finish() {
        guard let bar, invocation.console.isErrorTerminal else { return }
        invocation.console.output(bar.end(done: step, now: .now()))
        self.bar = nil
    }

    private mutating func begin(_ progress: JobProgress) {
        guard bar == nil, progress.stepCount > 0, invocation.console.isErrorTerminal else { return }
        bar = ProgressBar(
            title: progress.phase, unit: "steps", total: Int(progress.stepCount), columnsMax: 80,
            start: .now())
    }

    private mutating func show(_ measures: StepMeasures) {
        step = Int(measures.step)
        guard invocation.console.isErrorTerminal else {
            return say(
                "step \(measures.step)  epoch \(rounded(measures.epoch))  loss"
                    + " \(rounded(measures.loss))  rate \(measures.learningRate)")
        }
        if let text = bar?.line(done: step, now: .now()) { invocation.console.output(text) }
    }

    private mutating func say(_ text: String) {
        finish()
        invocation.console.output(text + "\n")
    }

    private func rounded(_ number: Double) -> String {
        "\((number * 10_000).rounded() / 10_000)"
    }

    private func printJSON(_ event: JobEvent) {
        invocation.printJSON { json in
            json.member("event", Int(clamping: event.eventNumber))
            switch event.body {
            case .step(let step)?:
                json.member("kind", "step")
                json.member("step", Int(clamping: step.step))
                json.member("epoch", step.epoch)
                json.member("loss", step.loss)
                json.member("learning_rate", step.learningRate)
                json.member("gradient_norm", step.gradientNorm)
                json.member("step_seconds", step.stepSeconds)
                json.member("input_wait_seconds", step.inputWaitSeconds)
            case .stateChange(let change)?:
                json.member("kind", "state")
                json.member("state", change.newState.plainName.lowercased())
                if let problem = change.problem {
                    json.member("reason", problem.reason.plainName)
                    json.member("message", problem.message)
                }
            case .evaluation(let evaluation)?:
                json.member("kind", "evaluation")
                json.member("step", Int(clamping: evaluation.step))
                for measure in evaluation.measures { json.member(measure.name, measure.value) }
                json.member("improved", evaluation.improved)
            case .checkpoint(let checkpoint)?:
                json.member("kind", "checkpoint")
                json.member("name", checkpoint.name)
                json.member("best", checkpoint.best)
            case .warning(let warning)?:
                json.member("kind", "warning")
                json.member("reason", warning.problem?.reason.plainName ?? "")
                json.member("message", warning.problem?.message ?? "")
            case .progress(let progress)?:
                json.member("kind", "progress")
                json.member("phase", progress.phase)
                json.member("step", Int(clamping: progress.step))
                json.member("steps", Int(clamping: progress.stepCount))
            case nil: json.member("kind", "unknown")
            }
        }
    }
}
