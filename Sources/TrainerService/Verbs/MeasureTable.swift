import Base
import Foundation
import Messages
import Operation
import RPC

/// An evaluation for people and programs: a line for each prompt and a column for each metric, or,
/// where there is one way of asking, a line for each metric.
struct MeasureTable {
    private let evaluation: Evaluation

    /// Metrics beside each other, the main one first.
    private static let columnsMax = 6

    init(_ evaluation: Evaluation) { self.evaluation = evaluation }

    func show(_ invocation: Invocation) {
        if evaluation.prompts.isEmpty { showMeasures(invocation) } else { showPrompts(invocation) }
        guard !invocation.wantsJSON else { return }
        if let spread = evaluation.promptSpread {
            invocation.console.output("prompts differ by \(Self.text(spread))\n")
        }
        for warning in evaluation.warnings { invocation.console.output(warning.message + "\n") }
        for group in evaluation.failures.prefix(Self.columnsMax) {
            invocation.console.output(
                "\(group.rowCount) errors, \(group.description): \(group.proposal)\n")
        }
    }

    private func showPrompts(_ invocation: Invocation) {
        let metrics = (evaluation.prompts.first?.measures ?? []).prefix(Self.columnsMax).map(\.name)
        var table = TextTable(columns: ["PROMPT", "SHOTS", "HELD"] + metrics + ["INCONSISTENT"])
        let items = evaluation.prompts.map { prompt -> [(String, String)] in
            let values = metrics.map { name in
                (name, prompt.measures.first { $0.name == name }.map(Self.text) ?? "")
            }
            return [
                ("prompt", prompt.prompt?.promptID ?? ""), ("shots", "\(prompt.shotCount)"),
                ("held", prompt.constrained ? "yes" : "no"),
            ] + values + [("inconsistency", prompt.inconsistency.map(Self.text) ?? "")]
        }
        for item in items { table.add(row: item.map(\.1)) }
        invocation.printResults(items, table)
    }

    private func showMeasures(_ invocation: Invocation) {
        var table = TextTable("METRIC", "VALUE")
        let items = evaluation.measures.map { [("metric", $0.name), ("value", Self.text($0))] }
        for item in items { table.add(row: item.map(\.1)) }
        invocation.printResults(items, table)
    }

    /// The value with its interval.
    private static func text(_ measure: Measure) -> String {
        let value = String(format: "%.4f", measure.value)
        guard let interval = measure.interval else { return value }
        return value + String(format: " (%.4f to %.4f)", interval.lower, interval.upper)
    }
}

/// The page of a measured job as a file.
struct ReportFile {
    private let request: FetchArtifactRequest
    private let path: String

    /// - Parameter job: "jobs/{job}"
    init(_ job: String, _ path: String) {
        request = .with { ($0.name, $0.pathPrefix) = ("\(job)/artifacts/report", "index.html") }
        self.path = path
    }

    func write(_ client: Client) async throws {
        var page: [UInt8] = []
        for try await response in try await client.call(Training.fetchArtifact, request) {
            if case .chunk(let chunk)? = response.part { page += chunk.content }
        }
        guard FileManager.default.createFile(atPath: path, contents: Data(page)) else {
            throw UsageError.malformed(
                what: "the report", path: path, why: "it cannot be written there")
        }
    }
}
