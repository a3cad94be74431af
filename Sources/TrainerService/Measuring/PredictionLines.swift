import Base
import Foundation
import Messages

/// The answers of a measured job as an artifact: `predictions.jsonl`, one JSON object a line, with
/// the names of the contract.
struct PredictionLines {
    private let predictions: [Prediction]

    init(_ predictions: [Prediction]) { self.predictions = predictions }

    private func line(_ prediction: Prediction, _ json: inout JSONText) {
        json.object { json in
            json.member("example", prediction.example)
            json.member("expected", prediction.expected)
            json.member("answer", prediction.answer)
            json.member("score", prediction.score)
            json.member("confidence", prediction.confidence)
            json.member("well_formed", prediction.wellFormed)
            json.key("wrong_pointers")
            json.array { json in
                for pointer in prediction.wrongPointers { json.value(pointer) }
            }
            json.member("finish_reason", prediction.finishReason.plainName)
            json.member("log_probability", prediction.logProbability)
        }
        json.newline()
    }

    /// Writes the lines into a folder, one after another, so that they are never all held as text.
    func write(_ folder: String, job: JobName, _ lineage: Lineage) throws -> ArtifactSummary {
        let files = FileManager.default
        let path = "\(folder)/predictions.jsonl"
        try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: path))
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        for prediction in predictions {
            var json = JSONText()
            line(prediction, &json)
            try file.write(contentsOf: Data(json.utf8))
        }
        try file.close()
        return try ArtifactFiles(folder: folder, kind: .predictions).summary(
            named: "\(job)/artifacts/predictions", lineage)
    }
}
