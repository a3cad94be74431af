import Base
import Evaluation
import Foundation
import Images
import Messages
import Quality

/// The page of a measured job: HTML that needs nothing else.
struct MeasureReport {
    /// The longest side of the pictures in it.
    static let pictureSide = 256

    private var page: ReportPage

    init(_ judged: JudgedMeasure, _ stored: StoredEvaluation, _ parts: MeasureWork.Parts) {
        let evaluation = stored.evaluation
        page = ReportPage(title: evaluation.name)
        page.facts = [
            ("model", "\(parts.model.name)"), ("adapter", parts.target.adapter),
            ("dataset version", parts.version.name), ("split", evaluation.split),
            ("split digest", evaluation.splitSha256), ("rows", "\(evaluation.rowCount)"),
            ("compared with", parts.reference?.evaluation.name ?? ""),
        ].filter { !$0.1.isEmpty }
        page.measures = judged.scored.scores.estimates
        page.trainLoss = parts.history.trainLoss
        page.validationLoss = parts.history.validationLoss
        page.warnings = evaluation.warnings.map(\.message)
        page.classification = judged.scored.scores.classification
        page.fields = judged.scored.scores.fields
        page.confidence = [("", judged.confidence)]
        (page.slices, page.robustness) = (judged.slices.lines, judged.robustness)
        (page.differences, page.failures) = (judged.differences, judged.failures)
        page.prompts = evaluation.prompts.map { prompt in
            ReportPage.Prompt(
                name: prompt.prompt?.promptID ?? "", shots: Int(prompt.shotCount),
                isConstrained: prompt.constrained,
                measures: (prompt.measures + [prompt.inconsistency].compactMap { $0 })
                    .map { Estimate($0) })
        }
        page.rows = FailedPictures(judged.scored.predictions, judged.rows).shown(
            ReportPage.rowsMax, side: Self.pictureSide
        ).map { failed in
            ReportPage.Row(
                example: failed.prediction.example, expected: failed.prediction.expected,
                answer: failed.prediction.answer, score: failed.prediction.score,
                confidence: failed.prediction.confidence, picture: failed.jpeg)
        }
    }

    /// Writes the page into a folder.
    func write(
        _ folder: String, job: JobName, _ lineage: Lineage
    ) throws -> ArtifactSummary {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try page.html.write(toFile: "\(folder)/index.html", atomically: true, encoding: .utf8)
        return try ArtifactFiles(folder: folder, kind: .report).summary(
            named: "\(job)/artifacts/report", lineage)
    }
}

/// Rows that were not answered fully right with small pictures, for reports and for logs of
/// training.
struct FailedPictures {
    /// A failing row.
    struct Shown: Sendable {
        let prediction: Prediction
        /// Empty where the row has no image that can be read.
        let jpeg: [UInt8]
    }

    private let pairs: [(prediction: Prediction, row: StreamedExample)]

    /// - Parameter rows: in the order of the predictions
    init(_ predictions: [Prediction], _ rows: [StreamedExample]) {
        pairs = zip(predictions, rows).filter { $0.0.score < 1 }.map { ($0, $1) }
    }

    /// The worst rows, of equal ones those first whose answer was surest.
    func shown(_ count: Int, side: Int) -> [Shown] {
        let order = pairs.indices.sorted { a, b in
            let (first, second) = (pairs[a].prediction, pairs[b].prediction)
            return (first.score, second.confidence, a) < (second.score, first.confidence, b)
        }
        return order.prefix(count).map { index in
            Shown(
                prediction: pairs[index].prediction,
                jpeg: Thumbnail.jpeg(of: pairs[index].row, side: side).map { Array($0) } ?? [])
        }
    }
}

/// Small pictures of rows.
enum Thumbnail {
    private static let quality = 80

    /// The first image of a row as JPEG with its longer side at most `side` pixels; nil where there
    /// is none, or it cannot be read.
    static func jpeg(of row: StreamedExample, side: Int) -> Bytes? {
        guard let image = row.images.first,
            let decoded = try? DecodedImage(
                decoding: image.content, DecodeOptions(sideEnough: side)
            ).image,
            let small = try? decoded.limited(to: side)
        else { return nil }
        return try? small.jpeg(quality: quality)
    }
}
